// Package space keeps room on a tablet. What the county has confirmed and no task
// needs may leave:
//
//	original       with the county's word for its copy
//	photo          some weeks after its visit; the thumbnail stays
//	visit, task    some months after, with its bundle, if nothing of the household is open
//
// Registry, forms, standards and people stay: they are what the next visit needs.
// Townships and the county keep everything.
package space

import (
	"context"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/tasks"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// A Policy says how long things stay after the county has them.
type Policy struct {
	Photos time.Duration
	Visits time.Duration
}

// Default keeps photos for a month and visits for half a year.
var Default = Policy{Photos: 30 * 24 * time.Hour, Visits: 183 * 24 * time.Hour}

// A Plan is what could leave this machine.
type Plan struct {
	Space    store.Space
	Photos   []store.BlobRef // confirmed, and no task needs them
	Entities int             // old visits and what belongs to them
	Bytes    int64           // all of it, garbage included

	shedding store.Shedding
}

// Look works out what could leave. On a machine that is no tablet that is only what
// nothing names any more.
func (p Policy) Look(ctx context.Context, o *office.Office) (Plan, error) {
	r := o.Replica
	var plan Plan
	var err error
	if plan.Space, err = r.Space(ctx); err != nil {
		return plan, err
	}
	plan.Bytes = plan.Space.Garbage
	if r.Identity().Role != string(trust.Worker) {
		return plan, nil
	}
	needed, err := households(ctx, r)
	if err != nil {
		return plan, err
	}
	now := o.World.Now()
	visits, err := r.Rows(ctx, store.Query{Kind: store.Visit})
	if err != nil {
		return plan, err
	}
	home := map[string]string{} // visit -> household
	for _, v := range visits {
		home[v.ID.String()] = v.Parent
		if needed[v.Parent] || now.Sub(v.Updated.Time()) < p.Photos {
			continue
		}
		blobs, err := r.BlobsOf(ctx, v.ID)
		if err != nil {
			return plan, err
		}
		for _, b := range blobs {
			confirmed, err := r.Confirmed(ctx, b.Digest)
			if err != nil {
				return plan, err
			}
			if confirmed {
				plan.Photos = append(plan.Photos, b)
				plan.Bytes += b.Size
			}
		}
	}
	roll, err := o.Roll(ctx)
	if err != nil {
		return plan, err
	}
	county := map[uuid.UUID]bool{}
	for _, c := range roll.County() {
		county[c.Subject] = true
	}
	plan.shedding = store.Shedding{
		Old: func(row store.Row) bool {
			if now.Sub(row.Updated.Time()) < p.Visits || row.Conflicts {
				return false
			}
			switch row.Kind {
			case store.Visit:
				return !needed[row.Parent]
			case store.Task:
				return row.State != tasks.Open && !needed[row.Parent]
			case store.Review:
				household, known := home[row.Parent]
				return known && !needed[household]
			}
			return false
		},
		AtCounty: func(node uuid.UUID, last uint64) bool {
			if county[node] {
				return true
			}
			upTo, _, err := r.Receipt(ctx, node)
			return err == nil && upTo >= last
		},
	}
	var bytes int64
	plan.Entities, bytes, err = r.Shed(ctx, plan.shedding, true)
	plan.Bytes += bytes
	return plan, err
}

// Free lets go of what the plan names, and says what went: what has come to be
// needed meanwhile stays.
func (plan Plan) Free(ctx context.Context, o *office.Office) (freed int64, err error) {
	var digests []store.Digest
	for _, b := range plan.Photos {
		digests = append(digests, b.Digest)
	}
	gone, err := o.Replica.Depart(ctx, digests)
	for _, b := range gone {
		freed += b.Size
	}
	if err != nil {
		return freed, err
	}
	if plan.shedding.Old != nil {
		_, bytes, err := o.Replica.Shed(ctx, plan.shedding, false)
		freed += bytes
		if err != nil {
			return freed, err
		}
	}
	gone, err = o.Replica.CollectGarbage(ctx)
	for _, b := range gone {
		freed += b.Size
	}
	return freed, err
}

// households are those that an open task or a draft is about.
func households(ctx context.Context, r *store.Replica) (map[string]bool, error) {
	needed := map[string]bool{}
	open, err := r.Rows(ctx, store.Query{Kind: store.Task, State: tasks.Open})
	if err != nil {
		return nil, err
	}
	for _, t := range open {
		needed[t.Parent] = true
	}
	drafts, err := r.Drafts(ctx)
	for _, d := range drafts {
		needed[d.Household.String()] = true
	}
	return needed, err
}
