package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/notice"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/forms/standards"
	"ironfeet/forms/xlsform"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// determinations is the queue: accepted visits that nobody has decided, by village.
func (c *Console) determinations(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	f, err := c.figures.get(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	villages, names, err := c.villages(r, a, r.URL.Query().Get("village"))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	waiting := f.seen(a).Pending
	if v := r.URL.Query().Get("village"); v != "" {
		waiting = slices.DeleteFunc(slices.Clone(waiting), func(p Pending) bool { return p.Division != v })
	}
	all := len(waiting)
	after, _ := uuid.Parse(r.URL.Query().Get("after"))
	if i := slices.IndexFunc(waiting, func(p Pending) bool { return p.Visit == after }); i >= 0 {
		waiting = waiting[i+1:]
	}
	p := pager{First: after == uuid.Nil}
	const most = 25 // each is worked out anew
	if len(waiting) > most {
		waiting = waiting[:most]
		q := r.URL.Query()
		q.Set("after", waiting[most-1].Visit.String())
		p.Next = "?" + q.Encode()
	}
	type row struct {
		Visit                         uuid.UUID
		Name, Village, Label, Missing string
		Amount                        string
		Township                      string // its opinion
		Near, Undecided               bool
		Ended                         any
	}
	var rows []row
	rules := map[string]*standards.RuleSet{}
	for _, w := range waiting {
		one := row{Visit: w.Visit, Village: names[w.Division], Ended: w.Ended}
		if h, err := c.Office.Replica.Entity(r.Context(), w.Household); err == nil {
			one.Name = h.Text("name")
		}
		if s, err := visit.Read(r.Context(), c.Office.Replica, w.Visit); err == nil {
			day := s.EndedAt().Format("2006-01-02")
			rs := rules[day]
			if rs == nil {
				if rs, err = determination.Rules(r.Context(), c.Office.Replica, s); err == nil {
					rules[day] = rs
				}
			}
			if o, err := opinion.On(r.Context(), c.Office.Replica, s.ID); err == nil && o != nil && o.State == opinion.Given {
				if one.Township = o.Label; o.Amount > 0 {
					one.Township += " " + o.Amount.String()
				}
			}
			if rs != nil {
				d := determination.Suggest(rs, s)
				one.Label, one.Amount, one.Near, one.Undecided = d.Label, d.Amount.String(), d.Near, d.Category == standards.Undecided
				one.Missing = strings.Join(d.Missing, "、")
			}
		}
		rows = append(rows, one)
	}
	c.render(w, r, http.StatusOK, "determinations.html", page{Title: "console.determinations", Account: a, Data: map[string]any{"Rows": rows, "Pager": p, "Villages": villages, "All": all}})
}

// ruling is a visit with what the rules say of it.
func (c *Console) ruling(w http.ResponseWriter, r *http.Request, a *accounts.Account) (s *visit.Signed, d standards.Decision, done *store.Entity, ok bool) {
	e, ok := c.inScope(w, r, a, store.Visit)
	if !ok {
		return nil, d, nil, false
	}
	s, err := visit.FromEntity(e)
	if err == nil {
		var list []*store.Entity
		list, err = c.Office.Replica.Children(r.Context(), store.Determination, s.Content.Household)
		for _, x := range list {
			if x.Text("visit") == s.ID.String() && (done == nil || x.Updated > done.Updated) {
				done = x
			}
		}
	}
	if err == nil {
		var rules *standards.RuleSet
		if rules, err = determination.Rules(r.Context(), c.Office.Replica, s); err == nil {
			d = determination.Suggest(rules, s)
		}
	}
	if err != nil {
		c.failed(w, r, err)
		return nil, d, nil, false
	}
	return s, d, done, true
}

// decidable are the categories a person may choose.
var decidable = []string{"tekun", "dibao", "edge", "rigid", "none"}

func (c *Console) determination(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	s, d, done, ok := c.ruling(w, r, a)
	if !ok {
		return
	}
	state, _, err := review.StateOf(r.Context(), c.Office.Replica, s.ID)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	name := ""
	if h, err := c.Office.Replica.Entity(r.Context(), s.Content.Household); err == nil {
		name = h.Text("name")
	}
	if !c.revealed(r, s.Content.Household) {
		name = export.MaskName(name)
		d.Offers = nil // they name persons
	}
	data := map[string]any{
		"Visit": s.ID, "Household": s.Content.Household, "Name": name, "D": d, "Done": done, "State": state, "Ended": s.EndedAt(), "Categories": decidable,
		"May": may(a.Role, decide) && state == review.Accepted && done == nil && d.Category != standards.Undecided, "Undecided": d.Category == standards.Undecided,
	}
	if o, err := opinion.On(r.Context(), c.Office.Replica, s.ID); err != nil {
		c.broken(w, r, err)
		return
	} else if o != nil && o.State == opinion.Given {
		data["Opinion"] = o
		if data["Sheet"], err = notice.Of(r.Context(), c.Office.Replica, s.Division, o.ID); err != nil {
			c.broken(w, r, err)
			return
		}
	}
	if done != nil {
		fen, _ := done.Fields["amount_fen"].Int()
		data["Amount"] = yuan(fen)
	}
	c.render(w, r, http.StatusOK, "determination.html", page{Title: "console.determination", Account: a, Data: data})
}

// decide writes a person's decision; the audit log has it first.
func (c *Console) decide(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	s, d, done, ok := c.ruling(w, r, a)
	if !ok {
		return
	}
	state, _, err := review.StateOf(r.Context(), c.Office.Replica, s.ID)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	category, reason := r.PostFormValue("category"), strings.TrimSpace(r.PostFormValue("reason"))
	switch {
	case done != nil || state != review.Accepted:
		c.refuse(w, r, http.StatusConflict, "console.decided_already")
		return
	case category != d.Category && !slices.Contains(decidable, category):
		c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
		return
	case category != d.Category && reason == "":
		c.failed(w, r, determination.ErrNoReason)
		return
	case d.Category == standards.Undecided:
		c.refuse(w, r, http.StatusUnprocessableEntity, "console.undecidable")
		return
	}
	if category == d.Category {
		category = ""
	}
	act := audit.Act{Action: audit.Decision, Object: s.ID.String(), Count: 1, Detail: map[string]string{
		"household": s.Content.Household.String(), "suggested": d.Category, "category": cmp.Or(category, d.Category), "standards": d.Version, "reason": cutText(reason, 500),
	}}
	if err := c.record(r, a, act); err != nil {
		c.broken(w, r, err)
		return
	}
	if _, err := determination.Decide(r.Context(), c.Office.Replica, a.Person, c.Office.World.Now(), s, d, determination.Choice{Category: category, Reason: cutText(reason, 2000)}); err != nil {
		c.failed(w, r, err)
		return
	}
	c.figures.stale()
	c.done(w, r, Base+"determinations", "console.decided")
}

// standards lists the published rule sets.
func (c *Console) standards(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	c.standardsPage(w, r, a, http.StatusOK, page{}, nil)
}

func (c *Console) standardsPage(w http.ResponseWriter, r *http.Request, a *accounts.Account, status int, p page, more map[string]any) {
	list, err := c.Office.Replica.Entities(r.Context(), store.Query{Kind: store.Standards})
	if err != nil {
		c.broken(w, r, err)
		return
	}
	slices.SortFunc(list, func(x, y *store.Entity) int { return cmp.Compare(y.Text("valid_from"), x.Text("valid_from")) })
	type row struct{ Version, From, To, Name string }
	var rows []row
	for _, e := range list {
		rows = append(rows, row{e.Text("version"), e.Text("valid_from"), e.Text("valid_to"), e.Text("name")})
	}
	data := map[string]any{"Rows": rows}
	for k, v := range more {
		data[k] = v
	}
	p.Title, p.Account, p.Data = "console.standards", a, data
	c.render(w, r, status, "standards.html", p)
}

// upload reads the one file of a form; its name is never used as a path.
func (c *Console) upload(w http.ResponseWriter, r *http.Request, limit int64) (name string, data []byte, ok bool) {
	r.Body = http.MaxBytesReader(w, r.Body, limit+(64<<10))
	f, head, err := r.FormFile("file")
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			c.refuse(w, r, http.StatusRequestEntityTooLarge, "console.too_large")
		} else {
			c.refuse(w, r, http.StatusBadRequest, "console.no_file")
		}
		return "", nil, false
	}
	defer f.Close()
	if head.Size > limit {
		c.refuse(w, r, http.StatusRequestEntityTooLarge, "console.too_large")
		return "", nil, false
	}
	data = make([]byte, head.Size)
	if _, err := readFull(f, data); err != nil {
		c.refuse(w, r, http.StatusBadRequest, "console.no_file")
		return "", nil, false
	}
	return fileName(head.Filename), data, true
}

