package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/store/audit"
)

// exportRow is a request as the page shows it.
type exportRow struct {
	export.Request
	MayAnswer, MayFetch bool
	Percent             int
}

func (c *Console) exports(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	c.exportsPage(w, r, a, http.StatusOK, page{}, nil)
}

func (c *Console) exportsPage(w http.ResponseWriter, r *http.Request, a *accounts.Account, status int, p page, problems [][2]string) {
	list, err := c.Desk.List(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	templates, err := c.Desk.Templates(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	villages, _, err := c.villages(r, a, r.URL.Query().Get("village"))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	var rows []exportRow
	for _, q := range list {
		one := exportRow{Request: q}
		one.MayAnswer = q.State == export.Waiting && may(a.Role, letExport) && q.MayAnswer(a.Person.String(), a.Role)
		one.MayFetch = q.State == export.Ready && (q.By == a.Person.String() || may(a.Role, letExport) || !q.Sensitive())
		if q.Of > 0 {
			one.Percent = min(100, q.Rows*100/q.Of)
		}
		if q.State == export.Running || q.State == export.Approved {
			p.Refresh = 2
		}
		if rows = append(rows, one); len(rows) == 60 {
			break
		}
	}
	p.Title, p.Account = "console.exports", a
	p.Data = map[string]any{
		"Rows": rows, "Templates": templates, "Villages": villages, "Household": r.URL.Query().Get("household"), "Problems": problems,
		"Formats": []string{"xlsx", "csv", "jsonl", "geojson", "pdf", "evidence"}, "Format": r.URL.Query().Get("format"),
	}
	c.render(w, r, status, "exports.html", p)
}

// askExport asks for an export; what needs no second person begins at once.
func (c *Console) askExport(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	q := export.Request{
		By: a.Person.String(), ByName: a.Name, Role: string(a.Role), Format: r.PostFormValue("format"), Template: r.PostFormValue("template"),
		Division: a.Division(), Status: r.PostFormValue("status"), Unmasked: r.PostFormValue("unmasked") == "yes", Children: r.PostFormValue("children") == "yes",
		Reason: cutText(strings.TrimSpace(r.PostFormValue("reason")), 500), Recipient: cutText(strings.TrimSpace(r.PostFormValue("recipient")), 200),
	}
	if d := r.PostFormValue("division"); d != "" {
		if !a.Covers(d) {
			c.refuse(w, r, http.StatusForbidden, "console.may_not")
			return
		}
		q.Division = d
	}
	if h := strings.TrimSpace(r.PostFormValue("household")); h != "" {
		id, err := uuid.Parse(h)
		if err != nil {
			c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
			return
		}
		e, err := c.Office.Replica.Entity(r.Context(), id)
		if err != nil || !a.Covers(e.Division) {
			c.refuse(w, r, http.StatusNotFound, "console.not_found")
			return
		}
		q.Household = id
	}
	if q.Status != "" && q.Status != export.OnlyVerified && q.Status != export.Registered {
		c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
		return
	}
	q.Unmasked = q.Unmasked || q.Children
	q, err := c.Desk.Ask(r.Context(), q)
	if err != nil {
		said, hint := c.say(r).Error(err)
		c.exportsPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: said, Hint: hint}, nil)
		return
	}
	if q.State == export.Waiting {
		c.done(w, r, Base+"exports", "console.export_waits")
		return
	}
	c.runExport(q.ID)
	c.done(w, r, Base+"exports", "console.export_begun")
}

// runExport makes an export in the background.
func (c *Console) runExport(id uuid.UUID) {
	c.background(func(ctx context.Context) {
		if _, err := c.Desk.Run(ctx, id); err != nil {
			c.Log.Error("export failed", "export", id.String(), "error", err.Error())
			return
		}
		if err := c.Audit.Witness(ctx, c.Office.Replica); err != nil {
			c.Log.Error("audit checkpoint not written", "error", err.Error())
		}
	})
}

func (c *Console) answerExport(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	id, _ := uuid.Parse(r.PathValue("id"))
	yes := r.PostFormValue("answer") == "approve"
	if err := c.Desk.Answer(r.Context(), id, a.Person.String(), a.Role, yes, cutText(strings.TrimSpace(r.PostFormValue("words")), 500)); err != nil {
		c.failed(w, r, err)
		return
	}
	if yes {
		c.runExport(id)
		c.done(w, r, Base+"exports", "console.export_approved")
		return
	}
	c.done(w, r, Base+"exports", "console.export_refused")
}

// againExport makes a failed export once more.
func (c *Console) againExport(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	id, _ := uuid.Parse(r.PathValue("id"))
	q, err := c.Desk.Get(r.Context(), id)
	if err != nil || q.State != export.Failed || q.By != a.Person.String() {
		c.refuse(w, r, http.StatusNotFound, "console.not_found")
		return
	}
	c.runExport(id)
	c.done(w, r, Base+"exports", "console.export_begun")
}

