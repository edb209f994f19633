package visit

import (
	"context"

	"github.com/google/uuid"

	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/tasks"
	"ironfeet/store"
)

// A Fault is one reason why a visit is returned: the question, if it is about one,
// what is wrong in words for the worker, and the reason's place in the list it was
// chosen from.
type Fault struct {
	Path string `cbor:"1,keyasint,omitempty"` // of the question, as the entry has it: /housing/photo_room
	Text string `cbor:"2,keyasint"`
	Code string `cbor:"3,keyasint,omitempty"` // return.photo_unclear, …; "" for words of the reviewer's own
}

// returned are the faults of the newest return of this task's visits.
func (v *Visit) returned(ctx context.Context) ([]Fault, error) {
	if v.Task.Returned == "" {
		return nil, nil
	}
	for _, e := range v.Page.Visits { // newest first
		old, err := FromEntity(e)
		if err != nil || !v.corrects(old) {
			continue
		}
		reviews, err := v.desk.Replica.Entities(ctx, store.Query{Kind: store.Review, Parent: e.ID.String(), State: "returned"})
		if err != nil {
			return nil, err
		}
		var newest *store.Entity
		for _, r := range reviews {
			if newest == nil || r.Updated > newest.Updated {
				newest = r
			}
		}
		if newest == nil {
			continue
		}
		var faults []Fault
		if raw, ok := newest.Fields["faults"]; ok {
			if err := raw.Into(&faults); err != nil {
				return nil, nil // of a newer version: the task says the reason in words
			}
		}
		return faults, nil
	}
	return nil, nil
}

// corrects says whether this visit corrects an old one: one of the same task, or one
// that nobody had asked for, whose return made the task.
func (v *Visit) corrects(old *Signed) bool {
	return old.Content.Task == v.Task.ID || old.Content.Task == uuid.Nil
}

// foundAgain is the page of a household that investigators came upon and whose
// visit was returned: the registry does not know it yet.
func (d *Desk) foundAgain(ctx context.Context, task tasks.Task) (*registry.Page, *Found, bool) {
	visits, err := d.Replica.Entities(ctx, store.Query{Kind: store.Visit, Parent: task.Household.String()})
	if err != nil {
		return nil, nil, false
	}
	for i := len(visits) - 1; i >= 0; i-- {
		if s, err := FromEntity(visits[i]); err == nil && s.Content.Found != nil {
			page := s.Content.Found.page(task.Household)
			page.Visits = visits
			return page, s.Content.Found, true
		}
	}
	return nil, nil, false
}

// FaultsAt are the faults that are about one question.
func (v *Visit) FaultsAt(path string) (list []Fault) {
	for _, f := range v.Faults {
		if n, ok := v.Entry.Node(f.Path); ok && f.Path != "" && n.Path == path {
			list = append(list, f)
		}
	}
	return list
}
