// Package review is the township's reading of signed visits: what waits, what a
// visit would change in the registry, and the decision, which is a person's
// (民发〔2021〕57号 Art. 16–19; design.md §3 "proposal").
//
// A decision is a change of kind review, signed like every other, with author,
// time and reason. The visit itself is never touched.
package review

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"

	"ironfeet/app/casework/lifecycle"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// States of a visit after it was signed. The visit itself never changes: its
// state follows from the reviews of it.
const (
	Signed    = "signed"
	Seconded  = "seconded"  // kin of staff: one reviewer has accepted, another must
	Accepted  = "accepted"  // 已采纳
	Returned  = "returned"  // 退回: a correction is asked for
	Again     = "again"     // a second visit by others is asked for, to lay beside this one
	Escalated = "escalated" // the county decides
)

// Withdrawn is the state of a review that was undone before it was sent. It counts
// as if it had not been, and stays on the record.
const Withdrawn = "withdrawn"

// LifeCycle is the life of a signed visit:
//
//	signed -> seconded (township, county)
//	signed -> accepted (township, county)
//	signed -> returned (township, county)
//	signed -> again (township, county)
//	signed -> escalated (township)
//	seconded -> accepted (township, county)
//	seconded -> returned (township, county)
//	seconded -> escalated (township)
//	again -> seconded (township, county)
//	again -> accepted (township, county)
//	again -> returned (township, county)
//	again -> escalated (township)
//	escalated -> seconded (county)
//	escalated -> accepted (county)
//	escalated -> returned (county)
//	escalated -> again (county)
//	returned -> accepted (township, county)
//
// A returned visit stays; the correction is a new visit. What was accepted is
// corrected by a later visit too; it is taken back only until it is sent.
var LifeCycle = lifecycle.Table{Name: "visit", Moves: []lifecycle.Move{
	{From: Signed, To: Seconded, By: both},
	{From: Signed, To: Accepted, By: both},
	{From: Signed, To: Returned, By: both},
	{From: Signed, To: Again, By: both},
	{From: Signed, To: Escalated, By: township},
	{From: Seconded, To: Accepted, By: both},
	{From: Seconded, To: Returned, By: both},
	{From: Seconded, To: Escalated, By: township},
	{From: Again, To: Seconded, By: both},
	{From: Again, To: Accepted, By: both},
	{From: Again, To: Returned, By: both},
	{From: Again, To: Escalated, By: township},
	{From: Escalated, To: Seconded, By: county},
	{From: Escalated, To: Accepted, By: county},
	{From: Escalated, To: Returned, By: county},
	{From: Escalated, To: Again, By: county},
	{From: Returned, To: Accepted, By: both},
}}

var (
	both     = []trust.Role{trust.Township, trust.County}
	township = []trust.Role{trust.Township}
	county   = []trust.Role{trust.County}
)

// A decision is one review that counts, as its plain row tells.
type decision struct {
	state string
	by    uuid.UUID // the review
	when  store.Clock
}

// stands says which of two decisions about one visit counts. Where two offices
// decided differently, acceptance stands, since its values are in the registry;
// otherwise the later word. The other review stays on the record.
func stands(a, b decision) decision {
	if a.state == "" || b.state == Accepted && a.state != Accepted {
		return b
	}
	if a.state == Accepted && b.state != Accepted {
		return a
	}
	if cmp.Or(cmp.Compare(a.when, b.when), cmp.Compare(a.by.String(), b.by.String())) < 0 {
		return b
	}
	return a
}

// decisions are the states of all visits of a division that somebody decided.
func decisions(ctx context.Context, r *store.Replica, q store.Query) (map[uuid.UUID]decision, error) {
	q.Kind = store.Review
	rows, err := r.Rows(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read the reviews: %w", err)
	}
	all := make(map[uuid.UUID]decision, len(rows))
	for _, row := range rows {
		visit, err := uuid.Parse(row.Parent)
		if err != nil || row.State == "" || row.State == Withdrawn {
			continue
		}
		all[visit] = stands(all[visit], decision{row.State, row.ID, row.Updated})
	}
	return all, nil
}

// StateOf returns a visit's state and the review that counts, nil if there is
// none.
func StateOf(ctx context.Context, r *store.Replica, visitID uuid.UUID) (string, *store.Entity, error) {
	all, err := decisions(ctx, r, store.Query{Parent: visitID.String()})
	if err != nil {
		return "", nil, err
	}
	d, decided := all[visitID]
	if !decided {
		return Signed, nil, nil
	}
	e, err := r.Entity(ctx, d.by)
	return d.state, e, err
}

// Newest is the state of a visit by all the reviews of it, and the one that counts:
// StateOf for whoever has read them already.
func Newest(reviews []*store.Entity) (string, *store.Entity) {
	var at decision
	byID := make(map[uuid.UUID]*store.Entity, len(reviews))
	for _, e := range reviews {
		if state := e.Text("state"); state != "" && state != Withdrawn {
			at = stands(at, decision{state, e.ID, e.Updated})
			byID[e.ID] = e
		}
	}
	if at.state == "" {
		return Signed, nil
	}
	return at.state, byID[at.by]
}

// States are the states of all visits of a division that somebody has decided;
// a visit that is not among them is Signed.
func States(ctx context.Context, r *store.Replica, division string) (map[uuid.UUID]string, error) {
	all, err := decisions(ctx, r, store.Query{Division: division})
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]string, len(all))
	for id, d := range all {
		out[id] = d.state
	}
	return out, nil
}
