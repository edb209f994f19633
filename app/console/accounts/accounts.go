// Package accounts is who may sign in at the county's console, as what, and for
// which divisions.
//
// A password is the person's PIN of the folder's vault: Argon2id, and each wrong
// one after the fifth waits longer (package vault). An account adds a login, a role
// and, if the person wishes, a second factor (TOTP, RFC 6238). Accounts lie sealed
// in the data folder. This package knows neither sessions nor pages.
package accounts

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/argon2"

	"ironfeet/app/casework/office"
	"ironfeet/sync/trust"
)

// Administrator is a role of the console only: machines, accounts, backups. It
// sees no household and writes no change.
const Administrator trust.Role = "administrator"

// Roles that may sign in, in the order in which they are shown.
var Roles = []trust.Role{trust.County, trust.Approver, trust.ChildApprover, trust.Auditor, Administrator, trust.Township}

// An Account is one person at the console.
type Account struct {
	Person   uuid.UUID  `json:"person"`
	Login    string     `json:"login"`
	Name     string     `json:"name"`
	Role     trust.Role `json:"role"`
	Scope    []string   `json:"scope"` // divisions, as prefixes
	TOTP     string     `json:"totp,omitempty"`
	LastCode uint64     `json:"last_code,omitempty"` // the time step of the last code: none counts twice
	Disabled bool       `json:"disabled,omitempty"`
	Why      string     `json:"why,omitempty"`
	Created  time.Time  `json:"created"`
	Seen     time.Time  `json:"seen"`
}

// Covers says whether a division lies in the account's scope.
func (a Account) Covers(division string) bool {
	return slices.ContainsFunc(a.Scope, func(s string) bool { return strings.HasPrefix(division, s) })
}

// Division is what lists begin with: the scope, where it is one.
func (a Account) Division() string {
	if len(a.Scope) == 0 {
		return "-" // no division begins so
	}
	return a.Scope[0]
}

// LeastPassword is how long a password must be: it is typed where the whole county
// can be seen.
const LeastPassword = 10

// An Error says why an account cannot be made or used.
type Error struct {
	Why   string // login, taken, password, role, scope, unknown, wrong, code, disabled
	Login string
	Least int
}

func (e *Error) Error() string {
	switch e.Why {
	case "login":
		return fmt.Sprintf("%q: a login has 2 to 32 small letters, digits, dots and hyphens", e.Login)
	case "taken":
		return e.Login + ": this login is taken"
	case "password":
		return fmt.Sprintf("a password has at least %d characters", e.Least)
	case "role":
		return "this role does not sign in at the console"
	case "scope":
		return "a township's account needs its code"
	case "code":
		return "the code is wrong or was used already"
	case "disabled":
		return e.Login + ": this account is disabled"
	}
	return "login or password is wrong"
}

// Code is the key of the sentence.
func (e *Error) Code() string { return "account." + e.Why }

const setting = "console.accounts"

// A Book keeps the accounts of an office.
type Book struct {
	office *office.Office
	mu     sync.Mutex
	busy   chan struct{} // passwords looked at at once: each costs 64 MiB
}

// Of is the book of an open office.
func Of(o *office.Office) *Book { return &Book{office: o, busy: make(chan struct{}, 2)} }

func (b *Book) read(ctx context.Context) ([]Account, error) {
	text, err := b.office.Replica.Setting(ctx, setting)
	if err != nil || text == nil {
		return nil, err
	}
	var list []Account
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	return list, nil
}

func (b *Book) write(ctx context.Context, list []Account) error {
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("keep the accounts: %w", err)
	}
	return b.office.Replica.SetSetting(ctx, setting, text)
}

// List returns all accounts, by login.
func (b *Book) List(ctx context.Context) ([]Account, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list, err := b.read(ctx)
	slices.SortFunc(list, func(x, y Account) int { return cmp.Compare(x.Login, y.Login) })
	return list, err
}

// Get returns a person's account as it stands now.
func (b *Book) Get(ctx context.Context, person uuid.UUID) (Account, error) {
	list, err := b.List(ctx)
	if err != nil {
		return Account{}, err
	}
	for _, a := range list {
		if a.Person == person {
			return a, nil
		}
	}
	return Account{}, &Error{Why: "unknown"}
}

var login = regexp.MustCompile(`^[a-z0-9][a-z0-9.\-]{1,31}$`)

// Add makes an account and enrols its person, so that what he or she decides is
// signed by somebody known. An administrator is not enrolled: nothing is to be
// written under that name.
func (b *Book) Add(ctx context.Context, a Account, password string) (Account, error) {
	if !login.MatchString(a.Login) {
		return a, &Error{Why: "login", Login: a.Login}
	}
	if len([]rune(password)) < LeastPassword {
		return a, &Error{Why: "password", Least: LeastPassword}
	}
	if !slices.Contains(Roles, a.Role) {
		return a, &Error{Why: "role"}
	}
	county := b.office.Replica.Identity().Division
	if len(a.Scope) == 0 && a.Role != trust.Township {
		a.Scope = []string{county}
	}
	for _, s := range a.Scope {
		if !strings.HasPrefix(s, county) || strings.Trim(s, "0123456789") != "" {
			return a, &Error{Why: "scope"}
		}
	}
	if len(a.Scope) == 0 {
		return a, &Error{Why: "scope"}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	list, err := b.read(ctx)
	if err != nil {
		return a, err
	}
	if slices.ContainsFunc(list, func(have Account) bool { return have.Login == a.Login }) {
		return a, &Error{Why: "taken", Login: a.Login}
	}
	if a.Role == Administrator {
		a.Person = b.office.World.NewID()
		_, err = b.office.Vault.AddPerson(b.office.Keys, a.Person, a.Name, password)
	} else {
		a.Person, err = b.office.Enrol(ctx, a.Name, a.Role, a.Scope, password)
	}
	if err != nil {
		return a, err
	}
	a.Created = b.office.World.Now()
	return a, b.write(ctx, append(list, a))
}

// change alters one account.
func (b *Book) change(ctx context.Context, login string, do func(*Account) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	list, err := b.read(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].Login == login {
			if err := do(&list[i]); err != nil {
				return err
			}
			return b.write(ctx, list)
		}
	}
	return &Error{Why: "unknown", Login: login}
}

