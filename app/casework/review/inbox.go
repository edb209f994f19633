// Package review is the township's reading of signed visits: what waits, what a
// visit would change in the registry, and the decision, which is a person's
// (民发〔2021〕57号 Art. 16–19; design.md §3 "proposal").
package review

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/lifecycle"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// States of a visit after it was signed. The visit itself never changes: its
// state follows from the reviews of it.
const (
	Signed   = "signed"
	Accepted = "accepted"
	Returned = "returned"
)

// LifeCycle is the life of a signed visit:
//
//	signed -> accepted (township, county)
//	signed -> returned (township, county)
//	returned -> accepted (township, county)
//
// A returned visit stays; the correction is a new visit. What was accepted is
// corrected by a later visit too, never taken back.
var LifeCycle = lifecycle.Table{Name: "visit", Moves: []lifecycle.Move{
	{From: Signed, To: Accepted, By: []trust.Role{trust.Township, trust.County}},
	{From: Signed, To: Returned, By: []trust.Role{trust.Township, trust.County}},
	{From: Returned, To: Accepted, By: []trust.Role{trust.Township, trust.County}},
}}

// StateOf returns a visit's state and the newest review, nil if there is none.
// Where two townships decided differently, acceptance stands, since its values
// are in the registry; the other review stays on the record.
func StateOf(ctx context.Context, r *store.Replica, visitID uuid.UUID) (string, *store.Entity, error) {
	reviews, err := r.Entities(ctx, store.Query{Kind: store.Review, Parent: visitID.String()})
	if err != nil {
		return "", nil, fmt.Errorf("read the reviews of visit %s: %w", visitID, err)
	}
	if len(reviews) == 0 {
		return Signed, nil, nil
	}
	slices.SortFunc(reviews, func(a, b *store.Entity) int {
		return cmp.Or(cmp.Compare(b.Text("decision"), a.Text("decision")), cmp.Compare(b.Updated, a.Updated))
	})
	last := reviews[0]
	for _, e := range reviews {
		if e.Text("decision") == Accepted {
			last = e
		}
	}
	return last.Text("decision"), last, nil
}

// A Waiting is one line of the inbox.
type Waiting struct {
	Visit, Household uuid.UUID
	Division, Name   string // of the household
	Outcome          string
	Ended            time.Time
	Due              string // of the task, "" if nobody asked
	Reason           string // why the visit was asked for
	Others           int    // other signed visits to the same household that are undecided
	Conflicts        int    // open conflicts of the household and its members
	Photos, Missing  int    // photos named, and not here yet
}

// Inbox lists the signed visits of a division that nobody has decided, by due
// date, then those with conflicts, then age.
func Inbox(ctx context.Context, r *store.Replica, division string) ([]Waiting, error) {
	all, err := r.Entities(ctx, store.Query{Kind: store.Visit, Division: division})
	if err != nil {
		return nil, fmt.Errorf("read the visits of %s: %w", division, err)
	}
	conflicts, err := r.Conflicts(ctx, division)
	if err != nil {
		return nil, err
	}
	missing, err := r.MissingBlobs(ctx)
	if err != nil {
		return nil, err
	}
	absent := map[store.Digest]bool{}
	for _, b := range missing {
		absent[b.Digest] = true
	}
	torn := map[uuid.UUID]int{}
	for _, c := range conflicts {
		household := c.Entity
		if c.Kind == store.Member {
			if e, err := r.Entity(ctx, c.Entity); err == nil {
				household, _ = uuid.Parse(e.Text("parent"))
			}
		}
		torn[household]++
	}
	undecided := map[uuid.UUID]int{}
	var list []Waiting
	for _, e := range all {
		state, _, err := StateOf(ctx, r, e.ID)
		if err != nil {
			return nil, err
		}
		if state != Signed {
			continue
		}
		s, err := visit.FromEntity(e)
		if err != nil {
			return nil, err
		}
		w := Waiting{
			Visit: e.ID, Household: s.Content.Household, Division: e.Division, Outcome: s.Content.Outcome,
			Ended: s.EndedAt(), Conflicts: torn[s.Content.Household],
		}
		if h, err := r.Entity(ctx, w.Household); err == nil {
			w.Name = h.Text("name")
		} else if s.Content.Found != nil {
			w.Name = s.Content.Found.Name
		}
		if s.Content.Task != uuid.Nil {
			if t, err := tasks.Get(ctx, r, s.Content.Task); err == nil {
				w.Due, w.Reason = t.Due, t.Reason
			}
		}
		for _, b := range s.Content.Blobs() {
			w.Photos++
			if absent[b.Digest] {
				w.Missing++
			}
		}
		undecided[w.Household]++
		list = append(list, w)
	}
	for i := range list {
		list[i].Others = undecided[list[i].Household] - 1
	}
	slices.SortStableFunc(list, func(a, b Waiting) int {
		return cmp.Or(
			cmp.Compare(dueOrLast(a.Due), dueOrLast(b.Due)),
			cmp.Compare(b.Conflicts+b.Others, a.Conflicts+a.Others),
			a.Ended.Compare(b.Ended), cmp.Compare(a.Visit.String(), b.Visit.String()))
	})
	return list, nil
}

func dueOrLast(due string) string {
	if due == "" {
		return "9999-12-31"
	}
	return due
}
