package review

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
)

// A Done decision was taken at this machine and has not been sent yet.
type Done struct {
	Review, About uuid.UUID // About: the visit, household or member decided on
	Decision      string
	Author        uuid.UUID
	At            time.Time
	changes       []store.Change // the decision and what followed from it
}

// maxUndo bounds how far back one can look: as many changes as a long day makes
// without a network.
const maxUndo = 50_000

// Undoable lists the decisions that were taken here and not sent yet, the newest
// first. Sent is what stands in a sealed bundle: it may be on a stick already.
func (rv *Reviewer) Undoable(ctx context.Context) ([]Done, error) {
	journal, err := rv.Replica.Unsealed(ctx, maxUndo)
	if err != nil {
		return nil, err
	}
	var list []Done
	withdrawn := map[uuid.UUID]bool{}
	for i, c := range journal {
		if c.Kind != store.Review {
			continue
		}
		fields := map[string]store.Value{}
		for _, f := range c.Fields {
			fields[f.Name] = f.Value
		}
		if fields["state"].Text() == Withdrawn {
			withdrawn[c.Entity] = true
			continue
		}
		n, ok := fields["follows"].Int()
		if !ok || n < 0 || i+1+int(n) > len(journal) {
			continue
		}
		about, _ := uuid.Parse(fields["parent"].Text()) // uuid.Nil where it is about nothing
		list = append(list, Done{c.Entity, about, fields["decision"].Text(), c.Author, c.Clock.Time(), journal[i : i+1+int(n)]})
	}
	var open []Done
	for i := len(list) - 1; i >= 0; i-- {
		if !withdrawn[list[i].Review] {
			open = append(open, list[i])
		}
	}
	return open, nil
}

// A SentError means a decision has left this machine: it is corrected by a new
// decision or a new visit, not taken back.
type SentError struct{ Review uuid.UUID }

func (e *SentError) Error() string {
	return fmt.Sprintf("decision %s was sent already, or is not of this machine", e.Review)
}

// Code is the key of the sentence.
func (e *SentError) Code() string { return "review.sent" }

// Undo takes a decision back before it is sent, by changes that restore what stood
// there before: the log forgets nothing. What a later decision has set meanwhile
// stays.
func (rv *Reviewer) Undo(ctx context.Context, review uuid.UUID, reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" {
		return ErrNoReason
	}
	open, err := rv.Undoable(ctx)
	if err != nil {
		return err
	}
	for _, d := range open {
		if d.Review != review {
			continue
		}
		edits := []store.Edit{{
			Kind: store.Review, Entity: review, Division: d.changes[0].Division,
			Fields: map[string]store.Value{"state": store.Text(Withdrawn), "decision": store.Text(Withdrawn), "withdrawn": store.Text(d.Decision), "withdrawn_why": store.Text(reason)},
		}}
		back, err := Reverse(ctx, rv.Replica, d.changes[1:])
		if err != nil {
			return err
		}
		if _, err := rv.Replica.Write(ctx, rv.Person, append(edits, back...)...); err != nil {
			return fmt.Errorf("undo decision %s: %w", review, err)
		}
		return nil
	}
	return &SentError{review}
}

// Reverse are the edits that put back what changes replaced: of every field that
// still shows the change's value, the values that stood there before, all of them
// if there were several (invariant 4). A thing that the changes made is marked as
// deleted. A field that somebody has changed since is left as it is.
func Reverse(ctx context.Context, r *store.Replica, changes []store.Change) ([]store.Edit, error) {
	reversed := map[store.ChangeID]bool{}
	for _, c := range changes {
		reversed[c.ChangeID] = true
	}
	var edits []store.Edit
	for i := len(changes) - 1; i >= 0; i-- {
		c := changes[i]
		history, err := r.History(ctx, c.Entity)
		if err != nil {
			return nil, err
		}
		before := map[store.ChangeID]store.Change{}
		made := true // by these changes alone
		for _, h := range history {
			before[h.ChangeID] = h
			made = made && reversed[h.ChangeID]
		}
		if made {
			edits = append(edits, store.Edit{Kind: c.Kind, Entity: c.Entity, Division: c.Division, Fields: map[string]store.Value{"deleted": store.Bool(true)}})
			if c.Kind == store.Task {
				edits[len(edits)-1].Fields["state"] = store.Text("cancelled")
			}
			continue
		}
		main := store.Edit{Kind: c.Kind, Entity: c.Entity, Division: c.Division, Fields: map[string]store.Value{}, Seen: map[string][]store.ChangeID{}}
		var further []store.Edit
		for _, f := range c.Fields {
			heads, err := r.Heads(ctx, c.Entity, f.Name)
			if err != nil {
				return nil, err
			}
			stands, beside := false, []store.Value(nil)
			for _, h := range heads {
				if h.ChangeID == c.ChangeID {
					stands = true
				} else {
					beside = append(beside, h.Value)
				}
			}
			if !stands {
				continue
			}
			values := replaced(before, reversed, f)
			switch {
			case len(values) > 0:
			case len(beside) > 0: // what it replaced had been replaced already: what stands beside it stays alone
				values = beside[:1]
			default:
				values = []store.Value{store.Null()}
			}
			main.Fields[f.Name], main.Seen[f.Name] = values[0], []store.ChangeID{c.ChangeID}
			for _, v := range values[1:] {
				further = append(further, store.Edit{Kind: c.Kind, Entity: c.Entity, Division: c.Division,
					Fields: map[string]store.Value{f.Name: v}, Seen: map[string][]store.ChangeID{f.Name: {c.ChangeID}}})
			}
		}
		if len(main.Fields) > 0 {
			edits = append(append(edits, main), further...)
		}
	}
	return edits, nil
}

// replaced are the different values that a field's change took the place of: those
// it superseded and nothing else had superseded before.
func replaced(history map[store.ChangeID]store.Change, reversed map[store.ChangeID]bool, f store.Field) (values []store.Value) {
	gone := map[store.ChangeID]bool{}
	for id, c := range history {
		if reversed[id] {
			continue
		}
		for _, other := range c.Fields {
			if other.Name == f.Name {
				for _, s := range other.Supersedes {
					gone[s] = true
				}
			}
		}
	}
	for _, id := range f.Supersedes {
		for _, old := range history[id].Fields {
			if old.Name == f.Name && !gone[id] && !slices.ContainsFunc(values, func(v store.Value) bool { return bytes.Equal(v, old.Value) }) {
				values = append(values, old.Value)
			}
		}
	}
	return values
}