// Disable ends an account from now on; its sessions end with the next page.
func (b *Book) Disable(ctx context.Context, login, why string) error {
	return b.change(ctx, login, func(a *Account) error {
		a.Disabled, a.Why = true, why
		return nil
	})
}

// Enable lets a disabled account in again.
func (b *Book) Enable(ctx context.Context, login string) error {
	return b.change(ctx, login, func(a *Account) error {
		a.Disabled, a.Why = false, ""
		return nil
	})
}

// NewPassword gives an account another password, and its person another key. After
// a restore everybody needs one: passwords do not travel in backups.
func (b *Book) NewPassword(ctx context.Context, login, password string) error {
	if len([]rune(password)) < LeastPassword {
		return &Error{Why: "password", Least: LeastPassword}
	}
	return b.change(ctx, login, func(a *Account) error {
		key, err := b.office.Vault.AddPerson(b.office.Keys, a.Person, a.Name, password)
		if err != nil || a.Role == Administrator {
			return err
		}
		root, err := b.office.RootKey()
		if err != nil {
			return err
		}
		now, own := b.office.World.Now(), b.office.Replica.Identity()
		cert, err := root.Certify(trust.Certificate{
			Subject: a.Person, What: trust.ForPerson, Name: a.Name, Key: key, Role: a.Role, Scope: a.Scope, From: now, Until: now.AddDate(10, 0, 0),
		})
		if err != nil {
			return err
		}
		_, err = b.office.Replica.Write(ctx, own.Node, trust.CertificateEdit(cert, own.Division))
		return err
	})
}

// SignIn looks at login and password. The answer to a wrong one is the same, and
// takes as long, whether there is such a login or not.
func (b *Book) SignIn(ctx context.Context, login, password string) (Account, error) {
	select {
	case b.busy <- struct{}{}:
		defer func() { <-b.busy }()
	case <-ctx.Done():
		return Account{}, ctx.Err()
	}
	list, err := b.List(ctx)
	if err != nil {
		return Account{}, err
	}
	i := slices.IndexFunc(list, func(a Account) bool { return subtle.ConstantTimeCompare([]byte(a.Login), []byte(login)) == 1 })
	if i < 0 {
		argon2.IDKey([]byte(password), make([]byte, 16), 3, 64<<10, 4, 32)
		return Account{}, &Error{Why: "wrong"}
	}
	if _, err := b.office.Vault.PersonKey(list[i].Person, password); err != nil {
		return list[i], err // a wrong PIN, with how long to wait
	}
	if list[i].Disabled {
		return list[i], &Error{Why: "disabled", Login: login}
	}
	return list[i], nil
}

// Came notes that an account signed in.
func (b *Book) Came(ctx context.Context, login string) error {
	return b.change(ctx, login, func(a *Account) error {
		a.Seen = b.office.World.Now()
		return nil
	})
}

// Propose makes a key for a second factor; it counts once Confirm has seen a code.
func (b *Book) Propose(a Account) (*otp.Key, error) {
	return totp.Generate(totp.GenerateOpts{Issuer: "Ironfeet " + b.office.Replica.Identity().Name, AccountName: a.Login, Rand: b.office.World.Rand})
}

// Confirm turns the second factor on with a first code of it.
func (b *Book) Confirm(ctx context.Context, login, secret, code string) error {
	return b.change(ctx, login, func(a *Account) error {
		step, ok := b.step(secret, code)
		if !ok {
			return &Error{Why: "code"}
		}
		a.TOTP, a.LastCode = secret, step
		return nil
	})
}

// Reset takes the second factor away, as when a telephone is lost.
func (b *Book) Reset(ctx context.Context, login string) error {
	return b.change(ctx, login, func(a *Account) error {
		a.TOTP, a.LastCode = "", 0
		return nil
	})
}

// Second looks at a code of the second factor; none counts twice (RFC 6238 §5.2).
func (b *Book) Second(ctx context.Context, login, code string) error {
	return b.change(ctx, login, func(a *Account) error {
		step, ok := b.step(a.TOTP, code)
		if !ok || step <= a.LastCode {
			return &Error{Why: "code"}
		}
		a.LastCode = step
		return nil
	})
}

const period = 30 // seconds

// step is the time step whose code this is: now, or one before or after.
func (b *Book) step(secret, code string) (uint64, bool) {
	now := b.office.World.Now()
	for _, by := range []int{0, -1, 1} {
		at := now.Add(time.Duration(by) * period * time.Second)
		want, err := totp.GenerateCodeCustom(secret, at, totp.ValidateOpts{Period: period, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(strings.TrimSpace(code))) == 1 {
			return uint64(at.Unix()) / period, true
		}
	}
	return 0, false
}

// IsWrong says whether an error is a refusal of a sign-in, not a fault of ours.
func IsWrong(err error) bool {
	var e *Error
	var coded interface{ Code() string }
	return errors.As(err, &e) || errors.As(err, &coded) && coded.Code() == "vault.wrong_pin"
}
