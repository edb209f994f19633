package console_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/needs"
	"ironfeet/app/casework/tasks"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/sync/trust"
)

// raised raises alerts of two kinds about the first households, and gives them back
// by kind.
func (h *house) raised(t testing.TB) (source string, of map[string][]*store.Entity) {
	t.Helper()
	source = "vehicles"
	var hits []alerts.Hit
	for i, home := range h.Sample.Households[10:16] {
		kind := &alerts.Kind{Kind: "car", Label: "名下有车（试）", Group: alerts.Verify}
		if i%2 == 1 {
			kind = &alerts.Kind{Kind: "car_dear", Label: "车价较高（试）", Group: alerts.Verify, Child: i == 5}
		}
		hits = append(hits, alerts.Hit{Kind: kind, Household: home.ID, Division: home.Village.Code, Name: home.Fields["name"], Detail: "名下有五菱牌汽车", Source: source, Level: "A", Due: time.Now().AddDate(0, 0, 10+i).Format(time.DateOnly), Period: t.Name()})
	}
	_, err := alerts.Raise(ctx, h.Office.Replica, h.Clerk, time.Now(), hits)
	require.NoError(t, err)
	of = map[string][]*store.Entity{}
	list, err := alerts.List(ctx, h.Office.Replica, "", alerts.Open)
	require.NoError(t, err)
	for _, a := range list {
		if a.Text("period") == t.Name() {
			of[a.Text("kind")] = append(of[a.Text("kind")], a)
		}
	}
	require.Len(t, of["car"], 3)
	require.Len(t, of["car_dear"], 3)
	return source, of
}

func (h *house) stateOf(t testing.TB, list ...*store.Entity) string {
	t.Helper()
	var out []string
	for _, a := range list {
		e, err := h.Office.Replica.Entity(ctx, a.ID)
		require.NoError(t, err)
		out = append(out, e.Text("state"))
	}
	return strings.Join(out, " ")
}

// TestAClerkChoosesWhoIsVisited: one alert, a kind, or all; what was not ticked stays,
// and what needs no visit is closed with an outcome and a reason.
func TestAClerkChoosesWhoIsVisited(t *testing.T) {
	h := open(t)
	clerk := h.in(t, "clerk")
	source, of := h.raised(t)
	_, body := clerk.get("alerts?source=" + source)
	for _, home := range h.Sample.Households[10:16] {
		require.NotContains(t, body, home.Fields["name"], "masked")
	}
	require.Contains(t, body, "名下有五菱牌汽车")
	require.Contains(t, body, "由未保负责人查看", "what concerns a child is not told to the clerk")
	post := func(status int, form url.Values) string {
		t.Helper()
		form.Set("source", source)
		got, body, _ := clerk.post("alerts", form)
		require.Equal(t, status, got, body)
		return body
	}
	post(http.StatusUnprocessableEntity, url.Values{"do": {"confirm"}})
	post(http.StatusBadRequest, url.Values{"do": {"delete"}, "all": {"yes"}})
	post(http.StatusUnprocessableEntity, url.Values{"do": {"close"}, "id": {of["car"][0].ID.String()}})
	post(http.StatusUnprocessableEntity, url.Values{"do": {"close"}, "id": {of["car"][0].ID.String()}, "outcome": {"false_data"}})
	post(http.StatusUnprocessableEntity, url.Values{"do": {"close"}, "id": {of["car"][0].ID.String()}, "outcome": {"king"}, "reason": {"x"}})
	post(http.StatusUnprocessableEntity, url.Values{"do": {"confirm"}, "id": {"0197f000-0000-7000-8000-000000000000"}})
	require.Equal(t, "open open open", h.stateOf(t, of["car"]...), "what was refused changed nothing")

	post(http.StatusSeeOther, url.Values{"do": {"confirm"}, "id": {of["car"][0].ID.String()}, "reason": {"看车在不在"}})
	require.Equal(t, "task open open", h.stateOf(t, of["car"]...))
	require.Equal(t, "open open open", h.stateOf(t, of["car_dear"]...))
	entry := h.newest(t, audit.Decision)
	require.Equal(t, int64(1), entry.Count)
	detail, err := h.audit.Detail(ctx, entry.N)
	require.NoError(t, err)
	require.Equal(t, "看车在不在", detail["reason"])
	post(http.StatusSeeOther, url.Values{"do": {"close"}, "id": {of["car"][1].ID.String()}, "outcome": {"false_data"}, "reason": {"车已过户，车管所有回函"}})
	require.Equal(t, "task closed open", h.stateOf(t, of["car"]...))
	post(http.StatusSeeOther, url.Values{"do": {"confirm"}, "kind": {"car_dear"}})
	require.Equal(t, "task task task", h.stateOf(t, of["car_dear"]...))
	require.Equal(t, "task closed open", h.stateOf(t, of["car"]...))
	post(http.StatusSeeOther, url.Values{"do": {"confirm"}, "all": {"yes"}})
	require.Equal(t, "task closed task", h.stateOf(t, of["car"]...))
	waiting, err := h.Office.Replica.Entities(ctx, store.Query{Kind: store.Task, Parent: of["car"][2].Text("parent"), State: tasks.Open})
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	_, body = h.in(t, "auditor").get("audit")
	require.Contains(t, body, "预警：要入户", "the auditor reads what was done in his own language")
	status, _, _ := h.in(t, "town").post("alerts", url.Values{"do": {"confirm"}, "all": {"yes"}})
	require.Equal(t, http.StatusForbidden, status)
}

