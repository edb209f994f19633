package review

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/store"
)

// A Fault is one reason why a visit is returned; see visit.Fault.
type Fault = visit.Fault

// ErrNoReason means something was to be done without saying why: a return, a field
// kept, an escalation.
var ErrNoReason error = noReason{}

type noReason struct{}

func (noReason) Error() string {
	return "a visit is returned, and a field kept, only with a reason that the worker can act on"
}
func (noReason) Code() string { return "review.no_reason" }

// A SecondReviewerError means that whoever accepted first wants to accept as the
// second too: a household that is kin of staff needs two people (民发〔2021〕57号
// Art. 11, 20).
type SecondReviewerError struct{ First uuid.UUID }

func (e *SecondReviewerError) Error() string {
	return "the household is kin of staff: a second person must accept, not the one who accepted first"
}

// Code is the key of the sentence.
func (e *SecondReviewerError) Code() string { return "review.second_reviewer" }

// A Kept field is one that the reviewer did not take over, and why.
type Kept struct {
	Entity uuid.UUID `cbor:"1,keyasint"`
	Field  string    `cbor:"2,keyasint"`
	Visit  string    `cbor:"3,keyasint"` // what the visit says
	Reason string    `cbor:"4,keyasint"`
}

// Accept writes the decision and, in the same transaction, every registry field
// the visit proposes, except those the reviewer keeps, each with a reason (keyed
// by Line.Key). Each write supersedes what the investigators saw: where somebody
// else set the field meanwhile, both values stay as a conflict until a person
// settles it (invariant 4).
//
// Of a household that is kin of staff the first acceptance only seconds: nothing
// enters the registry before another person has accepted too.
func (rv *Reviewer) Accept(ctx context.Context, out *Review, keep map[string]string, remark string) error {
	to := Accepted
	if out.Kin && out.State != Seconded {
		to = Seconded
	}
	if err := LifeCycle.May(out.State, to, rv.Role); err != nil {
		return err
	}
	if out.State == Seconded && out.First == rv.Person {
		return &SecondReviewerError{out.First}
	}
	s := out.Visit
	var kept []Kept
	for _, line := range out.Lines {
		reason, keeps := keep[line.Key()]
		if !keeps || line.Standing == Same {
			continue
		}
		if reason = strings.TrimSpace(reason); reason == "" {
			return ErrNoReason
		}
		kept = append(kept, Kept{line.Entity, line.Field, line.Visit, reason})
	}
	decision := rv.decision(s, to, remark, nil)
	if len(kept) > 0 {
		decision.Fields["kept"] = store.Of(kept)
	}
	edits := []store.Edit{decision}
	if to == Accepted {
		fields, err := rv.taken(ctx, out, keep)
		if err != nil {
			return err
		}
		edits = append(edits, fields...)
	}
	if err := rv.write(ctx, edits); err != nil {
		return fmt.Errorf("accept visit %s: %w", s.ID, err)
	}
	return nil
}

// taken are the registry's edits of an acceptance.
func (rv *Reviewer) taken(ctx context.Context, out *Review, keep map[string]string) ([]store.Edit, error) {
	s := out.Visit
	var edits []store.Edit
	index := map[uuid.UUID]int{}
	for _, line := range out.Lines {
		if _, keeps := keep[line.Key()]; keeps || line.Standing == Same && !line.New {
			continue
		}
		i, ok := index[line.Entity]
		if !ok {
			i = len(edits)
			index[line.Entity] = i
			edit := store.Edit{
				Kind: line.Kind, Entity: line.Entity, Division: out.Page.Household.Division,
				Fields: map[string]store.Value{}, Seen: map[string][]store.ChangeID{},
			}
			if line.New {
				edit.Fields["parent"] = store.Text(out.Page.Household.ID.String())
				if e, err := rv.Replica.Entity(ctx, line.Entity); err == nil && e.Fields["deleted"].Bool() {
					edit.Fields["deleted"] = store.Null() // its acceptance was undone before
				}
			}
			edits = append(edits, edit)
		}
		if line.Standing == Same {
			continue
		}
		edits[i].Fields[line.Field] = store.Text(line.Visit)
		if !line.New {
			edits[i].Seen[line.Field] = line.replaces
		}
	}
	household := map[string]store.Value{"last_visit": store.Text(s.EndedAt().Format(time.DateOnly))}
	if s.Content.Found != nil { // the registry learns who they are with the first visit that is accepted
		for field, text := range s.Content.Found.Fields() {
			if i, ok := index[s.Content.Household]; text != "" && out.Page.Household.Text("last_visit") == "" && (!ok || edits[i].Fields[field].Text() == "") {
				household[field] = store.Text(text)
			}
		}
	}
	return append(edits, store.Edit{Kind: store.Household, Entity: out.Page.Household.ID, Division: out.Page.Household.Division, Fields: household}), nil
}

// Return sends a visit back with reasons that travel to the tablet, to the very
// questions, and opens its task again until due.
func (rv *Reviewer) Return(ctx context.Context, out *Review, due time.Time, faults ...Fault) error {
	if err := LifeCycle.May(out.State, Returned, rv.Role); err != nil {
		return err
	}
	var texts []string
	for _, f := range faults {
		if t := strings.TrimSpace(f.Text); t != "" && !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
	}
	if len(texts) == 0 {
		return ErrNoReason
	}
	reason := strings.Join(texts, "；")
	edits := []store.Edit{rv.decision(out.Visit, Returned, reason, faults)}
	again, err := rv.sendBack(ctx, out, due, reason)
	if err != nil {
		return err
	}
	if err := rv.write(ctx, append(edits, again)); err != nil {
		return fmt.Errorf("return visit %s: %w", out.Visit.ID, err)
	}
	return nil
}

