// Package opinion is the township's part of a case: the application it accepts
// (受理), from which days are counted, and its preliminary opinion after the visit
// (初审意见; 民发〔2021〕57号 Art. 18, 民发〔2021〕43号 Art. 13), which is posted and goes
// to the county.
//
// The rules suggest, with every comparison kept; a named person gives the opinion. It
// binds nobody: the county decides (package determination).
package opinion

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/lifecycle"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/forms/standards"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// States of an opinion.
const (
	Due       = "due" // nobody has given it yet: it is on no record
	Given     = "given"
	Withdrawn = "withdrawn"
)

// LifeCycle is the life of an opinion:
//
//	due -> given (township)
//	given -> withdrawn (township)
//	withdrawn -> given (township)
//
// One that turns out wrong, after an objection for example, is withdrawn with the
// reason, and given anew; both stay on the record.
var LifeCycle = lifecycle.Table{Name: "opinion", Moves: []lifecycle.Move{
	{From: Due, To: Given, By: []trust.Role{trust.Township}},
	{From: Given, To: Withdrawn, By: []trust.Role{trust.Township}},
	{From: Withdrawn, To: Given, By: []trust.Role{trust.Township}},
}}

// An Opinion is what the township thinks of a case.
type Opinion struct {
	ID, Household, Visit uuid.UUID
	Division             string
	State                string
	Suggested            string // category of the rules
	Category, Label      string
	Amount               standards.Fen // a month
	Reason               string        // why otherwise than suggested, or why withdrawn
	On                   string        // the day
	By                   uuid.UUID
	Standards            string // version of the rules
	Updated              store.Clock
}

// ErrNotAccepted means that an opinion was to be given on a visit that nobody has
// accepted.
var ErrNotAccepted error = notAccepted{}

type notAccepted struct{}

func (notAccepted) Error() string { return "an opinion stands on a visit that was accepted" }
func (notAccepted) Code() string  { return "opinion.not_accepted" }

// ID is the opinion on a visit: two who give it at once write the same one, and where
// they differ both values stay until a person settles it (invariant 4).
func ID(visitID uuid.UUID) uuid.UUID { return uuid.NewSHA1(visitID, []byte("opinion")) }

// Give writes a person's opinion with the suggestion, its whole trace and the version
// of the rules. Category and amount other than suggested need a reason.
func Give(ctx context.Context, rv *review.Reviewer, s *visit.Signed, d standards.Decision, c determination.Choice) (uuid.UUID, error) {
	state, _, err := review.StateOf(ctx, rv.Replica, s.ID)
	if err != nil {
		return uuid.Nil, err
	}
	if state != review.Accepted {
		return uuid.Nil, ErrNotAccepted
	}
	c, err = determination.Chosen(d, c)
	if err != nil {
		return uuid.Nil, err
	}
	was := Due
	id := ID(s.ID)
	switch old, err := rv.Replica.Entity(ctx, id); {
	case err == nil:
		was = old.Text("state")
	case !errors.Is(err, store.ErrNotFound):
		return uuid.Nil, err
	}
	if err := LifeCycle.May(was, Given, rv.Role); err != nil {
		return uuid.Nil, err
	}
	trace, err := json.Marshal(d)
	if err != nil {
		return uuid.Nil, fmt.Errorf("write down the trace: %w", err)
	}
	edit := store.Edit{Kind: store.Opinion, Entity: id, Division: s.Division, Fields: map[string]store.Value{
		"parent": store.Text(s.Content.Household.String()), "visit": store.Text(s.ID.String()), "state": store.Text(Given),
		"suggested": store.Text(d.Category), "category": store.Text(c.Category), "label": store.Text(cmp.Or(c.Label, c.Category)),
		"amount_fen": store.Int(int64(*c.Amount)), "reason": store.Text(c.Reason), "standards": store.Text(d.Version), "trace": store.Text(string(trace)),
		"given_on": store.Text(rv.Now().Format(time.DateOnly)),
	}}
	if was == Due { // whoever gives the first has seen none: another's is a conflict, not lost
		edit.Seen = map[string][]store.ChangeID{}
		for name := range edit.Fields {
			edit.Seen[name] = nil
		}
	}
	if _, err := rv.Replica.Write(ctx, rv.Person, edit); err != nil {
		return uuid.Nil, fmt.Errorf("write the opinion on visit %s: %w", s.ID, err)
	}
	return id, nil
}

// Withdraw takes an opinion back, with the reason.
func Withdraw(ctx context.Context, rv *review.Reviewer, o *Opinion, reason string) error {
	if err := LifeCycle.May(o.State, Withdrawn, rv.Role); err != nil {
		return err
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		return review.ErrNoReason
	}
	_, err := rv.Replica.Write(ctx, rv.Person, store.Edit{Kind: store.Opinion, Entity: o.ID, Division: o.Division, Fields: map[string]store.Value{
		"state": store.Text(Withdrawn), "reason": store.Text(reason)}})
	if err != nil {
		return fmt.Errorf("withdraw the opinion on visit %s: %w", o.Visit, err)
	}
	return nil
}

// List returns the opinions of a division, the newest first.
func List(ctx context.Context, r *store.Replica, division string) ([]Opinion, error) {
	found, err := r.Entities(ctx, store.Query{Kind: store.Opinion, Division: division})
	if err != nil {
		return nil, fmt.Errorf("read the opinions of %s: %w", division, err)
	}
	list := make([]Opinion, 0, len(found))
	for _, e := range found {
		o, err := fromEntity(ctx, r, e)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b Opinion) int {
		return cmp.Or(cmp.Compare(b.Updated, a.Updated), slices.Compare(a.ID[:], b.ID[:]))
	})
	return list, nil
}