// TestNeedsGoToDepartmentsAndComeBack in the console: found in visits, referred,
// late ones first, answered one by one or by the department's list.
func TestNeedsGoToDepartmentsAndComeBack(t *testing.T) {
	h := open(t)
	clerk := h.in(t, "clerk")
	status, _, _ := clerk.post("needs/collect", nil)
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "needs found", h.newest(t, audit.Decision).Object)
	list, err := needs.List(ctx, h.Office.Replica, "", needs.Found, "")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(list), 3)
	department := list[0].Department
	of := func(id string) needs.Need {
		e, err := h.Office.Replica.Entity(ctx, mustID(t, id))
		require.NoError(t, err)
		return needs.FromEntity(e)
	}
	one, two := list[0].ID.String(), list[1].ID.String()
	_, body := clerk.get("needs")
	require.NotContains(t, body, list[0].Name)
	require.Contains(t, body, list[0].Label)
	post := func(status int, form url.Values) string {
		t.Helper()
		got, body, _ := clerk.post("needs", form)
		require.Equal(t, status, got)
		return body
	}
	post(http.StatusUnprocessableEntity, url.Values{"do": {"refer"}})
	post(http.StatusUnprocessableEntity, url.Values{"do": {"answer"}, "id": {one}})
	post(http.StatusUnprocessableEntity, url.Values{"do": {"answer"}, "id": {one}, "to": {"resolved"}}) // nobody was asked yet
	post(http.StatusNotFound, url.Values{"do": {"refer"}, "id": {h.Sample.Households[0].ID.String()}})
	require.Equal(t, needs.Found, of(one).State)
	status, _ = clerk.get("needs/file?department=" + url.QueryEscape(department))
	require.Equal(t, http.StatusNotFound, status, "nothing was referred to it")
	post(http.StatusSeeOther, url.Values{"do": {"refer"}, "id": {one, two}})
	require.Equal(t, needs.Referred, of(one).State)
	require.Equal(t, needs.Referred, of(two).State)
	require.Equal(t, int64(2), h.newest(t, audit.Decision).Count)

	// Twenty-five working days later the answer is late, and stands first.
	late := needs.Need{ID: of(two).ID, Division: of(two).Division, State: needs.Found}
	require.NoError(t, needs.Move(ctx, h.Office.Replica, h.Clerk, trust.County, time.Now().AddDate(0, 0, -60), needs.Referred, "", late))
	_, body = clerk.get("needs")
	require.Contains(t, body, "1 项超期未答复")
	require.Less(t, strings.Index(body, two), strings.Index(body, one))

	// The list for the department: masked, and on record.
	status, file := clerk.get("needs/file?department=" + url.QueryEscape(department))
	require.Equal(t, http.StatusOK, status)
	entry := h.newest(t, audit.Export)
	require.Equal(t, "needs", entry.Object)
	f, err := excelize.OpenReader(strings.NewReader(file))
	require.NoError(t, err)
	defer f.Close()
	rows, err := f.GetRows("需求清单")
	require.NoError(t, err)
	require.Equal(t, int64(len(rows)-1), entry.Count)
	require.NotContains(t, file, list[0].Name)
	require.Contains(t, rows[1][2], "*")
	at := 0
	for i, row := range rows {
		if row[0] == one {
			at = i + 1
		}
	}
	require.Positive(t, at)
	cell := fmt.Sprintf("I%d", at)
	require.NoError(t, f.SetCellValue("需求清单", cell, "办了吧"))
	var bad bytes.Buffer
	require.NoError(t, f.Write(&bad))
	status, _, _ = clerk.upload("needs/feedback", "回.xlsx", bad.Bytes(), nil)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Equal(t, needs.Referred, of(one).State, "one wrong row, and nothing is taken in")
	require.NoError(t, f.SetCellValue("需求清单", cell, "已解决"))
	var good bytes.Buffer
	require.NoError(t, f.Write(&good))
	status, _, _ = clerk.upload("needs/feedback", "回.xlsx", good.Bytes(), nil)
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, needs.Resolved, of(one).State)
	post(http.StatusSeeOther, url.Values{"do": {"answer"}, "id": {two}, "to": {"unfit"}, "answer": {"已在别处享受"}})
	require.Equal(t, needs.Unfit, of(two).State)
	require.Equal(t, "已在别处享受", of(two).Answer)
	post(http.StatusSeeOther, url.Values{"do": {"refer"}, "id": {two}}) // asked once more
	require.Equal(t, needs.Referred, of(two).State)
	_, body = clerk.get("needs?state=resolved")
	require.Regexp(t, regexp.MustCompile(one), body)
	require.NotContains(t, body, two)
}
