package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/app/export"
	"ironfeet/assets/yunqi"
	"ironfeet/forms/standards"
	"ironfeet/forms/xlsform"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

func mustID(t testing.TB, s string) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(s)
	require.NoError(t, err)
	return id
}

func TestAListIsLookedAtAndThenCompared(t *testing.T) {
	h := open(t)
	v := h.in(t, "clerk")
	list := h.Sample.Lists()[0]
	alerts := func() int {
		n, err := h.Office.Replica.Count(ctx, store.Query{Kind: store.Alert})
		require.NoError(t, err)
		return n
	}
	before := alerts()
	visits, err := h.Office.Replica.Count(ctx, store.Query{Kind: store.Alert, State: "task"})
	require.NoError(t, err)
	status, body, _ := v.upload("compare", list.File, list.Data, url.Values{"source": {list.Source}})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, before, alerts(), "a look writes nothing")
	for _, x := range h.Sample.Households[:8] {
		require.NotContains(t, body, x.Fields["name"], "a preview is masked")
	}
	run := regexp.MustCompile(`action="(/console/compare/[^"]+)"`).FindStringSubmatch(body)
	require.NotEmpty(t, run)
	status, _, _ = h.in(t, "boss").post(run[1], nil)
	require.Equal(t, http.StatusForbidden, status)
	status, body, to := v.post(run[1], nil)
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/console/alerts?source="+list.Source, to)
	require.Greater(t, alerts(), before, body)
	tasked, err := h.Office.Replica.Count(ctx, store.Query{Kind: store.Alert, State: "task"})
	require.NoError(t, err)
	require.Equal(t, visits, tasked, "nobody is visited before a person chose")
	require.Equal(t, list.Source, h.newest(t, audit.Compare).Object)
	status, _, _ = v.post("compare/"+uuid.NewString(), nil)
	require.Equal(t, http.StatusGone, status)
}

func TestStandardsAreLookedAtBesideThoseInForce(t *testing.T) {
	h := open(t)
	v := h.in(t, "clerk")
	data, err := yunqi.Files.ReadFile("standards/云栖县标准.md")
	require.NoError(t, err)
	changed := strings.Replace(string(data), "2026-03 |", "2026-04 |", 1)
	rural := regexp.MustCompile(`(?m)^\| std\.dibao(\.year)? .*$`).FindString(changed)
	if rural == "" {
		rural = regexp.MustCompile(`(?m)^\| std\.[a-z.]+ \|.*$`).FindString(changed)
	}
	require.NotEmpty(t, rural)
	number := regexp.MustCompile(`\d{3,}`).FindString(rural)
	require.NotEmpty(t, number)
	changed = strings.Replace(changed, rural, strings.Replace(rural, number, "9"+number, 1), 1)
	_, problems := xlsform.ReadTables("x.md", []byte(changed))
	require.True(t, problems.OK())
	status, body, _ := v.upload("standards", "新标准.md", []byte(changed), nil)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, "<del>"+number+"</del>")
	require.Contains(t, body, "<ins>9"+number+"</ins>")
	require.Contains(t, body, "试算")
	n, err := h.Office.Replica.Count(ctx, store.Query{Kind: store.Standards})
	require.NoError(t, err)
	publish := regexp.MustCompile(`action="(/console/standards/[^"]+)"`).FindStringSubmatch(body)
	require.NotEmpty(t, publish)
	status, _, _ = v.post(publish[1], nil)
	require.Equal(t, http.StatusUnprocessableEntity, status, "two sets of rules on one day are refused")
	past := strings.Replace(strings.Replace(changed, "| valid_from | 2026-01-01 |", "| valid_from | 2024-01-01 |", 1), "| valid_to | |", "| valid_to | 2024-12-31 |", 1)
	_, body, _ = v.upload("standards", "旧标准.md", []byte(past), nil)
	publish = regexp.MustCompile(`action="(/console/standards/[^"]+)"`).FindStringSubmatch(body)
	require.NotEmpty(t, publish)
	status, _, _ = v.post(publish[1], nil)
	require.Equal(t, http.StatusSeeOther, status)
	after, err := h.Office.Replica.Count(ctx, store.Query{Kind: store.Standards})
	require.NoError(t, err)
	require.Equal(t, n+1, after)
	require.Equal(t, "standards", h.newest(t, audit.Publish).Object)
}

