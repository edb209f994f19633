// Package registry is what the county knows of its households: the entities
// household and member, as a page to read and as the "last time" values a visit
// starts from.
//
// Nobody writes here from the field. Registry fields change when a township
// accepts a visit (package review), or when the county loads what it already
// knew before the first visit (Load).
package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"ironfeet/forms"
	"ironfeet/store"
)

// A Household is a household as it enters the registry: 共同生活家庭, 民发〔2021〕57号
// Art. 7. Fields and the members' fields are named as in domain.md §4.
type Household struct {
	ID       uuid.UUID // zero: a new one is given
	Division string    // 12-digit code of the village
	Fields   map[string]string
	Members  []Member
}

// A Member is one person of a household.
type Member struct {
	ID     uuid.UUID
	Fields map[string]string
}

// Load writes households and their members in one transaction.
func Load(ctx context.Context, r *store.Replica, newID func() uuid.UUID, author uuid.UUID, households []Household) error {
	var edits []store.Edit
	// By village: a bundle holds one village's changes, so neighbours in the
	// log travel together.
	sorted := slices.Clone(households)
	slices.SortStableFunc(sorted, func(a, b Household) int { return cmp.Compare(a.Division, b.Division) })
	for _, h := range sorted {
		if len(h.Division) != 12 {
			return fmt.Errorf("household %q: %q is not a village's 12-digit code", h.Fields["name"], h.Division)
		}
		id := h.ID
		if id == uuid.Nil {
			id = newID()
		}
		edits = append(edits, store.Edit{Kind: store.Household, Entity: id, Division: h.Division, Fields: texts(h.Fields)})
		for _, m := range h.Members {
			mid := m.ID
			if mid == uuid.Nil {
				mid = newID()
			}
			fields := texts(m.Fields)
			fields["parent"] = store.Text(id.String())
			edits = append(edits, store.Edit{Kind: store.Member, Entity: mid, Division: h.Division, Fields: fields})
		}
	}
	_, err := r.Write(ctx, author, edits...)
	return err
}

func texts(in map[string]string) map[string]store.Value {
	out := make(map[string]store.Value, len(in)+1)
	for k, v := range in {
		if v != "" { // a field nobody knows is absent, never empty (invariant 6)
			out[k] = store.Text(v)
		}
	}
	return out
}

// A Page is everything this node knows of one household.
type Page struct {
	Household      *store.Entity
	Members        []*store.Entity // the head first, then by birth
	Tasks          []*store.Entity
	Visits         []*store.Entity // newest first
	Determinations []*store.Entity // newest first
	Alerts         []*store.Entity
}

// Open reads a household's page. An unknown household is store.ErrNotFound.
func Open(ctx context.Context, r *store.Replica, household uuid.UUID) (*Page, error) {
	h, err := r.Entity(ctx, household)
	if err != nil {
		return nil, err
	}
	p := &Page{Household: h}
	// What was signed about a household that was merged into this one is read here.
	also, err := r.Rows(ctx, store.Query{Kind: store.Household, Parent: household.String(), State: Merged})
	if err != nil {
		return nil, fmt.Errorf("read what was merged into household %s: %w", household, err)
	}
	for _, part := range []struct {
		kind store.Kind
		into *[]*store.Entity
	}{
		{store.Member, &p.Members}, {store.Task, &p.Tasks}, {store.Visit, &p.Visits},
		{store.Determination, &p.Determinations}, {store.Alert, &p.Alerts},
	} {
		of := []uuid.UUID{household}
		for _, merged := range also {
			if part.kind != store.Member {
				of = append(of, merged.ID)
			}
		}
		for _, id := range of {
			list, err := r.Entities(ctx, store.Query{Kind: part.kind, Parent: id.String()})
			if err != nil {
				return nil, fmt.Errorf("read the %ss of household %s: %w", part.kind, id, err)
			}
			*part.into = append(*part.into, slices.DeleteFunc(list, func(e *store.Entity) bool { return e.Fields["deleted"].Bool() })...)
		}
	}
	slices.SortStableFunc(p.Members, func(a, b *store.Entity) int {
		return cmp.Or(cmp.Compare(headLast(a), headLast(b)), cmp.Compare(a.Text("birth"), b.Text("birth")), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	newest := func(a, b *store.Entity) int {
		return cmp.Or(cmp.Compare(b.Updated, a.Updated), cmp.Compare(a.ID.String(), b.ID.String()))
	}
	slices.SortStableFunc(p.Visits, newest)
	slices.SortStableFunc(p.Determinations, newest)
	return p, nil
}

// Newly is the page of a household that the registry does not know yet: somebody
// came upon it.
func Newly(id uuid.UUID, division string, fields map[string]string) *Page {
	return &Page{Household: &store.Entity{ID: id, Kind: store.Household, Division: division, Fields: texts(fields)}}
}

// headLast orders the head (02 户主, or 01 本人, GB/T 4761) before everyone else.
func headLast(m *store.Entity) int {
	if rel := m.Text("rel"); rel == "02" || rel == "01" {
		return 0
	}
	return 1
}

// Known is what a visit's form starts from: last values to confirm, never answers.
func (p *Page) Known() *forms.Known {
	k := &forms.Known{Values: map[string]string{}, Hidden: map[string]string{"hh_id": p.Household.ID.String()}}
	for name, v := range p.Household.Fields {
		k.Values[name] = v.Text()
	}
	for _, m := range p.Members {
		known := map[string]string{"id": m.ID.String()}
		for name, v := range m.Fields {
			if name != "parent" {
				known[name] = v.Text()
			}
		}
		k.Members = append(k.Members, known)
	}
	return k
}

// Seen is every head of every registry field shown to whoever works from this
// page, by entity. A visit carries it, so that accepting the visit supersedes
// what the investigators had before their eyes and nothing newer (invariant 4).
func (p *Page) Seen(ctx context.Context, r *store.Replica) (map[string]map[string][]store.ChangeID, error) {
	seen := map[string]map[string][]store.ChangeID{}
	if p.Household.Updated == 0 {
		return seen, nil // newly found: there is nothing to see
	}
	for _, e := range append([]*store.Entity{p.Household}, p.Members...) {
		fields := map[string][]store.ChangeID{}
		for name := range e.Fields {
			heads, err := r.Heads(ctx, e.ID, name)
			if err != nil {
				return nil, err
			}
			for _, h := range heads {
				fields[name] = append(fields[name], h.ChangeID)
			}
		}
		seen[e.ID.String()] = fields
	}
	return seen, nil
}
