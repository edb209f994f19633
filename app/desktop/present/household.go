package present

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/export"
	"ironfeet/forms"
	"ironfeet/store"
)

// A Household as its page shows it. Numbers are masked until they are asked for.
type Household struct {
	ID                     uuid.UUID
	Name, Address, Phone   string
	Village, Aid, LastSeen string
	Facts                  []Fact
	Members                []Person
	History                []Past
	Task                   tasks.Task // zero: nobody asked
	Asked                  bool
	Draft                  uuid.UUID
	Conflicts              int
}

// A Fact is what the registry says, and since when.
type Fact struct{ Label, Value, Since string }

// A Pair is a label and a value.
type Pair struct{ Label, Value string }

// A Person of a household.
type Person struct {
	Name, Relation, Sex, Number, Health string
	Age                                 int
	HasAge, Counted                     bool
}

// A Past visit.
type Past struct {
	ID            uuid.UUID
	Day, Outcome  string
	State, Reason string
}

// Household reads a household's page.
func (s *Session) Household(ctx context.Context, id uuid.UUID, unmasked bool) (*Household, error) {
	r := s.Office.Replica
	p, err := registry.Open(ctx, r, id)
	if err != nil {
		return nil, err
	}
	e := p.Household
	labels := s.labels(ctx)
	mask := func(f func(string) string, text string) string {
		if unmasked {
			return text
		}
		return f(text)
	}
	h := &Household{
		ID: id, Name: e.Text("name"), Address: e.Text("address"), Phone: mask(export.MaskPhone, e.Text("phone")), Village: e.Text("village"),
		Aid: labels.value("aid", e.Text("aid")), LastSeen: e.Text("last_visit"), Conflicts: len(e.Conflicts),
	}
	for _, field := range []string{"aid_since", "cause", "area", "house_structure", "house_safety", "water", "money_range", "veh_car_has"} {
		if v := e.Text(field); v != "" {
			fact := Fact{Label: labels.label(field), Value: labels.value(field, v)}
			if heads, err := r.Heads(ctx, id, field); err == nil && len(heads) > 0 {
				fact.Since = heads[0].Clock.Time().Format(time.DateOnly)
			}
			h.Facts = append(h.Facts, fact)
		}
	}
	for _, m := range p.Members {
		person := Person{
			Name: m.Text("name"), Relation: labels.value("rel", m.Text("rel")), Sex: labels.value("sex", m.Text("sex")),
			Number: mask(export.MaskID, m.Text("id_no")), Health: labels.value("health", m.Text("health")), Counted: m.Text("counted") != "no",
		}
		if born, err := time.Parse(time.DateOnly, m.Text("birth")); err == nil {
			person.Age, person.HasAge = Age(born, s.Office.World.Now()), true
		}
		h.Conflicts += len(m.Conflicts)
		h.Members = append(h.Members, person)
	}
	for _, v := range p.Visits {
		signed, err := visit.FromEntity(v)
		if err != nil {
			return nil, err
		}
		state, decided, err := review.StateOf(ctx, r, v.ID)
		if err != nil {
			return nil, err
		}
		past := Past{ID: v.ID, Day: signed.EndedAt().Format(time.DateOnly), Outcome: labels.value("outcome", signed.Content.Outcome), State: state}
		if decided != nil {
			past.Reason = decided.Text("reason")
		}
		h.History = append(h.History, past)
	}
	if h.Task, h.Asked, err = s.OpenTask(ctx, id); err != nil {
		return nil, err
	}
	drafts, err := r.Drafts(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range drafts {
		if d.Household == id && d.Author == s.Person {
			h.Draft = d.ID
		}
	}
	return h, nil
}

// labels are the questions and choices of the published forms, by registry property
// or question, so that a code is never shown.
type labels struct{ nodes map[string]forms.Node }

func (s *Session) labels(ctx context.Context) labels {
	l := labels{map[string]forms.Node{}}
	list, err := s.Office.Replica.Entities(ctx, store.Query{Kind: store.Form})
	if err != nil {
		return l
	}
	for _, e := range list {
		f, err := s.Shelf.Form(ctx, s.Office.Replica, e.Text("form_id"), "")
		if err != nil {
			continue
		}
		entry := f.New(forms.Options{Now: s.Office.World.Now, Known: &forms.Known{Members: []map[string]string{{"id": "x", "name": "x"}}}})
		entry.SetLanguage(s.Say.Language())
		saved := f.Saved()
		for _, n := range entry.Nodes() {
			name := cmp.Or(saved[n.Name], n.Name)
			if old, ok := l.nodes[name]; !ok || len(n.Choices) > len(old.Choices) {
				l.nodes[name] = n
			}
		}
	}
	return l
}

func (l labels) label(name string) string {
	if n, ok := l.nodes[name]; ok && n.Label != "" {
		return n.Label
	}
	return name
}

// value is a code's words; several codes are joined.
func (l labels) value(name, value string) string { return Words(l.nodes[name], value) }

// Words says an answer as a person reads it: choices by their labels.
func Words(n forms.Node, value string) string {
	if len(n.Choices) == 0 {
		return value
	}
	parts := []string{value}
	if n.Type == "select_multiple" {
		parts = strings.Fields(value)
	}
	for i, p := range parts {
		for _, c := range n.Choices {
			if c.Name == p {
				parts[i] = c.Label
			}
		}
	}
	return strings.Join(parts, "、")
}
