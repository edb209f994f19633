package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// What the lists and our own days found waits until a person has looked at it: kind
// by kind, one by one or all together. Nobody is visited, and nobody passed over,
// because a machine said so.

// alertsOfKind are the open alerts of one kind.
type alertsOfKind struct {
	Kind, Label string
	Count       int
	Rows        []alertLine
}

type alertLine struct {
	ID, Household                            string
	Name, Village, Detail, Level, Due, State string
	Withdrawn                                bool
}

// mostOfKind is how many of a kind a page shows; the rest is chosen with its kind.
const mostOfKind = 50

// waiting are the open alerts that a page's filter lets through.
func (c *Console) waiting(r *http.Request, a *accounts.Account, source, village string) ([]*store.Entity, error) {
	division := a.Division()
	if village != "" && a.Covers(village) {
		division = village
	}
	list, err := alerts.List(r.Context(), c.Office.Replica, division, alerts.Open)
	return slices.DeleteFunc(list, func(e *store.Entity) bool { return source != "" && e.Text("source") != source }), err
}

func (c *Console) alerts(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	c.alertsPage(w, r, a, http.StatusOK, page{}, r.URL.Query().Get("source"), r.URL.Query().Get("village"))
}

func (c *Console) alertsPage(w http.ResponseWriter, r *http.Request, a *accounts.Account, status int, p page, source, village string) {
	list, err := c.waiting(r, a, source, village)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	villages, names, err := c.villages(r, a, village)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	slices.SortStableFunc(list, func(x, y *store.Entity) int { return cmp.Compare(x.Text("due"), y.Text("due")) })
	byKind := map[string]*alertsOfKind{}
	var kinds []*alertsOfKind
	for _, e := range list {
		k := byKind[e.Text("kind")]
		if k == nil {
			k = &alertsOfKind{Kind: e.Text("kind"), Label: cmp.Or(e.Text("alert_kind"), e.Text("kind"))}
			byKind[k.Kind] = k
			kinds = append(kinds, k)
		}
		if k.Count++; k.Count > mostOfKind {
			continue
		}
		one := alertLine{ID: e.ID.String(), Household: e.Text("parent"), Name: e.Text("name"), Village: names[e.Division], Detail: withoutNames(e.Text("detail")), Level: e.Text("level"), Due: e.Text("due"), Withdrawn: e.Text("withdrawn") != ""}
		if e.Text("child") == "yes" && !may(a.Role, seeChildren) {
			one.Name, one.Detail = "", c.say(r).Say("console.alert_of_child", nil)
		} else if one.Name == "" {
			if id, err := uuid.Parse(one.Household); err == nil {
				if h, err := c.Office.Replica.Entity(r.Context(), id); err == nil {
					one.Name = h.Text("name")
				}
			}
		}
		k.Rows = append(k.Rows, one)
	}
	title := source
	if s := c.Kinds.Source(source); s != nil {
		title = s.Title
	}
	p.Title, p.Account = "console.alerts", a
	p.Data = map[string]any{
		"Kinds": kinds, "All": len(list), "Sources": c.Kinds.Sources, "Source": source, "SourceTitle": title, "Villages": villages, "Village": village, "Outcomes": c.Kinds.Outcomes,
	}
	c.render(w, r, status, "alerts.html", p)
}

// decideAlerts takes what was ticked: worth a visit, or closed with an outcome.
func (c *Console) decideAlerts(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	if err := r.ParseForm(); err != nil {
		c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
		return
	}
	source, village := r.PostFormValue("source"), r.PostFormValue("village")
	list, err := c.waiting(r, a, source, village)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	all, kinds, ids := r.PostFormValue("all") == "yes", r.PostForm["kind"], r.PostForm["id"]
	list = slices.DeleteFunc(list, func(e *store.Entity) bool {
		return !all && !slices.Contains(kinds, e.Text("kind")) && !slices.Contains(ids, e.ID.String())
	})
	if len(list) == 0 {
		c.alertsPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: c.say(r).Say("console.alerts_none", nil)}, source, village)
		return
	}
	reason, do, outcome := cutText(strings.TrimSpace(r.PostFormValue("reason")), 500), r.PostFormValue("do"), r.PostFormValue("outcome")
	if do != "confirm" && do != "close" {
		c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
		return
	}
	if do == "close" && (reason == "" || outcome == "") {
		c.alertsPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: c.say(r).Say("console.alerts_no_reason", nil)}, source, village)
		return
	}
	act := audit.Act{Action: audit.Decision, Object: "alerts " + do, Count: int64(len(list)), Detail: map[string]string{
		"source": source, "village": village, "kinds": strings.Join(kinds, " "), "ids": cutText(strings.Join(ids, " "), 4000), "reason": reason, "outcome": outcome,
	}}
	if all {
		act.Detail["all"] = "yes"
	}
	if err := c.record(r, a, act); err != nil {
		c.broken(w, r, err)
		return
	}
	var made []tasks.Task
	ctx, replica := r.Context(), c.Office.Replica
	if do == "confirm" {
		if err = alerts.Confirm(ctx, replica, a.Person, list...); err == nil {
			made, err = alerts.ToTasks(ctx, replica, c.Office.World.NewID, a.Person, a.Division())
		}
	} else {
		err = alerts.CloseAll(ctx, replica, a.Person, c.Office.World.Now(), c.Kinds, outcome, export.Plain(reason), list...)
	}
	if err != nil {
		said, hint := c.say(r).Error(err)
		c.alertsPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: said, Hint: hint}, source, village)
		return
	}
	c.figures.stale()
	c.doneWith(w, r, Base+"alerts?"+url.Values{"source": {source}, "village": {village}}.Encode(), "console.alerts_"+do, map[string]any{"N": len(list), "Tasks": len(made)})
}
