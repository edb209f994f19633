package alerts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/store"
)

// An OutcomeError says why an alert cannot be closed so.
type OutcomeError struct {
	Why     string // unknown, no_note, no_visit
	Outcome string
	Known   []string
}

func (e *OutcomeError) Error() string {
	switch e.Why {
	case "unknown":
		return fmt.Sprintf("there is no outcome %q; known are %s", e.Outcome, strings.Join(e.Known, ", "))
	case "no_note":
		return fmt.Sprintf("outcome %s needs a note", e.Outcome)
	}
	return fmt.Sprintf("outcome %s needs an accepted visit: nobody loses aid by data alone", e.Outcome)
}

// Code is the key of the sentence.
func (e *OutcomeError) Code() string { return "alerts.outcome_" + e.Why }

// Outcomes the program itself minds.
const (
	TrueChanged = "true_changed"
	TrueExempt  = "true_exempt"
)

// Close ends an alert with what came of it. What takes aid away needs a visit that
// the township accepted after the alert was raised; an exemption needs its reason.
func Close(ctx context.Context, r *store.Replica, author uuid.UUID, now time.Time, k *Kinds, a *store.Entity, outcome, note string) error {
	return CloseAll(ctx, r, author, now, k, outcome, note, a)
}

// CloseAll closes several alerts with one outcome, all or none.
func CloseAll(ctx context.Context, r *store.Replica, author uuid.UUID, now time.Time, k *Kinds, outcome, note string, list ...*store.Entity) error {
	var edits []store.Edit
	for _, a := range list {
		e, err := closing(ctx, r, now, k, a, outcome, note)
		if err != nil {
			return err
		}
		edits = append(edits, e)
	}
	_, err := r.Write(ctx, author, edits...)
	return err
}

func closing(ctx context.Context, r *store.Replica, now time.Time, k *Kinds, a *store.Entity, outcome, note string) (store.Edit, error) {
	o, ok := k.Outcome(outcome)
	if !ok {
		var known []string
		for _, o := range k.Outcomes {
			known = append(known, o.Code)
		}
		return store.Edit{}, &OutcomeError{Why: "unknown", Outcome: outcome, Known: known}
	}
	if outcome == TrueExempt && note == "" {
		return store.Edit{}, &OutcomeError{Why: "no_note", Outcome: outcome}
	}
	fields := map[string]store.Value{
		"outcome": store.Text(o.Code), "outcome_label": store.Text(o.Label), "closed_on": store.Text(now.Format(time.DateOnly)),
	}
	if note != "" {
		fields["outcome_note"] = store.Text(note)
	}
	seen, err := visited(ctx, r, a)
	if err != nil {
		return store.Edit{}, err
	}
	switch {
	case seen != uuid.Nil:
		fields["visit"] = store.Text(seen.String())
	case outcome == TrueChanged:
		return store.Edit{}, &OutcomeError{Why: "no_visit", Outcome: outcome}
	}
	return move(a, Closed, fields)
}

// visited is the newest accepted visit to the alert's household since it was raised.
func visited(ctx context.Context, r *store.Replica, a *store.Entity) (uuid.UUID, error) {
	visits, err := r.Entities(ctx, store.Query{Kind: store.Visit, Parent: a.Text("parent")})
	if err != nil {
		return uuid.Nil, err
	}
	var best uuid.UUID
	var when time.Time
	for _, v := range visits {
		state, _, err := review.StateOf(ctx, r, v.ID)
		if err != nil {
			return uuid.Nil, err
		}
		if state != review.Accepted {
			continue
		}
		s, err := visit.FromEntity(v)
		if err != nil {
			return uuid.Nil, err
		}
		if ended := s.EndedAt(); ended.Format(time.DateOnly) >= a.Text("raised_on") && ended.After(when) {
			best, when = v.ID, ended
		}
	}
	return best, nil
}

// A Feedback is one line of what goes back to the department that sent the list.
type Feedback struct {
	Alert                     *store.Entity
	List                      string // the name of its file
	Row                       int
	Name, Number              string
	Kind, Outcome, Note, Date string
}

// FeedbackFor collects the closed alerts of a source that the department has not
// been told of; again takes those too that it has.
func FeedbackFor(ctx context.Context, r *store.Replica, source string, again bool) ([]Feedback, error) {
	list, err := List(ctx, r, "", Closed)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	var out []Feedback
	for _, a := range list {
		if a.Text("source") != source || a.Text("fed_back") != "" && !again {
			continue
		}
		row, _ := a.Fields["row"].Int()
		f := Feedback{Alert: a, Row: int(row), Name: a.Text("name"), Kind: a.Text("alert_kind"),
			Outcome: a.Text("outcome_label"), Note: a.Text("outcome_note"), Date: a.Text("closed_on")}
		id := a.Text("list")
		if _, known := names[id]; !known {
			names[id] = ""
			if parsed, err := uuid.Parse(id); err == nil {
				if l, err := r.Entity(ctx, parsed); err == nil {
					names[id] = l.Text("name")
				}
			}
		}
		f.List = names[id]
		if member, err := uuid.Parse(a.Text("member")); err == nil {
			if m, err := r.Entity(ctx, member); err == nil {
				f.Number = m.Text("id_no")
			}
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Feedback) int { return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.Row, b.Row)) })
	return out, nil
}

// FedBack marks what the department has been told.
func FedBack(ctx context.Context, r *store.Replica, author uuid.UUID, now time.Time, list []Feedback) error {
	var edits []store.Edit
	for _, f := range list {
		edits = append(edits, store.Edit{Kind: store.Alert, Entity: f.Alert.ID, Division: f.Alert.Division,
			Fields: map[string]store.Value{"fed_back": store.Text(now.Format(time.DateOnly))}})
	}
	_, err := r.Write(ctx, author, edits...)
	return err
}
