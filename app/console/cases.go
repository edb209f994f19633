package console

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/chain"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/store"
)

// pageSize is how many lines a list has. Lists are paged by key: the last page of
// 100,000 costs what the first one does.
const pageSize = 50

// pager leads from page to page.
type pager struct {
	Next  string // query of the next page, "" on the last
	First bool
}

func placeOf(r *http.Request) store.Place {
	division, id, _ := strings.Cut(r.URL.Query().Get("after"), "~")
	at, err := uuid.Parse(id)
	if err != nil {
		return store.Place{}
	}
	return store.Place{Division: division, ID: at}
}

// scope is what of the account's divisions is asked for.
func scope(r *http.Request, a *accounts.Account) string {
	if v := r.URL.Query().Get("village"); v != "" && a.Covers(v) {
		return v
	}
	return a.Division()
}

// list reads one page of a kind.
func (c *Console) list(r *http.Request, a *accounts.Account, kind store.Kind, state string) ([]*store.Entity, pager, error) {
	at := placeOf(r)
	page, err := c.Office.Replica.PageByPlace(r.Context(), kind, scope(r, a), state, at, pageSize+1)
	if err != nil {
		return nil, pager{}, err
	}
	p := pager{First: at == store.Place{}}
	if len(page) > pageSize {
		page = page[:pageSize]
		last := page[pageSize-1]
		q := r.URL.Query()
		q.Set("after", last.Division+"~"+last.ID.String())
		p.Next = "?" + q.Encode()
	}
	return page, p, nil
}

// choice is a village to choose.
type choice struct {
	Code, Name string
	Chosen     bool
}

// villages are those an account may look at, one of them chosen, and the names of all.
func (c *Console) villages(r *http.Request, a *accounts.Account, chosen string) ([]choice, map[string]string, error) {
	f, err := c.figures.get(r.Context())
	if err != nil {
		return nil, nil, err
	}
	var list []choice
	names := map[string]string{}
	for _, v := range f.Villages {
		if a.Covers(v.Code) {
			list = append(list, choice{v.Code, v.Name, v.Code == chosen})
		}
		names[v.Code] = v.Name
	}
	return list, names, nil
}