// On returns the opinion on a visit, nil if there is none.
func On(ctx context.Context, r *store.Replica, visitID uuid.UUID) (*Opinion, error) {
	e, err := r.Entity(ctx, ID(visitID))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := fromEntity(ctx, r, e)
	return &o, err
}

func fromEntity(ctx context.Context, r *store.Replica, e *store.Entity) (Opinion, error) {
	o := Opinion{ID: e.ID, Division: e.Division, State: e.Text("state"), Suggested: e.Text("suggested"), Category: e.Text("category"), Label: e.Text("label"),
		Reason: e.Text("reason"), On: e.Text("given_on"), Standards: e.Text("standards"), Updated: e.Updated}
	o.Household, _ = uuid.Parse(e.Text("parent")) // uuid.Nil where it names none
	o.Visit, _ = uuid.Parse(e.Text("visit"))
	fen, _ := e.Fields["amount_fen"].Int()
	o.Amount = standards.Fen(fen)
	heads, err := r.Heads(ctx, e.ID, "state")
	if len(heads) > 0 {
		o.By = heads[0].Author
	}
	return o, err
}

// A Waiting case has an accepted visit and needs an opinion.
type Waiting struct {
	Visit     *visit.Signed
	Opinion   *Opinion // one that was withdrawn, nil if there was none
	Accepted  string   // the day of acceptance (受理), "" where nobody applied
	Procedure string
	DueOn     string // the earliest deadline that is counted from it
	Basis     string
	Sure      bool
}

// Pending lists the newest accepted visits on which the township has no opinion and
// the county no decision yet, the pressing ones first.
func Pending(ctx context.Context, r *store.Replica, division string) ([]Waiting, error) {
	visits, err := determination.Pending(ctx, r, division)
	if err != nil {
		return nil, err
	}
	rules, err := calendar.RulesOf(ctx, r)
	if err != nil {
		return nil, err
	}
	days, err := calendar.Of(ctx, r)
	if err != nil {
		return nil, err
	}
	var list []Waiting
	for _, s := range visits {
		w := Waiting{Visit: s, Sure: true}
		if w.Opinion, err = On(ctx, r, s.ID); err != nil {
			return nil, err
		}
		if w.Opinion != nil && w.Opinion.State == Given {
			continue
		}
		if s.Content.Task != uuid.Nil {
			t, err := tasks.Get(ctx, r, s.Content.Task)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			w.Accepted, w.Procedure = t.Accepted, t.Procedure
		}
		if day, err := time.Parse(time.DateOnly, w.Accepted); err == nil {
			if rule, due, sure, ok := rules.FromAcceptance(days, w.Procedure, day, true); ok {
				w.DueOn, w.Basis, w.Sure = due.Format(time.DateOnly), rule.Basis, sure
			}
		}
		list = append(list, w)
	}
	slices.SortStableFunc(list, func(a, b Waiting) int { return cmp.Compare(cmp.Or(a.DueOn, "9"), cmp.Or(b.DueOn, "9")) })
	return list, nil
}

// Procedures that an application can be for, in the order in which they are offered.
var Procedures = []string{"dibao", "edge", "rigid", "tekun", "child"}

// An AcceptError says why an application cannot be accepted so.
type AcceptError struct{ Why string } // procedure, day, future, open

func (e *AcceptError) Error() string { return "accept an application: " + e.Why }

// Code is the key of the sentence.
func (e *AcceptError) Code() string { return "opinion.accept_" + e.Why }

// Accept records that an application was accepted (受理) and sends somebody to the
// door until the first deadline that is counted from that day.
func Accept(ctx context.Context, rv *review.Reviewer, household *store.Entity, procedure, day, form, reason string) (tasks.Task, error) {
	on, err := time.Parse(time.DateOnly, strings.TrimSpace(day))
	switch {
	case err != nil:
		return tasks.Task{}, &AcceptError{"day"}
	case !slices.Contains(Procedures, procedure):
		return tasks.Task{}, &AcceptError{"procedure"}
	case on.Format(time.DateOnly) > rv.Now().Format(time.DateOnly):
		return tasks.Task{}, &AcceptError{"future"}
	}
	open, err := rv.Replica.Entities(ctx, store.Query{Kind: store.Task, Parent: household.ID.String(), State: tasks.Open})
	if err != nil {
		return tasks.Task{}, err
	}
	for _, e := range open {
		if e.Text("procedure") == procedure {
			return tasks.Task{}, &AcceptError{"open"}
		}
	}
	rules, err := calendar.RulesOf(ctx, rv.Replica)
	if err != nil {
		return tasks.Task{}, err
	}
	days, err := calendar.Of(ctx, rv.Replica)
	if err != nil {
		return tasks.Task{}, err
	}
	t := tasks.Task{ID: rv.NewID(), Household: household.ID, Division: household.Division, State: tasks.Open, Form: form, Reason: reason,
		Accepted: on.Format(time.DateOnly), Procedure: procedure}
	if _, due, _, ok := rules.FromAcceptance(days, procedure, on, false); ok {
		t.Due = due.Format(time.DateOnly)
	}
	if _, err := rv.Replica.Write(ctx, rv.Person, tasks.Edit(t)); err != nil {
		return tasks.Task{}, fmt.Errorf("accept an application of household %s: %w", household.ID, err)
	}
	return t, nil
}
