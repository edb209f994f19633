package alerts

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/lifecycle"
	"ironfeet/app/casework/tasks"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// An alert's states.
const (
	Open      = "open"
	Confirmed = "confirmed"
	Tasked    = "task"
	Closed    = "closed"
)

// LifeCycle is the life of an alert. Only the county writes alerts: they hold what
// departments say of people.
//
//	open -> confirmed (county)
//	open -> closed (county)
//	confirmed -> task (county)
//	confirmed -> closed (county)
//	task -> closed (county)
//	closed -> open (county)
//
// A closed alert opens again when a corrected list says otherwise.
var LifeCycle = lifecycle.Table{Name: "alert", Moves: []lifecycle.Move{
	{From: Open, To: Confirmed, By: []trust.Role{trust.County}},
	{From: Open, To: Closed, By: []trust.Role{trust.County}},
	{From: Confirmed, To: Tasked, By: []trust.Role{trust.County}},
	{From: Confirmed, To: Closed, By: []trust.Role{trust.County}},
	{From: Tasked, To: Closed, By: []trust.Role{trust.County}},
	{From: Closed, To: Open, By: []trust.Role{trust.County}},
}}

// A Hit is one reason for an alert.
type Hit struct {
	Kind              *Kind
	Member, Household uuid.UUID
	Division, Name    string
	Detail            string // the sentence for the worker, without the name
	Source, Level     string
	List              uuid.UUID // the department's file, Nil for our own data
	Row               int
	Period            string // "" for once
	Due               string // the visit's last day, YYYY-MM-DD
}

// ID is the alert of a person, kind and period: the same again raises nothing. A
// household without a named person has its own.
func (h Hit) ID() uuid.UUID {
	whose := h.Member
	if whose == uuid.Nil {
		whose = h.Household
	}
	return uuid.NewSHA1(whose, []byte("alert/"+h.Kind.Kind+"/"+h.Period))
}

// Raised says what hits came to.
type Raised struct {
	Alerts  int // new
	Known   int // there already, with the same facts
	Updated int // there already; a corrected list says something else
	Merged  int // several rows about one person and kind
}

// Plan works out which alerts hits raise, and the edits that write them. Nothing is
// written: the caller writes its list in the same transaction.
func Plan(ctx context.Context, r *store.Replica, now time.Time, hits []Hit) (Raised, []store.Edit, error) {
	var out Raised
	byID := map[uuid.UUID][]Hit{}
	var order []uuid.UUID
	for _, h := range hits {
		id := h.ID()
		if byID[id] == nil {
			order = append(order, id)
		} else {
			out.Merged++
		}
		byID[id] = append(byID[id], h)
	}
	var edits []store.Edit
	for _, id := range order {
		group := byID[id]
		h := group[0]
		var details []string
		for _, g := range group {
			if !slices.Contains(details, g.Detail) {
				details = append(details, g.Detail)
			}
		}
		slices.Sort(details)
		facts := digestOf(details)
		fields := map[string]store.Value{
			"state": store.Text(Open), "detail": store.Text(said(h, details)), "facts": store.Text(facts),
			"level": store.Text(h.Level), "due": store.Text(h.Due), "raised_on": store.Text(now.Format(time.DateOnly)),
		}
		if h.List != uuid.Nil {
			fields["list"], fields["row"] = store.Text(h.List.String()), store.Int(int64(h.Row))
		}
		old, err := r.Entity(ctx, id)
		switch {
		case err == nil && old.Text("facts") == facts:
			out.Known++
			continue
		case err == nil:
			out.Updated++
			if s := old.Text("state"); s == Confirmed || s == Tasked {
				delete(fields, "state") // somebody is at it already: only what is known changes
			} else if s == Closed {
				fields["outcome"], fields["outcome_note"], fields["closed_on"] = store.Null(), store.Null(), store.Null()
				fields["fed_back"] = store.Null()
			}
		case errors.Is(err, store.ErrNotFound):
			out.Alerts++
			fields["parent"], fields["alert_kind"], fields["kind"] = store.Text(h.Household.String()), store.Text(h.Kind.Label), store.Text(h.Kind.Kind)
			fields["source"], fields["group"] = store.Text(h.Source), store.Text(string(h.Kind.Group))
			fields["suggestion"], fields["form"] = store.Text(h.Kind.Suggestion), store.Text(h.Kind.Form)
			if h.Member != uuid.Nil {
				fields["member"], fields["name"] = store.Text(h.Member.String()), store.Text(h.Name)
			}
			if h.Period != "" {
				fields["period"] = store.Text(h.Period)
			}
			if h.Kind.Child {
				fields["child"] = store.Text("yes")
			}
		default:
			return out, nil, err
		}
		edits = append(edits, store.Edit{Kind: store.Alert, Entity: id, Division: h.Division, Fields: fields})
	}
	// By village, so that a bundle holds one village's alerts.
	slices.SortStableFunc(edits, func(a, b store.Edit) int { return cmp.Compare(a.Division, b.Division) })
	return out, edits, nil
}

