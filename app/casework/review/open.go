package review

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/cards"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
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
	Label    string // the question
	Before   string // what the investigators had before their eyes
	Registry string // what stands there now
	Visit    string // what this visit says
	Shown    string // Visit as its choice's label
	Standing Standing
	New      bool // the member is not in the registry yet

	replaces []store.ChangeID // what accepting it supersedes
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
	Roll    func(context.Context) (*trust.Roll, error) // to verify attestations; nil: they are not shown

	Language string // of questions and choices, "zh"; empty: the form's own
}

// A Review is one visit laid beside the registry.
type Review struct {
	Visit    *visit.Signed
	Form     *forms.Form
	Entry    *forms.Entry // the visit's answers, to read
	Page     *registry.Page
	Lines    []Line
	State    string
	Decision *store.Entity   // the review that counts, nil while nobody decided
	Others   []uuid.UUID     // other undecided visits to this household
	Earlier  []uuid.UUID     // its decided visits, the newest first
	Kin      bool            // kin of staff: two reviewers
	First    uuid.UUID       // who has accepted a seconded one
	Problems []forms.Problem // what the form itself finds wrong or missing now
	Warnings []forms.Node    // the form's own warnings: relevant notes with the appearance "warning"
	Lost     []string        // answers that the form no longer has a question for
	Attested []Attested
}

// Attested is one investigator's signature over the visit, verified here and now.
type Attested struct {
	Person uuid.UUID
	Name   string
	Role   trust.Role
	At     time.Time
	Err    error // nil: it holds
}

// appearanceWarning marks, in a form's appearance column, a note that the reviewer
// must see when it is relevant.
const appearanceWarning = "warning"

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
	household, err := registry.Standing(ctx, rv.Replica, s.Content.Household)
	if err != nil {
		return nil, err
	}
	page, err := registry.Open(ctx, rv.Replica, household)
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
	out.Entry.SetLanguage(rv.Language)
	answers := map[string]string{}
	for _, a := range s.Record.Answers {
		answers[a.Path] = a.Value
	}
	out.Lost = out.Entry.Restore(answers)
	out.Problems = slices.DeleteFunc(out.Entry.Problems(), func(p forms.Problem) bool { // nobody could answer, and why is said
		return slices.ContainsFunc(s.Content.Excused, func(x visit.Excuse) bool { return x.Path == p.Path })
	})
	for _, n := range out.Entry.Nodes() {
		if n.Type == "note" && n.Relevant && strings.Contains(n.Appearance, appearanceWarning) {
			out.Warnings = append(out.Warnings, n)
		}
	}
	if out.State, out.Decision, err = StateOf(ctx, rv.Replica, visitID); err != nil {
		return nil, err
	}
	if out.State == Seconded {
		if out.First, err = rv.author(ctx, out.Decision.ID); err != nil {
			return nil, err
		}
	}
	out.Kin = s.Answer(cards.QuestionKin) == "yes" || page.Household.Text("kin_staff") == "yes"
	if err := rv.verify(ctx, out); err != nil {
		return nil, err
	}
	if out.Lines, err = rv.lines(ctx, out); err != nil {
		return nil, err
	}
	for _, e := range page.Visits {
		if e.ID == visitID {
			continue
		}
		state, _, err := StateOf(ctx, rv.Replica, e.ID)
		if err != nil {
			return nil, err
		}
		if state == Accepted || state == Returned {
			out.Earlier = append(out.Earlier, e.ID)
		} else {
			out.Others = append(out.Others, e.ID)
		}
	}
	return out, nil
}

// author is who took a decision: whoever signed the change that stands.
func (rv *Reviewer) author(ctx context.Context, review uuid.UUID) (uuid.UUID, error) {
	heads, err := rv.Replica.Heads(ctx, review, "decision")
	if err != nil || len(heads) == 0 {
		return uuid.Nil, err
	}
	return heads[0].Author, nil
}

// verify checks every attestation against who is enrolled. Without a roll nothing
// can be said, and nothing is.
func (rv *Reviewer) verify(ctx context.Context, out *Review) error {
	if rv.Roll == nil {
		return nil
	}
	roll, err := rv.Roll(ctx)
	if err != nil {
		return err
	}
	for _, raw := range out.Visit.Attestations {
		a, certificate, err := roll.VerifyAttestation(raw)
		if err == nil && (a.Visit != out.Visit.ID || a.Digest != out.Visit.Digest) {
			err = &trust.RefusedError{Rule: trust.BadAttestation, Person: a.Person}
		}
		out.Attested = append(out.Attested, Attested{a.Person, certificate.Name, certificate.Role, a.At, err})
	}
	return nil
}

// Verified says whether at least two different investigators' signatures hold.
func (r *Review) Verified() bool {
	var people []uuid.UUID
	for _, a := range r.Attested {
		if a.Err == nil && !slices.Contains(people, a.Person) {
			people = append(people, a.Person)
		}
	}
	return len(people) >= trust.Investigators
}

// Diverged are the lines that somebody else changed meanwhile.
func (r *Review) Diverged() (lines []Line) {
	for _, l := range r.Lines {
		if l.Standing == Diverged {
			lines = append(lines, l)
		}
	}
	return lines
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
		line := Line{Kind: store.Household, Entity: out.Page.Household.ID, Field: p.Property, Visit: p.Value, Shown: p.Value}
		if p.List == "member" {
			line.Kind = store.Member
			line.Whose = names[p.EntityPath]
			if line.Entity, line.New = memberID(out.Visit, p); line.Entity == uuid.Nil {
				continue
			}
			standing, err := registry.Standing(ctx, rv.Replica, line.Entity)
			if err != nil {
				return nil, err
			}
			line.Entity = standing
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
		if line.Before, err = rv.before(ctx, out.Visit.Content.Seen, line.Entity, p.Property, heads); err != nil {
			return nil, err
		}
		line.Standing = Changed
		line.replaces = slices.Clone(out.Visit.Content.Seen[line.Entity.String()][p.Property])
		// A value that was set anew and is the one they saw, after a decision was
		// undone for example, stands in nobody's way.
		diverged := false
		for _, h := range heads {
			switch {
			case slices.Contains(line.replaces, h.ChangeID):
			case h.Value.Text() == line.Before:
				line.replaces = append(line.replaces, h.ChangeID)
			default:
				diverged = true
			}
		}
		if len(heads) > 0 {
			line.Registry = heads[0].Value.Text()
			switch {
			case len(heads) == 1 && line.Registry == p.Value:
				line.Standing = Same
			case diverged:
				line.Standing = Diverged
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
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

// Key names a line in the set of fields to keep.
func (l Line) Key() string { return l.Entity.String() + "/" + l.Field }
