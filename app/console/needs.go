package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/needs"
	"ironfeet/app/casework/publish"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/sync/trust"
)

// What families need goes to departments and comes back answered (因需推送). Those
// whose answer is late stand first.

type needLine struct {
	needs.Need
	Village, Due string
	Late         bool
}

// needStates are what the list may be filtered by; "" is what is not settled.
var needStates = []string{needs.Found, needs.Referred, needs.Received, needs.Unfit, needs.Resolved, needs.Dropped}

// needAnswers are the states that an answer can bring.
var needAnswers = []string{needs.Received, needs.Resolved, needs.Unfit, needs.Dropped}

// needList reads the needs that a filter lets through, the late ones first, and the
// departments there are.
func (c *Console) needList(r *http.Request, a *accounts.Account, q url.Values) (list []needLine, departments []string, err error) {
	ctx := r.Context()
	division := a.Division()
	if v := q.Get("village"); v != "" && a.Covers(v) {
		division = v
	}
	found, err := c.Office.Replica.Entities(ctx, store.Query{Kind: store.Need, Division: division})
	if err != nil {
		return nil, nil, err
	}
	rules, err := calendar.RulesOf(ctx, c.Office.Replica)
	if err != nil {
		return nil, nil, err
	}
	days, err := calendar.Of(ctx, c.Office.Replica)
	if err != nil {
		return nil, nil, err
	}
	rule, limited := rules.Find("*", "answer")
	today := c.Office.World.Now().Format(time.DateOnly)
	for _, e := range found {
		one := needLine{Need: needs.FromEntity(e)}
		if !slices.Contains(departments, one.Department) {
			departments = append(departments, one.Department)
		}
		settled := one.State == needs.Resolved || one.State == needs.Dropped
		switch state := q.Get("state"); {
		case state == "" && settled, state != "" && state != one.State, q.Get("department") != "" && q.Get("department") != one.Department:
			continue
		}
		if at, err := time.Parse(time.DateOnly, one.ReferredOn); err == nil && limited && (one.State == needs.Referred || one.State == needs.Received) {
			due, _ := rule.Due(days, at)
			one.Due = due.Format(time.DateOnly)
			one.Late = one.Due < today
		}
		list = append(list, one)
	}
	slices.Sort(departments)
	late := func(n needLine) int {
		if n.Late {
			return 0
		}
		return 1 + slices.Index(needStates, n.State)
	}
	slices.SortFunc(list, func(x, y needLine) int {
		return cmp.Or(cmp.Compare(late(x), late(y)), cmp.Compare(cmp.Or(x.Due, x.FoundOn), cmp.Or(y.Due, y.FoundOn)), cmp.Compare(x.ID.String(), y.ID.String()))
	})
	return list, departments, nil
}

func (c *Console) needs(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	c.needsPage(w, r, a, http.StatusOK, page{}, r.URL.Query())
}

func (c *Console) needsPage(w http.ResponseWriter, r *http.Request, a *accounts.Account, status int, p page, q url.Values) {
	list, departments, err := c.needList(r, a, q)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	villages, names, err := c.villages(r, a, q.Get("village"))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	all, overdue := len(list), 0
	for _, n := range list {
		if n.Late {
			overdue++
		}
	}
	after, _ := uuid.Parse(q.Get("after"))
	if i := slices.IndexFunc(list, func(n needLine) bool { return n.ID == after }); i >= 0 {
		list = list[i+1:]
	}
	pages := pager{First: after == uuid.Nil}
	if len(list) > pageSize {
		list = list[:pageSize]
		next := url.Values{"after": {list[pageSize-1].ID.String()}}
		for _, name := range []string{"state", "department", "village"} {
			if v := q.Get(name); v != "" {
				next.Set(name, v)
			}
		}
		pages.Next = "?" + next.Encode()
	}
	for i := range list {
		list[i].Village = names[list[i].Division]
		if h, err := c.Office.Replica.Entity(r.Context(), list[i].Household); err == nil {
			list[i].Name = h.Text("name")
		}
	}
	p.Title, p.Account = "console.needs", a
	p.Data = map[string]any{
		"Rows": list, "All": all, "Late": overdue, "Pager": pages, "Villages": villages, "Departments": departments, "States": needStates, "Answers": needAnswers,
		"State": q.Get("state"), "Department": q.Get("department"), "Village": q.Get("village"),
	}
	c.render(w, r, status, "needs.html", p)
}

