// Package duplicates finds persons and households that stand in the registry
// twice, and lets a person say what they are: one, or two. Nothing is merged by
// itself.
//
//	Find    proposes pairs, each with why and its numbers
//	Apart   two are two, whatever they look like: the pair is not proposed again
//	Merge   two are one: the one that goes keeps its entity and everything that was
//	        signed about it, and points to the one that stays
//	Unmerge takes a merge back, however long ago, with nothing lost
//
// A decision is a review of the entity that stays, with author, time and reason.
package duplicates

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/registry"
	"ironfeet/store"
)

// Why two look like one.
const (
	SameNumber = "duplicate.same_number" // two persons with one identity number
	SameBirth  = "duplicate.same_birth"  // same name, birth and village
	SameHome   = "duplicate.same_home"   // two households of one head's name at one address
	Shared     = "duplicate.shared"      // two households that count the same persons: split, or merged
)

// A Pair may be one and the same.
type Pair struct {
	Kind       store.Kind // household or member
	A, B       uuid.UUID  // A entered the registry first
	HomeA      uuid.UUID  // their households; of households themselves A and B
	HomeB      uuid.UUID
	Why        string
	Count, Of  int // members in common, of the smaller household
	Name       string
	Divisions  [2]string
	SameNumber bool // a number says so: the strongest reason
}

// Find proposes what looks like one, the strongest reasons first. What was decided
// is not proposed again.
func Find(ctx context.Context, r *store.Replica, division string) ([]Pair, error) {
	households, err := living(ctx, r, store.Household, division)
	if err != nil {
		return nil, err
	}
	members, err := living(ctx, r, store.Member, division)
	if err != nil {
		return nil, err
	}
	apart, err := decidedApart(ctx, r)
	if err != nil {
		return nil, err
	}
	f := &finding{apart: apart, homes: map[uuid.UUID]*store.Entity{}, size: map[uuid.UUID]int{}, seen: map[[2]uuid.UUID]bool{}}
	for _, h := range households {
		f.homes[h.ID] = h
	}
	f.persons(members)
	f.households(households, members)
	slices.SortStableFunc(f.pairs, func(a, b Pair) int {
		return cmp.Or(btoi(b.SameNumber)-btoi(a.SameNumber), strings.Compare(string(a.Kind), string(b.Kind)),
			strings.Compare(a.Divisions[0], b.Divisions[0]), strings.Compare(a.Name, b.Name), slices.Compare(a.A[:], b.A[:]), slices.Compare(a.B[:], b.B[:]))
	})
	return f.pairs, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func living(ctx context.Context, r *store.Replica, kind store.Kind, division string) ([]*store.Entity, error) {
	list, err := r.Entities(ctx, store.Query{Kind: kind, Division: division})
	if err != nil {
		return nil, fmt.Errorf("look for duplicates: %w", err)
	}
	return slices.DeleteFunc(list, func(e *store.Entity) bool { return e.Fields["deleted"].Bool() || e.Text("state") == registry.Merged }), nil
}

type finding struct {
	apart map[[2]uuid.UUID]bool
	homes map[uuid.UUID]*store.Entity
	size  map[uuid.UUID]int
	seen  map[[2]uuid.UUID]bool
	pairs []Pair
}

// pairOf orders a pair: ids are UUIDv7, so the lesser is the older.
func pairOf(a, b uuid.UUID) [2]uuid.UUID {
	if slices.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return [2]uuid.UUID{a, b}
}

func (f *finding) add(p Pair) {
	key := pairOf(p.A, p.B)
	if f.seen[key] || f.apart[key] {
		return
	}
	f.seen[key] = true
	if key[0] != p.A {
		p.A, p.B, p.HomeA, p.HomeB, p.Divisions = p.B, p.A, p.HomeB, p.HomeA, [2]string{p.Divisions[1], p.Divisions[0]}
	}
	f.pairs = append(f.pairs, p)
}

func home(m *store.Entity) uuid.UUID {
	id, err := uuid.Parse(m.Text("parent"))
	if err != nil {
		return uuid.Nil
	}
	return id
}

// maxGroup bounds how many alike are compared pairwise: a hundred persons with one
// number are a wrong import, and the first pairs show it.
const maxGroup = 20

func (f *finding) persons(members []*store.Entity) {
	for _, by := range []struct {
		why string
		key func(*store.Entity) string
	}{
		{SameNumber, func(m *store.Entity) string { return strings.ToUpper(strings.TrimSpace(m.Text("id_no"))) }},
		{SameBirth, func(m *store.Entity) string {
			if m.Text("birth") == "" || m.Text("name") == "" {
				return ""
			}
			return m.Division + "\x00" + m.Text("name") + "\x00" + m.Text("birth")
		}},
	} {
		for _, group := range grouped(members, by.key) {
			for i, a := range group {
				for _, b := range group[i+1:] {
					if by.why == SameBirth && a.Text("id_no") != "" && b.Text("id_no") != "" && a.Text("id_type") == b.Text("id_type") {
						continue // two numbers of one kind: two persons
					}
					f.add(Pair{Kind: store.Member, A: a.ID, B: b.ID, HomeA: home(a), HomeB: home(b), Why: by.why, Name: a.Text("name"),
						Divisions: [2]string{a.Division, b.Division}, SameNumber: by.why == SameNumber})
				}
			}
		}
	}
}

// grouped are the groups of two and more that have a key in common, by their first
// member.
func grouped(list []*store.Entity, key func(*store.Entity) string) (groups [][]*store.Entity) {
	at := map[string]int{}
	for _, e := range list {
		k := key(e)
		if k == "" {
			continue
		}
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k] = i
			groups = append(groups, nil)
		}
		if len(groups[i]) < maxGroup {
			groups[i] = append(groups[i], e)
		}
	}
	return slices.DeleteFunc(groups, func(g []*store.Entity) bool { return len(g) < 2 })
}

