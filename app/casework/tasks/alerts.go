package tasks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/lifecycle"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// An alert's states.
const (
	AlertOpen   = "open"
	AlertTasked = "task"
	AlertClosed = "closed"
)

// AlertLifeCycle is the life of an alert (大数据比对 hit). A hit is a lead, not
// proof: only a person makes it a task or closes it (domain.md §5).
//
//	open -> task (township, county)
//	open -> closed (township, county)
//	task -> closed (township, county)
var AlertLifeCycle = lifecycle.Table{Name: "alert", Moves: []lifecycle.Move{
	{From: AlertOpen, To: AlertTasked, By: []trust.Role{trust.Township, trust.County}},
	{From: AlertOpen, To: AlertClosed, By: []trust.Role{trust.Township, trust.County}},
	{From: AlertTasked, To: AlertClosed, By: []trust.Role{trust.Township, trust.County}},
}}

// FromAlerts makes one task a household out of all its open alerts and marks
// them, in one transaction. A household with an open task keeps that task: its
// alerts wait for the visit that is already asked for.
func FromAlerts(ctx context.Context, r *store.Replica, newID func() uuid.UUID, author uuid.UUID, division, form string, due time.Time) ([]Task, error) {
	open, err := r.Entities(ctx, store.Query{Kind: store.Alert, Division: division, State: AlertOpen})
	if err != nil {
		return nil, fmt.Errorf("read the alerts of %s: %w", division, err)
	}
	slices.SortFunc(open, func(a, b *store.Entity) int {
		return cmp.Or(cmp.Compare(a.Division, b.Division), cmp.Compare(a.Text("parent"), b.Text("parent")), cmp.Compare(a.Text("alert_kind"), b.Text("alert_kind")), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	var (
		made  []Task
		edits []store.Edit
	)
	for i := 0; i < len(open); {
		household := open[i].Text("parent")
		j := i
		var reasons, kinds []string
		for ; j < len(open) && open[j].Text("parent") == household; j++ {
			if reason := open[j].Text("detail"); !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
			if kind := open[j].Text("alert_kind"); !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
		alerts := open[i:j]
		i = j
		id, err := uuid.Parse(household)
		if err != nil {
			return nil, fmt.Errorf("alert %s names household %q: %w", alerts[0].ID, household, err)
		}
		waiting, err := r.Count(ctx, store.Query{Kind: store.Task, Parent: household, State: Open})
		if err != nil {
			return nil, err
		}
		if waiting == 0 {
			t := Task{
				ID: newID(), Household: id, Division: alerts[0].Division, State: Open, Due: due.Format(time.DateOnly),
				Reason: strings.Join(reasons, "；"), AlertKind: strings.Join(kinds, " "), Form: form,
			}
			made = append(made, t)
			edits = append(edits, store.Edit{Kind: store.Task, Entity: t.ID, Division: t.Division, Fields: map[string]store.Value{
				"parent": store.Text(household), "state": store.Text(Open), "due": store.Text(t.Due),
				"reason": store.Text(t.Reason), "alert_kind": store.Text(t.AlertKind), "form": store.Text(form),
			}})
		}
		for _, a := range alerts {
			edits = append(edits, store.Edit{Kind: store.Alert, Entity: a.ID, Division: a.Division, Fields: map[string]store.Value{"state": store.Text(AlertTasked)}})
		}
	}
	if len(edits) == 0 {
		return nil, nil
	}
	if _, err := r.Write(ctx, author, edits...); err != nil {
		return nil, fmt.Errorf("make %d tasks: %w", len(made), err)
	}
	return made, nil
}
