package review

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/forms"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// A Line is one registry field that a visit would set, beside what is known.
type Line struct {
	Entity   uuid.UUID // household or member
	Kind     store.Kind
	Whose    string // the household's or member's name
	Field    string
	Label    string // the question, in the form's default language
	Before   string // what the investigators had before their eyes
	Registry string // what stands there now
	Visit    string // what this visit says
	Shown    string // Visit as its choice's label
	Standing Standing
	New      bool // the member is not in the registry yet
}

// Standing says how a line's three values stand to each other.
type Standing string

const (
	Same     Standing = "same"     // the registry says so already
	Changed  Standing = "changed"  // only this visit changes it
	Diverged Standing = "diverged" // somebody else changed it meanwhile: a person must look
)

// A Reviewer is who decides, at which replica.
type Reviewer struct {
	Replica *store.Replica
	Shelf   *publish.Shelf
	Person  uuid.UUID
	Role    trust.Role
	Now     func() time.Time
	NewID   func() uuid.UUID
}

// A Review is one visit laid beside the registry.
type Review struct {
	Visit  *visit.Signed
	Form   *forms.Form
	Entry  *forms.Entry // the visit's answers, to read
	Page   *registry.Page
	Lines  []Line
	State  string
	Others []uuid.UUID // other undecided visits to this household
}

// Open lays a visit beside the registry.
func (rv *Reviewer) Open(ctx context.Context, visitID uuid.UUID) (*Review, error) {
	s, err := visit.Read(ctx, rv.Replica, visitID)
	if err != nil {
		return nil, err
	}
	form, err := rv.Shelf.Form(ctx, rv.Replica, s.Record.Form, s.Record.Version)
	if err != nil {
		return nil, err
	}
	page, err := registry.Open(ctx, rv.Replica, s.Content.Household)
	if f := s.Content.Found; f != nil && errors.Is(err, store.ErrNotFound) {
		page, err = registry.Newly(s.Content.Household, s.Division, f.Fields()), nil
	}
	if err != nil {
		return nil, err
	}
	out := &Review{Visit: s, Form: form, Page: page}
	// The entry is filled as it was: in the day of the visit, since today() in a
	// constraint must not make an old answer wrong.
	out.Entry = form.New(forms.Options{Now: s.EndedAt})
	answers := map[string]string{}
	for _, a := range s.Record.Answers {
		answers[a.Path] = a.Value
	}
	out.Entry.Restore(answers)
	if out.State, _, err = StateOf(ctx, rv.Replica, visitID); err != nil {
		return nil, err
	}
	if out.Lines, err = rv.lines(ctx, out); err != nil {
		return nil, err
	}
	for _, e := range page.Visits {
		if e.ID == visitID {
			continue
		}
		if state, _, err := StateOf(ctx, rv.Replica, e.ID); err == nil && state == Signed {
			out.Others = append(out.Others, e.ID)
		}
	}
	return out, nil
}

