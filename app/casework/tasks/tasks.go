// Package tasks is what somebody is asked to do at a household's door, why, and
// by when.
package tasks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/lifecycle"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// A task's states.
const (
	Open      = "open"
	Done      = "done"
	Cancelled = "cancelled"
)

// LifeCycle is the life of a task:
//
//	open -> done (worker, township, county)
//	open -> cancelled (township, county)
//	done -> open (township, county)
//	cancelled -> open (township, county)
//
// A visit that is returned opens its task again; nothing is ever removed.
var LifeCycle = lifecycle.Table{Name: "task", Moves: []lifecycle.Move{
	{From: Open, To: Done, By: []trust.Role{trust.Worker, trust.Township, trust.County}},
	{From: Open, To: Cancelled, By: []trust.Role{trust.Township, trust.County}},
	{From: Done, To: Open, By: []trust.Role{trust.Township, trust.County}},
	{From: Cancelled, To: Open, By: []trust.Role{trust.Township, trust.County}},
}}

// A Task asks for one visit.
type Task struct {
	ID, Household uuid.UUID
	Division      string // the village, 12 digits
	State         string
	Due           string // YYYY-MM-DD
	Reason        string // why this visit is asked for, in words for the worker
	AlertKind     string // of the alerts it came from, "" for none
	Form          string // form_id to use
	Returned      string // why the last visit was returned, "" if it was not
	Accepted      string // the day on which the application behind it was accepted (受理), "" where nobody applied
	Procedure     string // what was applied for: dibao, tekun, …

	// Shown beside the task; read from the household.
	Name, Address, LastVisit string
}

// Issue writes new tasks, sorted by village so that each village's tasks travel
// in one bundle.
func Issue(ctx context.Context, r *store.Replica, author uuid.UUID, list []Task) ([]uuid.UUID, error) {
	slices.SortStableFunc(list, func(a, b Task) int { return cmp.Compare(a.Division, b.Division) })
	var edits []store.Edit
	for _, t := range list {
		edits = append(edits, Edit(t))
	}
	changes, err := r.Write(ctx, author, edits...)
	if err != nil {
		return nil, fmt.Errorf("issue %d tasks: %w", len(list), err)
	}
	ids := make([]uuid.UUID, len(changes))
	for i, c := range changes {
		ids[i] = c.Entity
	}
	return ids, nil
}

// Edit is the edit that writes a new task.
func Edit(t Task) store.Edit {
	fields := map[string]store.Value{
		"parent": store.Text(t.Household.String()), "state": store.Text(Open), "due": store.Text(t.Due),
		"reason": store.Text(t.Reason), "form": store.Text(t.Form),
	}
	for name, text := range map[string]string{"alert_kind": t.AlertKind, "accepted": t.Accepted, "procedure": t.Procedure} {
		if text != "" {
			fields[name] = store.Text(text)
		}
	}
	return store.Edit{Kind: store.Task, Entity: t.ID, Division: t.Division, Fields: fields}
}

// List returns the tasks of a division in a state ("" for all), by village, due
// date and id.
func List(ctx context.Context, r *store.Replica, division, state string) ([]Task, error) {
	found, err := r.Entities(ctx, store.Query{Kind: store.Task, Division: division, State: state})
	if err != nil {
		return nil, fmt.Errorf("read the tasks of %s: %w", division, err)
	}
	list := make([]Task, 0, len(found))
	for _, e := range found {
		t := fromEntity(e)
		if h, err := r.Entity(ctx, t.Household); err == nil {
			t.Name, t.Address, t.LastVisit = h.Text("name"), h.Text("address"), h.Text("last_visit")
		}
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b Task) int {
		return cmp.Or(cmp.Compare(a.Division, b.Division), cmp.Compare(a.Due, b.Due), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return list, nil
}

// Get reads one task.
func Get(ctx context.Context, r *store.Replica, id uuid.UUID) (Task, error) {
	e, err := r.Entity(ctx, id)
	if err != nil {
		return Task{}, err
	}
	return fromEntity(e), nil
}

func fromEntity(e *store.Entity) Task {
	household, _ := uuid.Parse(e.Text("parent"))
	return Task{
		ID: e.ID, Household: household, Division: e.Division, State: e.Text("state"), Due: e.Text("due"),
		Reason: e.Text("reason"), AlertKind: e.Text("alert_kind"), Form: e.Text("form"), Returned: e.Text("returned"),
		Accepted: e.Text("accepted"), Procedure: e.Text("procedure"),
	}
}

// Finish is the edit that closes a task after its visit.
func Finish(t Task, by trust.Role) (store.Edit, error) {
	if err := LifeCycle.May(t.State, Done, by); err != nil {
		return store.Edit{}, err
	}
	return store.Edit{Kind: store.Task, Entity: t.ID, Division: t.Division, Fields: map[string]store.Value{"state": store.Text(Done)}}, nil
}

// Reopen is the edit that sends somebody back to the door, with the reason.
func Reopen(t Task, by trust.Role, due time.Time, reason string) (store.Edit, error) {
	if err := LifeCycle.May(t.State, Open, by); err != nil {
		return store.Edit{}, err
	}
	return store.Edit{Kind: store.Task, Entity: t.ID, Division: t.Division, Fields: map[string]store.Value{
		"state": store.Text(Open), "returned": store.Text(reason), "due": store.Text(due.Format(time.DateOnly)),
	}}, nil
}