func (f *finding) households(households, members []*store.Entity) {
	common := map[[2]uuid.UUID]int{}
	for _, m := range members {
		f.size[home(m)]++
	}
	for _, group := range grouped(members, func(m *store.Entity) string { return strings.ToUpper(strings.TrimSpace(m.Text("id_no"))) }) {
		for i, a := range group {
			for _, b := range group[i+1:] {
				if x, y := home(a), home(b); x != y && f.homes[x] != nil && f.homes[y] != nil {
					common[pairOf(x, y)]++
				}
			}
		}
	}
	for key, n := range common {
		a, b := f.homes[key[0]], f.homes[key[1]]
		f.add(Pair{Kind: store.Household, A: a.ID, B: b.ID, HomeA: a.ID, HomeB: b.ID, Why: Shared, Count: n, Of: min(f.size[a.ID], f.size[b.ID]), Name: a.Text("name"),
			Divisions: [2]string{a.Division, b.Division}, SameNumber: true})
	}
	for _, group := range grouped(households, func(h *store.Entity) string {
		if h.Text("name") == "" || h.Text("address") == "" {
			return ""
		}
		return h.Division + "\x00" + h.Text("name") + "\x00" + strings.Join(strings.Fields(h.Text("address")), "")
	}) {
		for i, a := range group {
			for _, b := range group[i+1:] {
				f.add(Pair{Kind: store.Household, A: a.ID, B: b.ID, HomeA: a.ID, HomeB: b.ID, Why: SameHome, Of: min(f.size[a.ID], f.size[b.ID]), Name: a.Text("name"),
					Divisions: [2]string{a.Division, b.Division}})
			}
		}
	}
}

// decidedApart are the pairs of which somebody said that they are two.
func decidedApart(ctx context.Context, r *store.Replica) (map[[2]uuid.UUID]bool, error) {
	list, err := r.Entities(ctx, store.Query{Kind: store.Review, State: ApartDecision})
	if err != nil {
		return nil, err
	}
	apart := map[[2]uuid.UUID]bool{}
	for _, e := range list {
		a, err1 := uuid.Parse(e.Text("parent"))
		b, err2 := uuid.Parse(e.Text("other"))
		if err1 == nil && err2 == nil {
			apart[pairOf(a, b)] = true
		}
	}
	return apart, nil
}
