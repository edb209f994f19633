// Package present prepares what the app's screens show, and does what they ask:
// plain values in, plain values out, no toolkit. Whatever decides something is in
// package casework; whatever draws is in package desktop.
package present

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/app/words"
	"ironfeet/assets/font"
	"ironfeet/store/audit"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// A Session is one person at work on this machine.
type Session struct {
	Office *office.Office
	Person uuid.UUID
	Name   string
	Role   trust.Role
	Shelf  *publish.Shelf
	Say    *words.Speaker

	log        *audit.Log
	background *Background // nil: nothing is synced by itself
}

// People are those who can unlock a data folder. vault.None means there is
// nothing yet: the machine must enrol.
func People(w world.World, dir string) ([]vault.PersonInfo, error) {
	v, err := vault.Open(w, dir)
	if err != nil {
		return nil, err
	}
	return v.People(), nil
}

// Unlock opens the folder by a person's PIN.
func Unlock(ctx context.Context, w world.World, dir string, person vault.PersonInfo, pin string, say *words.Speaker) (*Session, error) {
	of, err := office.Unlock(ctx, w, dir, person.ID, pin)
	if err != nil {
		return nil, err
	}
	return Start(of, person.ID, person.Name, say), nil
}

// Start begins a session in an office that is open already.
func Start(of *office.Office, person uuid.UUID, name string, say *words.Speaker) *Session {
	return &Session{
		Office: of, Person: person, Name: name, Role: trust.Role(of.Replica.Identity().Role), Shelf: &publish.Shelf{}, Say: say,
	}
}

// Close locks the folder again. What runs in the background has ended before the
// keys are forgotten.
func (s *Session) Close() error {
	s.LeaveOff()
	s.unplay()
	if s.log != nil {
		_ = s.log.Close() // every entry is durable already
		s.log = nil
	}
	err := s.Office.Close()
	clear(s.Office.NodeKey)
	return err
}

// Desk is where this person fills visits.
func (s *Session) Desk() *visit.Desk {
	return &visit.Desk{Replica: s.Office.Replica, World: s.Office.World, Shelf: s.Shelf, Worker: s.Person, Name: s.Name}
}

// Reviewer is this person deciding about visits.
func (s *Session) Reviewer() *review.Reviewer {
	return &review.Reviewer{
		Replica: s.Office.Replica, Shelf: s.Shelf, Person: s.Person, Role: s.Role, Now: s.Office.World.Now, NewID: s.Office.World.NewID,
	}
}

// Colleagues are those who can confirm a visit at this machine.
func (s *Session) Colleagues() []vault.PersonInfo { return s.Office.Vault.People() }

// Key is a person's own signing key, behind the PIN.
func (s *Session) Key(person uuid.UUID, pin string) (ed25519.PrivateKey, error) {
	return s.Office.Vault.PersonKey(person, pin)
}

// Error is an error as two sentences: what happened and what to do next.
func (s *Session) Error(err error) (said, hint string) { return s.Say.Error(err) }

// A Link is how this machine stands to its county.
type Link struct {
	Written, Receipted uint64 // own changes, and how many the county has confirmed
	Drafts             int
	PhotosMissing      int // named by what is here, not here yet
	Server             string
}

// Waiting is how many own changes nobody has confirmed yet.
func (l Link) Waiting() uint64 { return l.Written - min(l.Receipted, l.Written) }

// Link reads how this machine stands to its county.
func (s *Session) Link(ctx context.Context) (Link, error) {
	r := s.Office.Replica
	own := r.Identity().Node
	l := Link{Server: s.Office.Server}
	tip, err := r.Tip(ctx, own)
	if err != nil {
		return l, err
	}
	// What is not sealed yet waits as well.
	unsealed, err := r.Unsealed(ctx, 100_000)
	if err != nil {
		return l, err
	}
	l.Written = tip.Last + uint64(len(unsealed))
	if l.Receipted, _, err = r.Receipt(ctx, own); err != nil {
		return l, err
	}
	if s.Role != trust.Worker { // a tablet needs its own photos only
		missing, err := r.MissingBlobs(ctx)
		if err != nil {
			return l, err
		}
		l.PhotosMissing = len(missing)
	}
	drafts, err := r.Drafts(ctx)
	l.Drafts = len(drafts)
	return l, err
}

// day is today's date.
func (s *Session) day() string { return s.Office.World.Now().Format(time.DateOnly) }

// DaysUntil counts from today; negative when the day has passed, ok false when it
// is none.
func (s *Session) DaysUntil(day string) (int, bool) {
	d, err := time.Parse(time.DateOnly, day)
	today, err2 := time.Parse(time.DateOnly, s.day())
	if err != nil || err2 != nil {
		return 0, false
	}
	return int(d.Sub(today).Hours() / 24), true
}

// T says a sentence of the app.
func (s *Session) T(key string, parts ...any) string { return T(s.Say, key, parts...) }

// T says a sentence; parts stand for %s and %d in it.
func T(say *words.Speaker, key string, parts ...any) string {
	text := say.Say("app."+key, nil)
	if len(parts) == 0 || !strings.Contains(text, "%") {
		return text
	}
	return fmt.Sprintf(text, parts...)
}

// Glyphless are the characters of a text that the screens cannot draw: the name is
// to be photographed as it was written by hand.
func (s *Session) Glyphless(text string) string { return font.Missing(text) }