func (c *Console) overview(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	f, err := c.figures.get(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	f = f.seen(a)
	words := functions(c.say(r))["t"].(func(string, ...any) string)
	kinds := map[string]int{}
	for _, village := range f.Category {
		for category, n := range village {
			kinds[category] += n
		}
	}
	var categories []bar
	for i, k := range []string{"tekun", "dibao", "edge", "rigid", "none", "not_applicable"} {
		if n := kinds[k]; n > 0 || i < 5 {
			categories = append(categories, bar{words("category." + k), n, []string{"c1", "c2", "c3", "c4", "c5", "c6"}[i]})
		}
		delete(kinds, k)
	}
	for k, n := range kinds {
		categories = append(categories, bar{k, n, "c6"})
	}
	list := f.Villages
	if len(list) > 14 { // a county of hundreds: those with most to do
		list = slices.Clone(list)
		slices.SortFunc(list, func(x, y Village) int { return cmp.Compare(y.Open+y.Signed, x.Open+x.Signed) })
		list = list[:14]
	}
	sum := f.Sum()
	c.render(w, r, http.StatusOK, "overview.html", page{Title: "console.overview", Account: a, Data: map[string]any{
		"Sum": sum, "At": f.At, "Villages": list, "Pending": len(f.Pending), "Cases": may(a.Role, seeCases), "Decide": may(a.Role, decide),
		"Progress":   progress(words("console.verified_by_village"), list),
		"Categories": bars(words("console.categories"), categories),
		"Days":       days(words("console.visits_by_day"), f.Days, c.Office.World.Now()),
		"Map":        villageMap(words("console.map"), f.Villages),
	}})
}

// line is one household of a list.
type line struct {
	ID                          uuid.UUID
	Name, Village, Address, Aid string
	Members                     int
	Seen                        string
	Matched                     string
}

func (c *Console) households(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	villages, names, err := c.villages(r, a, r.URL.Query().Get("village"))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	said := c.codes(r.Context(), language(r))
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	var found []*store.Entity
	var p pager
	matched := map[uuid.UUID]string{}
	if query != "" {
		hits, err := c.Office.Replica.Find(r.Context(), query[:min(len(query), 60)], 200)
		if err != nil {
			c.broken(w, r, err)
			return
		}
		for _, h := range hits {
			if !a.Covers(h.Division) || len(found) == pageSize {
				continue
			}
			e, err := c.Office.Replica.Entity(r.Context(), h.Household)
			if err == nil {
				found = append(found, e)
				matched[e.ID] = h.Matched
			}
		}
		p.First = true
	} else if found, p, err = c.list(r, a, store.Household, ""); err != nil {
		c.broken(w, r, err)
		return
	}
	ids := make([]uuid.UUID, len(found))
	for i, e := range found {
		ids[i] = e.ID
	}
	members, err := c.Office.Replica.Children(r.Context(), store.Member, ids...)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	count := map[string]int{}
	for _, m := range members {
		count[m.Text("parent")]++
	}
	var lines []line
	for _, e := range found {
		l := line{
			ID: e.ID, Name: e.Text("name"), Village: names[e.Division], Address: export.MaskAddress(e.Text("address")), Aid: said.say("aid", e.Text("aid")),
			Members: count[e.ID.String()], Seen: e.Text("last_visit"),
		}
		if m := matched[e.ID]; m != "" && m != l.Name {
			l.Matched = m
		}
		lines = append(lines, l)
	}
	c.render(w, r, http.StatusOK, "households.html", page{Title: "console.households", Account: a, Data: map[string]any{
		"Lines": lines, "Pager": p, "Query": query, "Villages": villages,
	}})
}

// event is one point of a household's timeline.
type event struct {
	At     time.Time
	Kind   string // task, visit, review, determination, alert
	Title  string
	Text   string
	State  string
	Link   string
	Photos []string // digests, shown only while revealed
}

// inScope reads an entity that the account may see; anything else is not found.
func (c *Console) inScope(w http.ResponseWriter, r *http.Request, a *accounts.Account, kind store.Kind) (*store.Entity, bool) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err == nil {
		var e *store.Entity
		if e, err = c.Office.Replica.Entity(r.Context(), id); err == nil && e.Kind == kind && a.Covers(e.Division) {
			return e, true
		}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && !strings.HasPrefix(err.Error(), "invalid UUID") {
		c.broken(w, r, err)
		return nil, false
	}
	c.refuse(w, r, http.StatusNotFound, "console.not_found")
	return nil, false
}

// revealFor is how long a household stays revealed to whoever gave a reason.
const revealFor = 10 * time.Minute

func (c *Console) revealed(r *http.Request, household uuid.UUID) bool {
	return c.Office.World.Now().Unix() < c.sessions.GetInt64(r.Context(), "reveal."+household.String())
}

func (c *Console) household(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	e, ok := c.inScope(w, r, a, store.Household)
	if !ok {
		return
	}
	data, err := c.householdData(r, a, e.ID, c.revealed(r, e.ID))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "household.html", page{Title: "console.household", Account: a, Data: data})
}

// person is a member as the page shows him or her.
type person struct {
	Name, Relation, Sex, Age, Number, Labour string
	Minor                                    bool
}

