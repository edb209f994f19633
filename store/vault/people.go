package vault

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/argon2"
)

// Cost is what a PIN costs to try.
type Cost struct {
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory"` // KiB
	Threads uint8  `json:"threads"`
}

// defaultCost is RFC 9106 §4, second recommended option.
var defaultCost = Cost{3, 64 << 10, 4}

// PersonInfo is who may unlock.
type PersonInfo struct {
	ID   uuid.UUID
	Name string
}

// People are those with a PIN here, in the order in which they were added.
func (v *Vault) People() []PersonInfo {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := make([]PersonInfo, len(v.f.People))
	for i, p := range v.f.People {
		list[i] = PersonInfo{p.ID, p.Name}
	}
	return list
}

// WrongPINs is how often a person's PIN was tried wrongly since it was last right.
func (v *Vault) WrongPINs(id uuid.UUID) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.f.Fails[id.String()].Count
}

// A PINError means a PIN is none that can be taken.
type PINError struct {
	Least  int
	Simple bool // long enough, but among the first that anybody would try
}

func (e *PINError) Error() string {
	if e.Simple {
		return "the PIN is one of the first that anybody would try"
	}
	return fmt.Sprintf("a PIN has at least %d digits", e.Least)
}

// Code is the key of the sentence.
func (e *PINError) Code() string {
	if e.Simple {
		return "vault.pin_simple"
	}
	return "vault.pin_short"
}

const leastPIN = 6

// CheckPIN says whether a PIN can be taken, before anything is made: six digits or
// more, and neither one digit repeated nor a run such as 123456.
func CheckPIN(pin string) error {
	runes := []rune(pin)
	if len(runes) < leastPIN {
		return &PINError{Least: leastPIN}
	}
	step, steady := runes[1]-runes[0], true
	for i := 2; i < len(runes); i++ {
		steady = steady && runes[i]-runes[i-1] == step
	}
	if steady && step >= -1 && step <= 1 {
		return &PINError{Least: leastPIN, Simple: true}
	}
	return nil
}

// AddPerson gives a person a PIN and a signing key of his own, and returns the
// public half. A person who is here already gets a new PIN and a new key, which the
// county must certify anew.
func (v *Vault) AddPerson(k *Keys, id uuid.UUID, name, pin string) (ed25519.PublicKey, error) {
	if err := CheckPIN(pin); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	seed, err := v.random(ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	p, err := v.person(k, id, name, pin, seed)
	if err != nil {
		return nil, err
	}
	v.f.People = slices.DeleteFunc(v.f.People, func(q person) bool { return q.ID == id })
	v.f.People = append(v.f.People, p)
	delete(v.f.Fails, id.String())
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey), v.save()
}

func (v *Vault) person(k *Keys, id uuid.UUID, name, pin string, seed []byte) (person, error) {
	salt, err := v.random(16)
	if err != nil {
		return person{}, err
	}
	p := person{ID: id, Name: name, Salt: salt, Cost: defaultCost}
	p.Wrap, err = v.wrap(k, stretch(p, pin), "person", personPlace(id), seed)
	return p, err
}

func personPlace(id uuid.UUID) string { return "person/" + id.String() }

// stretch gives the memory that a try took back to the system at once: on a tablet
// of 2 GB its 64 MiB would otherwise stay until much later.
func stretch(p person, pin string) []byte {
	defer debug.FreeOSMemory()
	return argon2.IDKey([]byte(pin), p.Salt, p.Cost.Time, p.Cost.Memory, p.Cost.Threads, keySize)
}

// ErrLastPerson means nobody could open the vault any more.
var ErrLastPerson error = lastPerson{errors.New("nobody else could open this folder")}

type lastPerson struct{ error }

func (lastPerson) Code() string { return "vault.last_person" }

// RemovePerson takes a person's PIN and signing key off this machine. Nothing is
// encrypted anew: what others wrote stays readable to those who remain. Whoever kept
// a copy of the folder and of the device secret from before can still open that
// copy with the old PIN.
func (v *Vault) RemovePerson(id uuid.UUID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(v.f.People), func(p person) bool { return p.ID == id })
	if len(rest) == len(v.f.People) {
		return nil
	}
	if len(rest) == 0 && v.f.Unattended == nil {
		return ErrLastPerson
	}
	v.f.People = rest
	delete(v.f.Fails, id.String())
	return v.save()
}

// ChangePIN gives a person a new PIN for the same signing key.
func (v *Vault) ChangePIN(id uuid.UUID, old, new string) error {
	if err := CheckPIN(new); err != nil {
		return err
	}
	data, seed, err := v.unwrap(id, old)
	if err != nil {
		return err
	}
	k := v.keys(data)
	defer k.Lock()
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.f.People, func(p person) bool { return p.ID == id })
	if i < 0 {
		return &WrongPINError{}
	}
	p, err := v.person(k, id, v.f.People[i].Name, new, seed)
	if err != nil {
		return err
	}
	v.f.People[i] = p
	return v.save()
}

// A WrongPINError counts: after five wrong PINs each further one waits longer.
type WrongPINError struct {
	Fails int
	Wait  time.Duration // before the next try is looked at
}

func (e *WrongPINError) Error() string {
	if e.Wait > 0 {
		return fmt.Sprintf("wrong PIN, %d times; wait %s", e.Fails, e.Wait.Round(time.Second))
	}
	return "wrong PIN"
}

// Code is the key of the sentence.
func (e *WrongPINError) Code() string { return "vault.wrong_pin" }

const freeTries = 5

// unwrap opens a person's wrap. A try is counted, durably, before it is looked at:
// cutting the power does not make it undone.
func (v *Vault) unwrap(id uuid.UUID, pin string) (data, seed []byte, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.f.People, func(p person) bool { return p.ID == id })
	if i < 0 {
		return nil, nil, &WrongPINError{}
	}
	if v.device == nil {
		return nil, nil, fmt.Errorf("%s: %w", v.dir, ErrDeviceLost)
	}
	f := v.f.Fails[id.String()]
	if wait := f.Until.Sub(v.world.Now()); wait > 0 {
		// A clock set back must not lock anybody out for days.
		return nil, nil, &WrongPINError{f.Count, min(wait, backOff(f.Count))}
	}
	f.Count++
	f.Until = v.world.Now().Add(backOff(f.Count))
	if v.f.Fails == nil {
		v.f.Fails = map[string]fails{}
	}
	v.f.Fails[id.String()] = f
	if err := v.save(); err != nil {
		return nil, nil, err
	}
	p := v.f.People[i]
	plain, err := open(v.derive(stretch(p, pin), "person"), personPlace(id), p.Wrap)
	if err != nil || len(plain) != keySize+ed25519.SeedSize {
		return nil, nil, &WrongPINError{f.Count, backOff(f.Count)}
	}
	delete(v.f.Fails, id.String())
	return plain[:keySize], plain[keySize:], v.save()
}

// backOff doubles from ten seconds to a quarter of an hour.
func backOff(count int) time.Duration {
	if count < freeTries {
		return 0
	}
	return min(10*time.Second<<min(count-freeTries, 10), 15*time.Minute)
}

// Unlock opens the vault with a person's PIN.
func (v *Vault) Unlock(person uuid.UUID, pin string) (*Keys, error) {
	data, _, err := v.unwrap(person, pin)
	if err != nil {
		return nil, err
	}
	return v.keys(data), nil
}

// PersonKey is a person's own signing key, for one signature: whoever knows the
// PIN signs, nobody else.
func (v *Vault) PersonKey(person uuid.UUID, pin string) (ed25519.PrivateKey, error) {
	_, seed, err := v.unwrap(person, pin)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