func TestADecisionIsAPersons(t *testing.T) {
	h := open(t)
	v := h.in(t, "boss")
	_, body := v.get("determinations")
	links := regexp.MustCompile(`href="/console/(determinations/[0-9a-f-]{36})"`).FindAllStringSubmatch(body, -1)
	require.NotEmpty(t, links, body)
	link := links[0][1]
	_, body = v.get(link)
	require.NotContains(t, body, "乡镇初审意见")
	// What the township thinks stands beside what the rules suggest.
	town := h.Nodes["township"]
	id, err := uuid.Parse(strings.TrimPrefix(link, "determinations/"))
	require.NoError(t, err)
	s, err := visit.Read(ctx, town.Office.Replica, id)
	require.NoError(t, err)
	rules, err := determination.Rules(ctx, town.Office.Replica, s)
	require.NoError(t, err)
	amount := standards.Fen(43210)
	clerk := &review.Reviewer{Replica: town.Office.Replica, Person: town.People[0].ID, Role: trust.Township, Now: h.clock.now, NewID: world.Real().NewID}
	_, err = opinion.Give(ctx, clerk, s, determination.Suggest(rules, s), determination.Choice{Category: "dibao", Label: "低保", Amount: &amount, Reason: "邻里<b>反映</b>"})
	require.NoError(t, err)
	_, err = town.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	_, body = v.get("determinations")
	require.Contains(t, body, "乡镇初审意见 低保 432.10")
	_, body = v.get(link)
	for _, w := range []string{"乡镇初审意见", "432.10", "还没有公示", "邻里&lt;b&gt;反映"} {
		require.Contains(t, body, w)
	}
	suggested := regexp.MustCompile(`value="(\w+)" checked`).FindStringSubmatch(body)
	require.NotEmpty(t, suggested)
	other := "none"
	if suggested[1] == other {
		other = "dibao"
	}
	status, _, _ := v.post(link, url.Values{"category": {other}})
	require.Equal(t, http.StatusUnprocessableEntity, status, "another than suggested needs a reason")
	status, _, _ = v.post(link, url.Values{"category": {"king"}, "reason": {"x"}})
	require.Equal(t, http.StatusBadRequest, status)
	status, _, _ = h.in(t, "town").post(link, url.Values{"category": {suggested[1]}})
	require.Equal(t, http.StatusForbidden, status)
	status, _, _ = v.post(link, url.Values{"category": {other}, "reason": {"家里有病人，一事一议"}})
	require.Equal(t, http.StatusSeeOther, status)
	visit := strings.TrimPrefix(link, "determinations/")
	require.Equal(t, visit, h.newest(t, audit.Decision).Object)
	list, err := h.Office.Replica.Entities(ctx, store.Query{Kind: store.Determination})
	require.NoError(t, err)
	found := false
	for _, d := range list {
		if d.Text("visit") == visit {
			found = true
			require.Equal(t, other, d.Text("category"))
			history, err := h.Office.Replica.History(ctx, d.ID)
			require.NoError(t, err)
			boss, err := h.book.List(ctx)
			require.NoError(t, err)
			for _, a := range boss {
				if a.Login == "boss" {
					require.Equal(t, a.Person, history[0].Author, "signed with the name of whoever decided")
				}
			}
		}
	}
	require.True(t, found)
	status, _, _ = v.post(link, url.Values{"category": {other}, "reason": {"再来一次"}})
	require.Equal(t, http.StatusConflict, status)
	_, body = v.get("determinations")
	require.NotContains(t, body, link, "it waits no more")
	check, err := h.Office.Replica.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, check)
}