func (c *Console) householdData(r *http.Request, a *accounts.Account, id uuid.UUID, open bool) (map[string]any, error) {
	ctx := r.Context()
	p, err := registry.Open(ctx, c.Office.Replica, id)
	if err != nil {
		return nil, err
	}
	lang := language(r)
	say, said := c.say(r), c.codes(ctx, lang)
	_, names, err := c.villages(r, a, "")
	if err != nil {
		return nil, err
	}
	children := may(a.Role, seeChildren)
	mask := func(f func(string) string, text string) string {
		if open {
			return export.Plain(text)
		}
		return f(text)
	}
	h := p.Household
	now := c.Office.World.Now()
	var people []person
	hidden := 0
	for _, m := range p.Members {
		birth, err := time.Parse(time.DateOnly, m.Text("birth"))
		young := err != nil || birth.AddDate(18, 0, 0).After(now)
		if young && !children {
			hidden++
			continue
		}
		age := "–"
		if err == nil {
			years := now.Year() - birth.Year()
			if birth.AddDate(years, 0, 0).After(now) {
				years--
			}
			age = itoa(years)
		}
		people = append(people, person{
			Name: mask(export.MaskName, m.Text("name")), Relation: said.say("rel", m.Text("rel")), Sex: said.say("sex", m.Text("sex")), Age: age,
			Number: mask(export.MaskID, m.Text("id_no")), Labour: said.say("labour", m.Text("labour")), Minor: young,
		})
	}
	var events []event
	for _, t := range p.Tasks {
		text := t.Text("reason")
		if !open {
			text = withoutNames(text)
		}
		events = append(events, event{At: t.Updated.Time(), Kind: "task", Title: say.Say("console.task_"+t.Text("state"), nil), Text: text + due(say.Say("console.due", nil), t.Text("due")), State: t.Text("state")})
	}
	for _, al := range p.Alerts {
		if al.Text("child") == "yes" && !children {
			continue // what departments say of a child is restricted (S3)
		}
		text := al.Text("alert_kind")
		if open {
			text += "：" + al.Text("detail")
		}
		events = append(events, event{At: al.Updated.Time(), Kind: "alert", Title: say.Say("console.alert", nil), Text: text, State: al.Text("state")})
	}
	for _, v := range p.Visits {
		state, decision, err := review.StateOf(ctx, c.Office.Replica, v.ID)
		if err != nil {
			return nil, err
		}
		s, err := visit.FromEntity(v)
		if err != nil {
			return nil, err
		}
		ev := event{At: s.EndedAt(), Kind: "visit", Title: say.Say("console.visit", nil) + " · " + said.say("outcome", s.Content.Outcome), State: state, Link: Base + "visits/" + v.ID.String()}
		ev.Text = say.Say("console.visit_line", map[string]any{"Investigators": len(s.Attestations), "Photos": len(s.Content.Photos)})
		if open {
			for _, photo := range s.Content.Photos {
				if export.Never(photo.Path, children) {
					continue
				}
				ev.Photos = append(ev.Photos, photo.Digest.String())
			}
		}
		events = append(events, ev)
		if decision != nil {
			text := ""
			if open {
				text = decision.Text("reason")
			}
			events = append(events, event{At: decision.Updated.Time(), Kind: "review", Title: say.Say("console.review_"+decision.Text("decision"), nil), Text: text, State: state})
		}
	}
	for _, d := range p.Determinations {
		fen, _ := d.Fields["amount_fen"].Int()
		events = append(events, event{
			At: d.Updated.Time(), Kind: "determination", Title: say.Say("category."+d.Text("category"), nil),
			Text: say.Say("console.amount_line", map[string]any{"Yuan": yuan(fen), "Standards": d.Text("standards")}), Link: Base + "determinations/" + d.Text("visit"),
		})
	}
	links, err := chain.Of(ctx, c.Office.Replica, id)
	if err != nil {
		return nil, err
	}
	for _, l := range links { // what the lists above do not have: needs, notices, aid that begins and ends
		kind, _, _ := strings.Cut(l.What, "_")
		if kind != "need" && kind != "notice" && kind != "aid" {
			continue
		}
		parts := maps.Clone(l.Parts)
		if !open {
			delete(parts, "answer")
			delete(parts, "place")
		}
		events = append(events, event{At: l.At, Kind: kind, Title: say.Say("chain."+l.What, parts)})
	}
	slices.SortStableFunc(events, func(x, y event) int { return y.At.Compare(x.At) })
	var facts [][2]string
	for _, f := range []struct{ name, list string }{{"area", "area"}, {"house_structure", "structure"}, {"house_safety", "safety"}, {"water", "water"}, {"money_range", "money_range"}, {"veh_car_has", "has"}} {
		if v := h.Text(f.name); v != "" {
			facts = append(facts, [2]string{say.Say("field."+f.name, nil), said.say(f.list, v)})
		}
	}
	return map[string]any{
		"ID": id, "Name": mask(export.MaskName, h.Text("name")), "Phone": mask(export.MaskPhone, h.Text("phone")), "Address": mask(export.MaskAddress, h.Text("address")),
		"Village": names[h.Division], "Division": h.Division, "Aid": said.say("aid", h.Text("aid")), "Facts": facts, "People": people, "Hidden": hidden,
		"Events": events, "Open": open, "Conflicts": len(h.Conflicts), "MayReveal": may(a.Role, reveal), "MayExport": may(a.Role, askExport), "Printed": now,
	}, nil
}

func due(word, day string) string {
	if day == "" {
		return ""
	}
	return " · " + word + " " + day
}

// withoutNames keeps the kind of a task's reason: after a colon stands what a list
// says of somebody.
func withoutNames(reason string) string {
	var out []string
	for part := range strings.SplitSeq(reason, "；") {
		if _, what, ok := strings.Cut(part, "："); ok {
			part = what
		}
		out = append(out, part)
	}
	return strings.Join(out, "；")
}