// A change of one parameter between two rule sets.
type parameterChange struct{ Label, Name, Unit, Before, After string }

// standardsPreview reads an upload, lays it beside what is in force, and says what
// it would change for the households that are verified: nothing is written.
func (c *Console) standardsPreview(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	name, data, ok := c.upload(w, r, publish.MaxWorkbook)
	if !ok {
		return
	}
	fresh, report := standards.Read(name, data)
	problems := c.problems(r, report)
	if fresh == nil {
		c.standardsPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: c.say(r).Say("console.standards_faulty", nil)}, map[string]any{"Problems": problems})
		return
	}
	day := c.Office.World.Now().Format("2006-01-02")
	old, err := publish.InForce(r.Context(), c.Office.Replica, day)
	if err != nil && !errors.Is(err, publish.ErrNoStandards) {
		c.broken(w, r, err)
		return
	}
	more := map[string]any{"Problems": problems, "Fresh": fresh, "Old": old, "Name": name}
	if old != nil {
		more["Changes"] = changes(old, fresh)
		effect, err := c.whatIf(r, fresh)
		if err != nil {
			c.broken(w, r, err)
			return
		}
		more["Effect"] = effect
	}
	id := c.Office.World.NewID()
	c.held.keep(id, held{by: a.Person, name: name, data: data, at: c.Office.World.Now()})
	more["Held"] = id
	c.standardsPage(w, r, a, http.StatusOK, page{}, more)
}