func TestAnExportFromTheClerkThroughTheApprover(t *testing.T) {
	h := open(t)
	clerk, boss := h.in(t, "clerk"), h.in(t, "boss")
	status, body, _ := clerk.post("exports", url.Values{"format": {"csv"}, "unmasked": {"yes"}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "理由")
	status, _, _ = clerk.post("exports", url.Values{"format": {"xlsx"}, "unmasked": {"yes"}, "reason": {"年度核查"}, "recipient": {"州民政局"}, "status": {"verified"}})
	require.Equal(t, http.StatusSeeOther, status)
	_, body = clerk.get("exports")
	require.Contains(t, body, "等待批准")
	require.NotContains(t, body, `value="approve"`, "not by whoever asked")
	_, body = boss.get("exports")
	answer := regexp.MustCompile(`action="(/console/exports/[^"]+/answer)"`).FindStringSubmatch(body)
	require.NotEmpty(t, answer)
	status, _, _ = boss.post(answer[1], url.Values{"answer": {"approve"}, "words": {"同意"}})
	require.Equal(t, http.StatusSeeOther, status)
	file := strings.TrimSuffix(answer[1], "answer") + "file"
	require.Eventually(t, func() bool {
		_, body := clerk.get("exports")
		return strings.Contains(body, file)
	}, 20*time.Second, 20*time.Millisecond)
	status, whole := clerk.get(file)
	require.Equal(t, http.StatusOK, status)
	sum := sha256.Sum256([]byte(whole))
	require.Equal(t, hex.EncodeToString(sum[:]), hex.EncodeToString(h.newest(t, audit.Export).Digest))

	// A broken download goes on, and is no second one.
	downloads := h.newest(t, audit.Download).N
	req, err := http.NewRequest(http.MethodGet, clerk.url(file), nil)
	require.NoError(t, err)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", len(whole)/2))
	status, rest, _ := clerk.do(req)
	require.Equal(t, http.StatusPartialContent, status)
	require.Equal(t, whole[len(whole)/2:], rest)
	require.Equal(t, downloads, h.newest(t, audit.Download).N)
	status, _ = h.in(t, "guardian").get(file)
	require.Equal(t, http.StatusOK, status, "an approver may see what was approved")
	status, _ = h.in(t, "town").get(file)
	require.Equal(t, http.StatusForbidden, status)

	// Children's data: only the child-data approver agrees.
	status, _, _ = clerk.post("exports", url.Values{"format": {"evidence"}, "children": {"yes"}, "reason": {"复议"}, "recipient": {"法院"}})
	require.Equal(t, http.StatusSeeOther, status)
	list, err := h.console.Desk.List(ctx)
	require.NoError(t, err)
	require.Equal(t, export.Waiting, list[0].State)
	status, _, _ = boss.post("exports/"+list[0].ID.String()+"/answer", url.Values{"answer": {"approve"}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, _, _ = h.in(t, "guardian").post("exports/"+list[0].ID.String()+"/answer", url.Values{"answer": {"refuse"}, "words": {"不必要"}})
	require.Equal(t, http.StatusSeeOther, status)
}

func TestTheAuditorSeesCountsAndDigestsOnly(t *testing.T) {
	h := open(t)
	_, body := h.in(t, "auditor").get("audit")
	require.Contains(t, body, "ironfeet.audit/459921")
	require.NotContains(t, body, `action="/console/audit/`, "words need an approval")
	for _, x := range h.Sample.Households {
		require.NotContains(t, body, x.Fields["name"])
	}
	status, _, _ := h.in(t, "auditor").post("audit/0", nil)
	require.Equal(t, http.StatusForbidden, status)
	status, body, _ = h.in(t, "boss").post("audit/0", nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "audit 0", h.newest(t, audit.Reveal).Object, "opening words is on record too")
	found, err := h.audit.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestAMachineIsInvitedAndRevoked(t *testing.T) {
	h := open(t)
	v := h.in(t, "admin")
	status, body, _ := v.post("devices", url.Values{"name": {"平板C（虚构）"}, "role": {"worker"}, "scope": {"459921100201"}, "people": {"走访员戊（虚构）\n走访员己（虚构）"}, "server": {h.Address}})
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `class="qr"`)
	require.Equal(t, int64(2), h.newest(t, audit.Invite).Count)
	for _, bad := range []url.Values{
		{"name": {"x"}, "role": {"county"}, "scope": {"459921"}, "people": {"甲"}, "server": {h.Address}},
		{"name": {"x"}, "role": {"worker"}, "scope": {"110101"}, "people": {"甲"}, "server": {h.Address}},
		{"name": {""}, "role": {"worker"}, "scope": {"459921"}, "people": {"甲"}, "server": {h.Address}},
	} {
		status, _, _ = v.post("devices", bad)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%v", bad)
	}
	own := h.Office.Replica.Identity().Node.String()
	status, _, _ = v.post("devices/"+own+"/revoke", url.Values{"reason": {"试"}})
	require.Equal(t, http.StatusUnprocessableEntity, status, "the county does not revoke itself")
}

// Every page in both languages: no key without its sentence, no page that fails.
func TestEveryPageInBothLanguages(t *testing.T) {
	h := open(t)
	visited := visitedHousehold(t, h)
	visits, err := h.Office.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	for _, lang := range []string{"zh", "en"} {
		for login, paths := range map[string][]string{
			"clerk": {"", "households", "households?q=wd", "tasks?state=all", "visits", "households/" + visited.ID.String(), "visits/" + visits[0].ID.String(), "determinations", "determinations/" + visits[0].ID.String(), "compare", "alerts", "needs", "standards", "exports", "devices", "system", "me"},
			"boss":  {"audit"}, "admin": {"accounts", "devices", "system"},
		} {
			v := h.in(t, login)
			v.lang = lang
			for _, path := range paths {
				status, body := v.get(path)
				require.Equal(t, http.StatusOK, status, path)
				require.Empty(t, unsaid.FindAllString(body, -1), "%s %s", lang, path)
				require.NotContains(t, body, "ZgotmplZ", path)
				require.NotContains(t, body, "<script", path)
				require.NotContains(t, body, " style=", path)
			}
		}
	}
}
