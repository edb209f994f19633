package console

import (
	"cmp"
	"net/http"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/store"
)

func (c *Console) tasks(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	villages, names, err := c.villages(r, a, r.URL.Query().Get("village"))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	state := cmp.Or(r.URL.Query().Get("state"), "open")
	if state == "all" {
		state = ""
	}
	list, p, err := c.list(r, a, store.Task, state)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	type row struct {
		Household                         string
		Name, Village, Reason, Due, State string
		Late                              bool
	}
	today := c.Office.World.Now().Format(time.DateOnly)
	var rows []row
	for _, t := range list {
		one := row{Household: t.Text("parent"), Village: names[t.Division], Reason: withoutNames(t.Text("reason")), Due: t.Text("due"), State: t.Text("state")}
		one.Late = one.State == "open" && one.Due != "" && one.Due < today
		if id, err := uuid.Parse(one.Household); err == nil {
			if h, err := c.Office.Replica.Entity(r.Context(), id); err == nil {
				one.Name = h.Text("name")
			}
		}
		rows = append(rows, one)
	}
	c.render(w, r, http.StatusOK, "tasks.html", page{Title: "console.tasks", Account: a, Data: map[string]any{
		"Rows": rows, "Pager": p, "Villages": villages, "State": cmp.Or(r.URL.Query().Get("state"), "open"),
	}})
}

func (c *Console) visits(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	villages, names, err := c.villages(r, a, r.URL.Query().Get("village"))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	list, p, err := c.list(r, a, store.Visit, "")
	if err != nil {
		c.broken(w, r, err)
		return
	}
	said := c.codes(r.Context(), language(r))
	type row struct {
		ID                            uuid.UUID
		Name, Village, Outcome, State string
		Ended                         time.Time
		Photos, Investigators         int
	}
	var rows []row
	for _, e := range list {
		s, err := visit.FromEntity(e)
		if err != nil {
			c.broken(w, r, err)
			return
		}
		state, _, err := review.StateOf(r.Context(), c.Office.Replica, e.ID)
		if err != nil {
			c.broken(w, r, err)
			return
		}
		one := row{ID: e.ID, Village: names[e.Division], Outcome: said.say("outcome", s.Content.Outcome), State: state, Ended: s.EndedAt(), Photos: len(s.Content.Photos), Investigators: len(s.Attestations)}
		if h, err := c.Office.Replica.Entity(r.Context(), s.Content.Household); err == nil {
			one.Name = h.Text("name")
		}
		rows = append(rows, one)
	}
	c.render(w, r, http.StatusOK, "visits.html", page{Title: "console.visits", Account: a, Data: map[string]any{"Rows": rows, "Pager": p, "Villages": villages}})
}

// visit is one visit as the form asked it: masked until its household is revealed.
func (c *Console) visit(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	e, ok := c.inScope(w, r, a, store.Visit)
	if !ok {
		return
	}
	s, err := visit.FromEntity(e)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	form, err := c.shelf.Form(r.Context(), c.Office.Replica, s.Record.Form, s.Record.Version)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	open := c.revealed(r, s.Content.Household)
	o := export.Options{Unmasked: open}
	parts := export.Reading(form, s.Record, language(r), s.EndedAt(), may(a.Role, seeChildren))
	for i := range parts {
		hide(&parts[i], &o)
	}
	var photos []string
	if open {
		for _, p := range s.Content.Photos {
			if !export.Never(p.Path, may(a.Role, seeChildren)) {
				photos = append(photos, p.Digest.String())
			}
		}
	}
	var who []string
	for _, id := range s.Investigator {
		if p, err := c.Office.Replica.Entity(r.Context(), id); err == nil {
			who = append(who, p.Text("name"))
		}
	}
	state, decision, err := review.StateOf(r.Context(), c.Office.Replica, e.ID)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "visit.html", page{Title: "console.visit", Account: a, Data: map[string]any{
		"ID": e.ID, "Household": s.Content.Household, "Parts": parts, "Ended": s.EndedAt(), "Who": who, "State": state, "Decision": decision, "Open": open,
		"Photos": photos, "Code": export.ShortCode(s.Digest), "Form": s.Record.Form + " " + s.Record.Version, "PhotoCount": len(s.Content.Photos),
	}})
}

func hide(p *export.Part, o *export.Options) {
	for i := range p.Answers {
		p.Answers[i].Value = o.Shown(p.Answers[i].Name, p.Answers[i].Type, p.Answers[i].Value)
	}
	for i := range p.Rows {
		if !o.Unmasked {
			p.Rows[i].Title = ""
		}
		hide(&p.Rows[i], o)
	}
}