// moveNeeds refers what was ticked, or writes down what a department answered.
func (c *Console) moveNeeds(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	if err := r.ParseForm(); err != nil {
		c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
		return
	}
	filter := url.Values{}
	for _, name := range []string{"state", "department", "village"} {
		if v := r.PostFormValue(name); v != "" {
			filter.Set(name, v)
		}
	}
	fault := func(key string) {
		c.needsPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: c.say(r).Say(key, nil)}, filter)
	}
	to, answer := needs.Referred, cutText(strings.TrimSpace(r.PostFormValue("answer")), 500)
	switch r.PostFormValue("do") {
	case "refer":
		answer = ""
	case "answer":
		if to = r.PostFormValue("to"); !slices.Contains(needAnswers, to) {
			fault("console.needs_no_answer")
			return
		}
	default:
		c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
		return
	}
	var list []needs.Need
	for _, text := range r.PostForm["id"] {
		id, err := uuid.Parse(text)
		if err != nil {
			c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
			return
		}
		e, err := c.Office.Replica.Entity(r.Context(), id)
		if err != nil || e.Kind != store.Need || !a.Covers(e.Division) {
			c.refuse(w, r, http.StatusNotFound, "console.not_found")
			return
		}
		list = append(list, needs.FromEntity(e))
	}
	if len(list) == 0 {
		fault("console.needs_none")
		return
	}
	for _, n := range list { // said before anything is on record
		if err := needs.LifeCycle.May(n.State, to, trust.County); err != nil {
			said, hint := c.say(r).Error(err)
			c.needsPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: said, Hint: hint}, filter)
			return
		}
	}
	if err := c.record(r, a, audit.Act{Action: audit.Decision, Object: "needs " + to, Count: int64(len(list)), Detail: map[string]string{"ids": cutText(strings.Join(r.PostForm["id"], " "), 4000), "answer": answer}}); err != nil {
		c.broken(w, r, err)
		return
	}
	if err := needs.Move(r.Context(), c.Office.Replica, a.Person, trust.County, c.Office.World.Now(), to, answer, list...); err != nil {
		c.failed(w, r, err)
		return
	}
	c.doneWith(w, r, Base+"needs?"+filter.Encode(), "console.needs_moved", map[string]any{"N": len(list), "State": c.say(r).Say("state."+to, nil)})
}

// collectNeeds finds the needs in accepted visits.
func (c *Console) collectNeeds(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	n, err := needs.Collect(r.Context(), c.Office.Replica, a.Person, a.Division(), c.Office.World.Now())
	if err == nil {
		err = c.record(r, a, audit.Act{Action: audit.Decision, Object: "needs found", Count: int64(n)})
	}
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.doneWith(w, r, Base+"needs", "console.needs_collected", map[string]any{"N": n})
}

// needsFile is the list that goes to a department: what was referred to it and not
// answered, masked. Names and phones in full go by command, for which a person answers.
func (c *Console) needsFile(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	department := r.URL.Query().Get("department")
	list, err := needs.List(r.Context(), c.Office.Replica, a.Division(), needs.Referred, department)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if department == "" || len(list) == 0 {
		c.refuse(w, r, http.StatusNotFound, "console.needs_nothing")
		return
	}
	var file strings.Builder
	if err := needs.WriteReferral(&file, department, list, true); err != nil {
		c.broken(w, r, err)
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Export, Object: "needs", Count: int64(len(list)), Digest: sum([]byte(file.String())), Detail: map[string]string{"recipient": department}}); err != nil {
		c.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	name := export.Plain(department) + "-" + c.Office.World.Now().Format("20060102") + ".xlsx"
	w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(fileName(name)))
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(file.String()))
}

// needsBack takes in a list that a department filled.
func (c *Console) needsBack(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	name, data, ok := c.upload(w, r, publish.MaxWorkbook)
	if !ok {
		return
	}
	out, err := needs.Feedback(r.Context(), c.Office.Replica, a.Person, trust.County, c.Office.World.Now(), name, data)
	if err != nil {
		said, hint := c.say(r).Error(err)
		c.needsPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: said, Hint: hint}, url.Values{})
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Decision, Object: "needs answered", Count: int64(out.Taken), Digest: sum(data), Detail: map[string]string{"file": name}}); err != nil {
		c.broken(w, r, err)
		return
	}
	c.doneWith(w, r, Base+"needs", "console.needs_taken", map[string]any{"Taken": out.Taken, "Same": out.Same, "Blank": out.Blank})
}