func (rv *Reviewer) lines(ctx context.Context, out *Review) ([]Line, error) {
	names := map[string]string{}
	for _, p := range out.Entry.Proposal() {
		if p.List == "member" && p.Property == "name" {
			names[p.EntityPath] = p.Value
		}
	}
	var lines []Line
	for _, p := range out.Entry.Proposal() {
		if p.Value == "" { // blank is never zero: an unanswered question changes nothing (invariant 6)
			continue
		}
		line := Line{Kind: store.Household, Entity: out.Visit.Content.Household, Field: p.Property, Visit: p.Value, Shown: p.Value}
		if p.List == "member" {
			line.Kind = store.Member
			line.Whose = names[p.EntityPath]
			if line.Entity, line.New = memberID(out.Visit, p); line.Entity == uuid.Nil {
				continue
			}
		}
		if n, ok := out.Entry.Node(p.Path); ok {
			line.Label = n.Label
			for _, c := range n.Choices {
				if c.Name == p.Value {
					line.Shown = c.Label
				}
			}
		}
		heads, err := rv.Replica.Heads(ctx, line.Entity, p.Property)
		if err != nil {
			return nil, err
		}
		line.Standing = Changed
		if len(heads) > 0 {
			line.Registry = heads[0].Value.Text()
			switch {
			case len(heads) == 1 && line.Registry == p.Value:
				line.Standing = Same
			case !sawAll(out.Visit.Content.Seen, line.Entity, p.Property, heads):
				line.Standing = Diverged
			}
		}
		if line.Before, err = rv.before(ctx, out.Visit.Content.Seen, line.Entity, p.Property, heads); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// sawAll says whether the investigators had every present head before their eyes.
func sawAll(seen map[string]map[string][]store.ChangeID, entity uuid.UUID, field string, heads []store.Head) bool {
	known := map[store.ChangeID]bool{}
	for _, id := range seen[entity.String()][field] {
		known[id] = true
	}
	for _, h := range heads {
		if !known[h.ChangeID] {
			return false
		}
	}
	return true
}

// before finds the value that was seen: among the heads, or in the history.
func (rv *Reviewer) before(ctx context.Context, seen map[string]map[string][]store.ChangeID, entity uuid.UUID, field string, heads []store.Head) (string, error) {
	ids := seen[entity.String()][field]
	if len(ids) == 0 {
		return "", nil
	}
	for _, h := range heads {
		if h.ChangeID == ids[0] {
			return h.Value.Text(), nil
		}
	}
	history, err := rv.Replica.History(ctx, entity)
	if err != nil {
		return "", err
	}
	for _, c := range history {
		if c.ChangeID != ids[0] {
			continue
		}
		for _, f := range c.Fields {
			if f.Name == field {
				return f.Value.Text(), nil
			}
		}
	}
	return "", nil
}

// memberID is the entity of a member row: the known one, or for a new member an
// id that every reviewer derives alike, so that two acceptances make one person.
func memberID(s *visit.Signed, p forms.Proposed) (id uuid.UUID, isNew bool) {
	if known, err := uuid.Parse(p.EntityID); err == nil {
		return known, false
	}
	return uuid.NewSHA1(s.ID, []byte(p.EntityPath)), true
}

// Accept writes the decision and, in the same transaction, every registry field
// the visit proposes, except those the reviewer keeps. Each write supersedes what
// the investigators saw: where somebody else set the field meanwhile, both values
// stay as a conflict until a person settles it (invariant 4).
func (rv *Reviewer) Accept(ctx context.Context, out *Review, keep map[string]bool, remark string) error {
	if err := LifeCycle.May(out.State, Accepted, rv.Role); err != nil {
		return err
	}
	s := out.Visit
	edits := []store.Edit{rv.decision(s, Accepted, remark, nil)}
	index := map[uuid.UUID]int{}
	for _, line := range out.Lines {
		if line.Standing == Same || keep[line.Key()] {
			continue
		}
		i, ok := index[line.Entity]
		if !ok {
			i = len(edits)
			index[line.Entity] = i
			edit := store.Edit{
				Kind: line.Kind, Entity: line.Entity, Division: s.Division,
				Fields: map[string]store.Value{}, Seen: map[string][]store.ChangeID{},
			}
			if line.New {
				edit.Fields["parent"] = store.Text(s.Content.Household.String())
			}
			edits = append(edits, edit)
		}
		edits[i].Fields[line.Field] = store.Text(line.Visit)
		edits[i].Seen[line.Field] = s.Content.Seen[line.Entity.String()][line.Field]
	}
	household := map[string]store.Value{"last_visit": store.Text(s.EndedAt().Format(time.DateOnly))}
	if s.Content.Found != nil { // the registry learns who they are with the first visit that is accepted
		for field, text := range s.Content.Found.Fields() {
			if i, ok := index[s.Content.Household]; text != "" && out.Page.Household.Text("last_visit") == "" && (!ok || edits[i].Fields[field].Text() == "") {
				household[field] = store.Text(text)
			}
		}
	}
	edits = append(edits, store.Edit{Kind: store.Household, Entity: s.Content.Household, Division: s.Division, Fields: household})
	_, err := rv.Replica.Write(ctx, rv.Person, edits...)
	if err != nil {
		return fmt.Errorf("accept visit %s: %w", s.ID, err)
	}
	return nil
}

// Key names a line in the set of fields to keep.
func (l Line) Key() string { return l.Entity.String() + "/" + l.Field }

// A Fault is one reason why a visit is returned: a question, if it is about one,
// and what is wrong in words for the worker.
type Fault struct {
	Path string `cbor:"1,keyasint,omitempty"`
	Text string `cbor:"2,keyasint"`
}

// ErrNoReason means a visit was to be returned without saying why.
var ErrNoReason error = noReason{}

type noReason struct{}

func (noReason) Error() string {
	return "a visit is returned only with a reason that the worker can act on"
}
func (noReason) Code() string { return "review.no_reason" }

// Return sends a visit back with reasons that travel to the tablet, and opens its
// task again until due.
func (rv *Reviewer) Return(ctx context.Context, out *Review, due time.Time, faults ...Fault) error {
	if err := LifeCycle.May(out.State, Returned, rv.Role); err != nil {
		return err
	}
	var texts []string
	for _, f := range faults {
		if t := strings.TrimSpace(f.Text); t != "" {
			texts = append(texts, t)
		}
	}
	if len(texts) == 0 {
		return ErrNoReason
	}
	reason := strings.Join(texts, "；")
	edits := []store.Edit{rv.decision(out.Visit, Returned, reason, faults)}
	if out.Visit.Content.Task != uuid.Nil {
		t, err := tasks.Get(ctx, rv.Replica, out.Visit.Content.Task)
		if err != nil {
			return err
		}
		if t.State != tasks.Open {
			again, err := tasks.Reopen(t, rv.Role, due, reason)
			if err != nil {
				return err
			}
			edits = append(edits, again)
		}
	}
	if _, err := rv.Replica.Write(ctx, rv.Person, edits...); err != nil {
		return fmt.Errorf("return visit %s: %w", out.Visit.ID, err)
	}
	return nil
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

// A Dispute is a conflict of the registry explained: who says what, from which
// visit, when.
type Dispute struct {
	store.Conflict
	Household uuid.UUID
	Whose     string
	Says      []Said
}

// Said is one side of a dispute.
type Said struct {
	Value  string
	Author uuid.UUID
	At     time.Time
	Visit  uuid.UUID // whose acceptance set it; uuid.Nil if none of it
}

// Disputes explains every open conflict of a division.
func (rv *Reviewer) Disputes(ctx context.Context, division string) ([]Dispute, error) {
	conflicts, err := rv.Replica.Conflicts(ctx, division)
	if err != nil {
		return nil, err
	}
	var out []Dispute
	for _, c := range conflicts {
		d := Dispute{Conflict: c, Household: c.Entity}
		e, err := rv.Replica.Entity(ctx, c.Entity)
		if err != nil {
			return nil, err
		}
		d.Whose = e.Text("name")
		if c.Kind == store.Member {
			d.Household, _ = uuid.Parse(e.Text("parent"))
		}
		for _, h := range c.Heads {
			said := Said{Value: h.Value.Show(), Author: h.Author, At: h.Clock.Time()}
			if said.Visit, err = rv.cause(ctx, d.Household, h); err != nil {
				return nil, err
			}
			d.Says = append(d.Says, said)
		}
		out = append(out, d)
	}
	return out, nil
}

// cause finds the visit whose acceptance wrote a value: the review written just
// before it by the same node.
func (rv *Reviewer) cause(ctx context.Context, household uuid.UUID, h store.Head) (uuid.UUID, error) {
	visits, err := rv.Replica.Entities(ctx, store.Query{Kind: store.Visit, Parent: household.String()})
	if err != nil {
		return uuid.Nil, err
	}
	best, bestSeq := uuid.Nil, uint64(0)
	for _, v := range visits {
		reviews, err := rv.Replica.Entities(ctx, store.Query{Kind: store.Review, Parent: v.ID.String()})
		if err != nil {
			return uuid.Nil, err
		}
		for _, e := range reviews {
			history, err := rv.Replica.History(ctx, e.ID)
			if err != nil {
				return uuid.Nil, err
			}
			for _, c := range history {
				if c.Node == h.Node && c.Seq < h.Seq && c.Seq > bestSeq && e.Text("decision") == Accepted {
					best, bestSeq = v.ID, c.Seq
				}
			}
		}
	}
	return best, nil
}

// Settle decides a dispute: the value supersedes every side.
func (rv *Reviewer) Settle(ctx context.Context, d Dispute, value store.Value) error {
	return rv.Replica.Settle(ctx, rv.Person, d.Entity, d.Field, value)
}