// sendBack opens the visit's task again, or asks for a visit where nobody had.
func (rv *Reviewer) sendBack(ctx context.Context, out *Review, due time.Time, reason string) (store.Edit, error) {
	if out.Visit.Content.Task == uuid.Nil {
		edit := rv.task(out, due, reason)
		edit.Fields["returned"] = store.Text(reason)
		return edit, nil
	}
	t, err := tasks.Get(ctx, rv.Replica, out.Visit.Content.Task)
	if err != nil {
		return store.Edit{}, err
	}
	if t.State == tasks.Open { // somebody was sent there again already: he is told the reason too
		return store.Edit{Kind: store.Task, Entity: t.ID, Division: t.Division, Fields: map[string]store.Value{"returned": store.Text(reason)}}, nil
	}
	return tasks.Reopen(t, rv.Role, due, reason)
}

// task asks for a new visit to the household.
func (rv *Reviewer) task(out *Review, due time.Time, reason string) store.Edit {
	return store.Edit{Kind: store.Task, Entity: rv.NewID(), Division: out.Page.Household.Division, Fields: map[string]store.Value{
		"parent": store.Text(out.Page.Household.ID.String()), "state": store.Text(tasks.Open), "due": store.Text(due.Format(time.DateOnly)),
		"reason": store.Text(reason), "form": store.Text(out.Visit.Record.Form),
	}}
}

// AskAgain asks for a second visit by others, to lay beside this one. This one
// waits for it.
func (rv *Reviewer) AskAgain(ctx context.Context, out *Review, due time.Time, reason string) error {
	if err := LifeCycle.May(out.State, Again, rv.Role); err != nil {
		return err
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		return ErrNoReason
	}
	if err := rv.write(ctx, []store.Edit{rv.decision(out.Visit, Again, reason, nil), rv.task(out, due, reason)}); err != nil {
		return fmt.Errorf("ask for a second visit beside %s: %w", out.Visit.ID, err)
	}
	return nil
}

// Escalate hands the decision to the county, with the reason.
func (rv *Reviewer) Escalate(ctx context.Context, out *Review, reason string) error {
	if err := LifeCycle.May(out.State, Escalated, rv.Role); err != nil {
		return err
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		return ErrNoReason
	}
	if err := rv.write(ctx, []store.Edit{rv.decision(out.Visit, Escalated, reason, nil)}); err != nil {
		return fmt.Errorf("escalate visit %s: %w", out.Visit.ID, err)
	}
	return nil
}

// A NotCleanError means that a visit was to be accepted among many, and a person
// should look at it first.
type NotCleanError struct {
	Visit uuid.UUID
	Name  string // the household's
	Why   []string
}

func (e *NotCleanError) Error() string {
	return fmt.Sprintf("visit %s of %s cannot be accepted in a batch: %s", e.Visit, e.Name, strings.Join(e.Why, ", "))
}

// Code is the key of the sentence.
func (e *NotCleanError) Code() string { return "review.not_clean" }

// Why a visit stays out of a batch, besides the codes of grave hints.
const (
	NotLooked   = "review.why_not_looked"
	NotSigned   = "review.why_state"
	HasOthers   = "review.why_others"
	HasConflict = "review.why_conflict"
	HasMissing  = "review.why_missing"
	IsKin       = "review.why_kin"
	IsDiverged  = "review.why_diverged"
	NotVerified = "review.why_attestation"
	HasProblems = "review.why_problems"
)

// AcceptClean accepts one line of the inbox if nothing at all speaks against it,
// opened and looked at anew; else a *NotCleanError says what does.
func (rv *Reviewer) AcceptClean(ctx context.Context, w *Waiting) error {
	out, err := rv.Open(ctx, w.Visit)
	if err != nil {
		return err
	}
	var why []string
	add := func(is bool, code string) {
		if is {
			why = append(why, code)
		}
	}
	add(!w.Looked, NotLooked)
	add(out.State != Signed, NotSigned)
	add(len(out.Others) > 0, HasOthers)
	add(w.Conflicts > 0, HasConflict)
	add(w.Missing > 0, HasMissing)
	add(out.Kin, IsKin)
	add(len(out.Diverged()) > 0, IsDiverged)
	add(rv.Roll != nil && !out.Verified(), NotVerified)
	add(len(out.Problems)+len(out.Warnings)+len(out.Lost) > 0, HasProblems)
	for _, h := range w.Hints {
		add(h.Grave && !slices.Contains(why, h.Code), h.Code)
	}
	if len(why) > 0 {
		return &NotCleanError{w.Visit, w.Name, why}
	}
	return rv.Accept(ctx, out, nil, "")
}

func (rv *Reviewer) decision(s *visit.Signed, decision, reason string, faults []Fault) store.Edit {
	fields := map[string]store.Value{
		"parent": store.Text(s.ID.String()), "state": store.Text(decision), "decision": store.Text(decision),
		"digest": store.Bytes(s.Digest[:]), "household": store.Text(s.Content.Household.String()),
	}
	if reason != "" {
		fields["reason"] = store.Text(reason)
	}
	if len(faults) > 0 {
		fields["faults"] = store.Of(faults)
	}
	return store.Edit{Kind: store.Review, Entity: rv.NewID(), Division: s.Division, Fields: fields}
}

// write writes a decision, the first of the edits, with all that follows from it.
// The decision says how many changes follow it in the log, so that it can be
// undone, and that each value's cause is known.
func (rv *Reviewer) write(ctx context.Context, edits []store.Edit) error {
	edits[0].Fields["follows"] = store.Int(int64(len(edits) - 1))
	_, err := rv.Replica.Write(ctx, rv.Person, edits...)
	return err
}
