package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/compare"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// The comparison wizard (大数据比对): choose a source and a file, look at what was
// understood, then let it raise alerts and tasks.

func (c *Console) comparePage(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	c.compareAt(w, r, a, http.StatusOK, page{}, nil)
}

func (c *Console) compareAt(w http.ResponseWriter, r *http.Request, a *accounts.Account, status int, p page, more map[string]any) {
	lists, err := c.Office.Replica.Entities(r.Context(), store.Query{Kind: store.List})
	if err != nil {
		c.broken(w, r, err)
		return
	}
	slices.SortFunc(lists, func(x, y *store.Entity) int { return cmp.Compare(y.Updated, x.Updated) })
	type row struct {
		Name, Source                       string
		Rows, Matched, Unmatched, Rejected int64
		At                                 time.Time
	}
	var rows []row
	for _, e := range lists[:min(len(lists), 20)] {
		number := func(f string) int64 { n, _ := e.Fields[f].Int(); return n }
		title := e.Text("source")
		if s := c.Kinds.Source(title); s != nil {
			title = s.Title
		}
		rows = append(rows, row{e.Text("name"), title, number("rows"), number("matched"), number("unmatched"), number("rejected"), e.Updated.Time()})
	}
	open, err := c.Office.Replica.Count(r.Context(), store.Query{Kind: store.Alert, State: alerts.Open})
	if err != nil {
		c.broken(w, r, err)
		return
	}
	data := map[string]any{"Lists": rows, "Sources": c.Kinds.Sources, "OpenAlerts": open}
	for k, v := range more {
		data[k] = v
	}
	p.Title, p.Account, p.Data = "console.compare", a, data
	c.render(w, r, status, "compare.html", p)
}

// found is one row of a preview: enough to see that it was understood, no more.
type found struct {
	Row                         int
	Name, Village, Level, Facts string
}

func (c *Console) comparePreview(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	name, data, ok := c.upload(w, r, maxUpload-(64<<10))
	if !ok {
		return
	}
	source := c.Kinds.Source(r.FormValue("source"))
	if source == nil {
		c.refuse(w, r, http.StatusBadRequest, "console.no_source")
		return
	}
	rep, err := compare.Preview(r.Context(), c.Office.Replica, c.Office.World, c.Kinds, source, compare.FromBytes(name, data), compare.Options{})
	if err != nil {
		said, hint := c.say(r).Error(err)
		c.compareAt(w, r, a, http.StatusUnprocessableEntity, page{Fault: said, Hint: hint}, nil)
		return
	}
	_, names, err := c.villages(r, a, "")
	if err != nil {
		c.broken(w, r, err)
		return
	}
	var hits []found
	for _, h := range rep.Hits[:min(len(rep.Hits), 12)] {
		hits = append(hits, found{Row: h.Row, Name: export.MaskName(h.Name), Village: names[h.Division], Level: h.Level, Facts: h.Kind.Label})
	}
	var rejected []found
	for _, x := range rep.Rejected[:min(len(rep.Rejected), 12)] {
		rejected = append(rejected, found{Row: x.Row, Name: export.MaskName(x.Name), Facts: c.say(r).Say(x.Why, x)})
	}
	titles, totals := 0, 0
	for _, sheet := range rep.Sheets {
		titles, totals = titles+len(sheet.Skipped), totals+len(sheet.Totals)
	}
	understood := c.say(r).Say("console.list_understood", map[string]any{"Encoding": cmp.Or(rep.Encoding, "–"), "Header": rep.Mapping.Header, "Titles": titles, "Totals": totals})
	id := c.Office.World.NewID()
	c.held.keep(id, held{by: a.Person, name: name, data: data, more: source.Name, at: c.Office.World.Now()})
	c.compareAt(w, r, a, http.StatusOK, page{}, map[string]any{"Report": rep, "RejectedN": len(rep.Rejected), "Understood": understood, "Source": source, "Held": id, "Hits": hits, "HitsN": len(rep.Hits), "Rejected": rejected})
}

// compareRun raises the alerts, and leads on to them.
func (c *Console) compareRun(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	id, _ := uuid.Parse(r.PathValue("id"))
	what, ok := c.held.take(id, a.Person)
	if !ok {
		c.refuse(w, r, http.StatusGone, "console.held_gone")
		return
	}
	source := c.Kinds.Source(what.more)
	if source == nil {
		c.refuse(w, r, http.StatusGone, "console.held_gone")
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Compare, Object: source.Name, Digest: sum(what.data), Detail: map[string]string{"file": what.name}}); err != nil {
		c.broken(w, r, err)
		return
	}
	rep, err := compare.Run(r.Context(), c.Office.Replica, c.Office.World, a.Person, c.Kinds, source, compare.FromBytes(what.name, what.data), compare.Options{})
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.figures.stale()
	c.doneWith(w, r, Base+"alerts?source="+url.QueryEscape(source.Name), "console.compared", map[string]any{"Alerts": rep.Raised.Alerts, "Known": rep.Raised.Known})
}