// fetchExport sends a file, and goes on where a broken download ended (Range).
func (c *Console) fetchExport(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	id, _ := uuid.Parse(r.PathValue("id"))
	q, err := c.Desk.Get(r.Context(), id)
	if err != nil {
		c.refuse(w, r, http.StatusNotFound, "console.not_found")
		return
	}
	if q.Sensitive() && q.By != a.Person.String() && !may(a.Role, letExport) {
		c.refuse(w, r, http.StatusForbidden, "console.may_not")
		return
	}
	asked := r.Header.Get("Range")
	f, q, err := c.Desk.Fetch(r.Context(), id, a.Person.String(), string(a.Role), asked == "" || strings.HasPrefix(asked, "bytes=0-"))
	if err != nil {
		c.failed(w, r, err)
		return
	}
	defer f.Close()
	kind := map[string]string{
		"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl",
		"geojson": "application/geo+json", "pdf": "application/pdf", "evidence": "application/zip",
	}[q.Format]
	if q.Volumes > 1 {
		kind = "application/zip"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("ETag", strconv.Quote(q.Digest))
	w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(q.FileName()))
	http.ServeContent(w, r, "", q.Done, f)
}

func (c *Console) keepTemplate(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	name, data, ok := c.upload(w, r, export.MaxTemplate)
	if !ok {
		return
	}
	fields, err := export.FieldsOf(r.Context(), c.Office.Replica)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	t, report := export.ReadTemplate(name, data, fields)
	if t == nil {
		said, hint := c.say(r).Error(&export.TemplateError{File: name, Report: report})
		c.exportsPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: said, Hint: hint}, c.problems(r, report))
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Publish, Object: "export template", Digest: sum(data), Detail: map[string]string{"file": name}}); err != nil {
		c.broken(w, r, err)
		return
	}
	if err := c.Desk.Keep(r.Context(), name, data); err != nil {
		c.broken(w, r, err)
		return
	}
	c.done(w, r, Base+"exports", "console.template_kept")
}

// auditRow is an entry as the auditor sees it: no personal content.
type auditRow struct {
	audit.Entry
	Who string
}

func (c *Console) audit(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	c.auditPage(w, r, a, -1, nil)
}

func (c *Console) auditPage(w http.ResponseWriter, r *http.Request, a *accounts.Account, open int64, detail map[string]string) {
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	action := r.URL.Query().Get("action")
	if open >= 0 {
		before, action = open+1, ""
	}
	if !slices.Contains(audit.Actions, action) {
		action = ""
	}
	list, err := c.Audit.Entries(r.Context(), audit.Query{Action: action, Before: before, Limit: pageSize + 1})
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p := pager{First: before <= 0}
	if len(list) > pageSize {
		list = list[:pageSize]
		q := url.Values{"before": {strconv.FormatInt(list[pageSize-1].N, 10)}}
		if action != "" {
			q.Set("action", action)
		}
		p.Next = "?" + q.Encode()
	}
	accounts, err := c.book.List(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	names := map[string]string{}
	for _, x := range accounts {
		names[x.Person.String()] = x.Login
	}
	var rows []auditRow
	for _, e := range list {
		who := names[e.Actor]
		if who == "" {
			who = cutText(e.Actor, 20)
		}
		rows = append(rows, auditRow{e, who})
	}
	since := c.Office.World.Now().AddDate(0, -1, 0)
	counts, err := c.Audit.Counts(r.Context(), since)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	var list2 []bar
	say := c.say(r)
	for _, name := range audit.Actions {
		if n := counts[name]; n > 0 {
			list2 = append(list2, bar{say.Say("audit.action."+name, nil), int(n), "c1"})
		}
	}
	checkpoint, err := c.Audit.Checkpoint(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "audit.html", page{Title: "console.audit", Account: a, Data: map[string]any{
		"Rows": rows, "Pager": p, "Counts": bars(say.Say("console.audit_month", nil), list2), "Action": action, "Actions": audit.Actions,
		"Checkpoint": string(checkpoint), "MayDetail": may(a.Role, seeDetail), "Detail": detail, "OpenN": open, "Since": since,
	}})
}

// auditDetail opens the words of one entry; that too is on record.
func (c *Console) auditDetail(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil || n < 0 {
		c.refuse(w, r, http.StatusNotFound, "console.not_found")
		return
	}
	detail, err := c.Audit.Detail(r.Context(), n)
	if err != nil {
		c.refuse(w, r, http.StatusNotFound, "console.not_found")
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Reveal, Object: "audit " + strconv.FormatInt(n, 10), Count: 1}); err != nil {
		c.broken(w, r, err)
		return
	}
	c.auditPage(w, r, a, n, detail)
}