func said(h Hit, details []string) string {
	text := strings.Join(details, "；")
	if h.Name != "" {
		text = h.Name + "：" + text
	}
	return text
}

func digestOf(details []string) string {
	sum := sha256.Sum256([]byte(strings.Join(details, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// Raise plans and writes.
func Raise(ctx context.Context, r *store.Replica, author uuid.UUID, now time.Time, hits []Hit) (Raised, error) {
	out, edits, err := Plan(ctx, r, now, hits)
	if err != nil || len(edits) == 0 {
		return out, err
	}
	if _, err := r.Write(ctx, author, edits...); err != nil {
		return out, fmt.Errorf("write %d alerts: %w", len(edits), err)
	}
	return out, nil
}

// List reads the alerts of a division in a state ("" for all), by village, due day
// and id.
func List(ctx context.Context, r *store.Replica, division, state string) ([]*store.Entity, error) {
	list, err := r.Entities(ctx, store.Query{Kind: store.Alert, Division: division, State: state})
	if err != nil {
		return nil, fmt.Errorf("read the alerts of %s: %w", division, err)
	}
	slices.SortFunc(list, func(a, b *store.Entity) int {
		return cmp.Or(cmp.Compare(a.Division, b.Division), cmp.Compare(a.Text("parent"), b.Text("parent")), cmp.Compare(a.Text("kind"), b.Text("kind")), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return list, nil
}

// move is an edit that may be made, else the *lifecycle.MoveError.
func move(a *store.Entity, to string, fields map[string]store.Value) (store.Edit, error) {
	if err := LifeCycle.May(a.Text("state"), to, trust.County); err != nil {
		return store.Edit{}, err
	}
	if fields == nil {
		fields = map[string]store.Value{}
	}
	fields["state"] = store.Text(to)
	return store.Edit{Kind: store.Alert, Entity: a.ID, Division: a.Division, Fields: fields}, nil
}

// Confirm says that a person looked at the alerts and wants them visited. One that
// may not be confirmed stops all.
func Confirm(ctx context.Context, r *store.Replica, author uuid.UUID, list ...*store.Entity) error {
	var edits []store.Edit
	for _, a := range list {
		e, err := move(a, Confirmed, nil)
		if err != nil {
			return err
		}
		edits = append(edits, e)
	}
	_, err := r.Write(ctx, author, edits...)
	return err
}

// ToTasks makes one task a household out of all its confirmed alerts and marks
// them, in one transaction: the reasons together, the earliest deadline, the form of
// the most pressing. A household with an open task keeps that task: its alerts wait
// for the visit that is already asked for.
func ToTasks(ctx context.Context, r *store.Replica, newID func() uuid.UUID, author uuid.UUID, division string) ([]tasks.Task, error) {
	list, err := List(ctx, r, division, Confirmed)
	if err != nil {
		return nil, err
	}
	var made []tasks.Task
	var edits []store.Edit
	for i := 0; i < len(list); {
		j := i
		for j < len(list) && list[j].Text("parent") == list[i].Text("parent") {
			j++
		}
		group := list[i:j]
		i = j
		t, err := taskOf(group, newID)
		if err != nil {
			return nil, err
		}
		waiting, err := r.Entities(ctx, store.Query{Kind: store.Task, Parent: t.Household.String(), State: tasks.Open})
		if err != nil {
			return nil, err
		}
		at := t.ID
		if len(waiting) == 0 {
			made = append(made, t)
			edits = append(edits, tasks.Edit(t))
		} else {
			at = waiting[0].ID
		}
		for _, a := range group {
			e, err := move(a, Tasked, map[string]store.Value{"task": store.Text(at.String())})
			if err != nil {
				return nil, err
			}
			edits = append(edits, e)
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

func taskOf(group []*store.Entity, newID func() uuid.UUID) (tasks.Task, error) {
	household, err := uuid.Parse(group[0].Text("parent"))
	if err != nil {
		return tasks.Task{}, fmt.Errorf("alert %s names household %q: %w", group[0].ID, group[0].Text("parent"), err)
	}
	t := tasks.Task{ID: newID(), Household: household, Division: group[0].Division, State: tasks.Open}
	var reasons, kinds []string
	for _, a := range group {
		reason := a.Text("detail")
		if a.Text("child") == "yes" {
			// What is known of a child's parents travels to the township, not to
			// every tablet of the village.
			reason = a.Text("alert_kind") + "，详情问乡镇"
		}
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
		if kind := a.Text("alert_kind"); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
		if due := a.Text("due"); t.Due == "" || due < t.Due {
			t.Due, t.Form = due, a.Text("form")
		}
	}
	t.Reason, t.AlertKind = strings.Join(reasons, "；"), strings.Join(kinds, " ")
	return t, nil
}