func changes(old, fresh *standards.RuleSet) []parameterChange {
	var list []parameterChange
	for _, area := range []string{"rural", "urban"} {
		before := map[string]standards.Fact{}
		for _, f := range old.Parameters(area) {
			before[f.Name] = f
		}
		for _, f := range fresh.Parameters(area) {
			b, had := before[f.Name]
			delete(before, f.Name)
			if had && b.Value == f.Value {
				continue
			}
			one := parameterChange{cmp.Or(f.Label, f.Name), f.Name, f.Unit, b.Value, f.Value}
			if !slices.ContainsFunc(list, func(c parameterChange) bool { return c == one }) {
				list = append(list, one)
			}
		}
		for _, b := range before {
			list = append(list, parameterChange{cmp.Or(b.Label, b.Name), b.Name, b.Unit, b.Value, ""})
		}
	}
	slices.SortFunc(list, func(x, y parameterChange) int { return cmp.Compare(x.Name, y.Name) })
	return slices.CompactFunc(list, func(x, y parameterChange) bool { return x == y })
}

// effect is what other rules would make of the verified households.
type effect struct {
	Households, Changed int
	Before, After       int64 // fen a month
	Moves               []move
}

type move struct {
	From, To string
	Count    int
}

// whatIf asks casework and adds its answer up for the page.
func (c *Console) whatIf(r *http.Request, fresh *standards.RuleSet) (*effect, error) {
	effects, _, err := determination.WhatIf(r.Context(), c.Office.Replica, "", fresh, c.Office.World.Now())
	if err != nil {
		return nil, err
	}
	out := &effect{Households: effects.Households, Changed: len(effects.Changed), Before: int64(effects.BeforeFen), After: int64(effects.AfterFen)}
	say := c.say(r)
	label := func(category string) string {
		if key := "category." + category; say.Has(key) {
			return say.Say(key, nil)
		}
		return category
	}
	for from, all := range effects.Moves {
		for to, n := range all {
			if from != to {
				out.Moves = append(out.Moves, move{label(from), label(to), n})
			}
		}
	}
	slices.SortFunc(out.Moves, func(x, y move) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.From+x.To, y.From+y.To))
	})
	return out, nil
}

func (c *Console) standardsPublish(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	id, _ := uuid.Parse(r.PathValue("id"))
	what, ok := c.held.take(id, a.Person)
	if !ok {
		c.refuse(w, r, http.StatusGone, "console.held_gone")
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Publish, Object: "standards", Count: 1, Digest: sum(what.data), Detail: map[string]string{"file": what.name}}); err != nil {
		c.broken(w, r, err)
		return
	}
	if _, _, err := publish.Standards(r.Context(), c.Office.Replica, a.Person, what.name, what.data); err != nil {
		c.failed(w, r, err)
		return
	}
	c.done(w, r, Base+"standards", "console.published")
}

// problems are a workbook's problems in words, with their cells.
func (c *Console) problems(r *http.Request, report xlsform.Report) (list [][2]string) {
	say := c.say(r)
	for _, p := range append(slices.Clone(report.Errors), report.Warnings...) {
		message := p.Message
		if say.Has(p.Code) {
			message = say.Say(p.Code, p)
		}
		list = append(list, [2]string{p.Place(), message})
	}
	return list
}
