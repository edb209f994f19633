package console_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/console"
	"ironfeet/app/console/accounts"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

var ctx = context.Background()

const password = "correct horse battery"

// A house is a practice county with its console: visits made, some decided, and one
// account a role.
type house struct {
	*practice.County
	console *console.Console
	audit   *audit.Log
	book    *accounts.Book
	server  *httptest.Server
	clock   *clock
	jars    map[string]http.CookieJar // of those who are signed in
}

// clock is the console's time: tests move it, nobody sleeps.
type clock struct {
	mu sync.Mutex
	by time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.by)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += d
}

var shared func() (*house, error)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ironfeet-console-")
	if err != nil {
		panic(err)
	}
	shared = sync.OnceValues(func() (*house, error) { return build(dir) })
	code := m.Run()
	if h, err := shared(); err == nil {
		h.server.Close()
		h.console.Close()
		h.audit.Close()
		h.Close()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) (*house, error) {
	h := &house{clock: &clock{}}
	w := world.Real()
	w.Now = h.clock.now
	var err error
	if h.County, err = practice.Visited(ctx, w, filepath.Join(dir, "county"), 48, 6, 3); err != nil {
		return nil, err
	}
	of := h.Office
	if h.audit, err = audit.Open(ctx, audit.Options{World: w, Dir: of.Dir, Sealer: of.Replica, Key: of.NodeKey, Name: "ironfeet.audit/459921"}); err != nil {
		return nil, err
	}
	h.book = accounts.Of(of)
	for _, a := range []accounts.Account{
		{Login: "clerk", Name: "经办（虚构）", Role: trust.County}, {Login: "boss", Name: "审批（虚构）", Role: trust.Approver},
		{Login: "guardian", Name: "未保（虚构）", Role: trust.ChildApprover}, {Login: "auditor", Name: "审计（虚构）", Role: trust.Auditor},
		{Login: "admin", Name: "管理员（虚构）", Role: accounts.Administrator},
		{Login: "town", Name: "乡镇（虚构）", Role: trust.Township, Scope: []string{"459921100"}},
		{Login: "othertown", Name: "别的乡镇（虚构）", Role: trust.Township, Scope: []string{"459921101"}},
	} {
		if _, err := h.book.Add(ctx, a, password); err != nil {
			return nil, err
		}
	}
	kinds, _ := alerts.Read(yunqi.AlertKinds())
	h.console, err = console.New(console.Options{Office: of, Server: h.Server, Audit: h.audit, Kinds: kinds, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	h.server = httptest.NewServer(h.console.Beside(http.NotFoundHandler()))
	return h, nil
}

func open(t testing.TB) *house {
	t.Helper()
	h, err := shared()
	require.NoError(t, err)
	return h
}

// A visitor is a browser without scripts.
type visitor struct {
	t      testing.TB
	house  *house
	client *http.Client
	lang   string
}

func (h *house) visitor(t testing.TB) *visitor {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &visitor{t, h, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, "zh"}
}

// in is somebody who signed in; once for all tests, since a password costs 64 MiB
// and half a second to look at.
func (h *house) in(t testing.TB, login string) *visitor {
	v := h.visitor(t)
	if h.jars == nil {
		h.jars = map[string]http.CookieJar{}
	}
	if jar, ok := h.jars[login]; ok {
		v.client.Jar = jar
		if status, _ := v.get("me"); status == http.StatusOK {
			return v
		}
	}
	h.jars[login] = v.client.Jar
	status, _, to := v.post("login", url.Values{"login": {login}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, status, login)
	require.Equal(t, console.Base, to)
	return v
}

func (v *visitor) do(req *http.Request) (int, string, string) {
	v.t.Helper()
	req.Header.Set("Accept-Language", v.lang)
	resp, err := v.client.Do(req)
	require.NoError(v.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(v.t, err)
	return resp.StatusCode, string(body), resp.Header.Get("Location")
}

func (v *visitor) url(path string) string {
	if strings.HasPrefix(path, "/") {
		return v.house.server.URL + path
	}
	return v.house.server.URL + console.Base + path
}

func (v *visitor) get(path string) (int, string) {
	v.t.Helper()
	req, err := http.NewRequest(http.MethodGet, v.url(path), nil)
	require.NoError(v.t, err)
	status, body, _ := v.do(req)
	return status, body
}

func (v *visitor) post(path string, form url.Values) (int, string, string) {
	v.t.Helper()
	req, err := http.NewRequest(http.MethodPost, v.url(path), strings.NewReader(form.Encode()))
	require.NoError(v.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return v.do(req)
}

func (v *visitor) upload(path, name string, data []byte, fields url.Values) (int, string, string) {
	v.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k := range fields {
		require.NoError(v.t, w.WriteField(k, fields.Get(k)))
	}
	part, err := w.CreateFormFile("file", name)
	require.NoError(v.t, err)
	_, err = part.Write(data)
	require.NoError(v.t, err)
	require.NoError(v.t, w.Close())
	req, err := http.NewRequest(http.MethodPost, v.url(path), &b)
	require.NoError(v.t, err)
	req.Header.Set("Content-Type", w.FormDataContentType())
	return v.do(req)
}

// newest is the last entry of an action.
func (h *house) newest(t testing.TB, action string) audit.Entry {
	t.Helper()
	list, err := h.audit.Entries(ctx, audit.Query{Action: action, Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, list, action)
	return list[0]
}

// unsaid finds keys that stand where a sentence should.
var unsaid = regexp.MustCompile(`\b(console\.([a-bd-z_]|c[a-rt-z_])[a-z_]*|(state|role|field|category|kind|format|storage|audit\.action)\.[a-z_]+)\b`)

func TestWhoMayWhat(t *testing.T) {
	h := open(t)
	household := "households/" + h.Sample.Households[0].ID.String()
	for _, test := range []struct {
		login string
		may   []string
		not   []string
	}{
		{"clerk", []string{"", "households", household, "tasks", "visits", "determinations", "compare", "alerts", "needs", "standards", "exports", "devices", "system", "me"}, []string{"audit", "accounts"}},
		{"boss", []string{"", "households", "determinations", "exports", "audit", "system"}, []string{"compare", "alerts", "needs", "standards", "devices", "accounts"}},
		{"guardian", []string{"", household, "determinations", "exports", "audit"}, []string{"compare", "standards", "devices", "accounts", "system"}},
		{"auditor", []string{"", "audit", "system"}, []string{"households", household, "tasks", "visits", "determinations", "compare", "alerts", "needs", "needs/file?department=x", "standards", "exports", "devices", "accounts"}},
		{"admin", []string{"", "devices", "accounts", "system"}, []string{"households", household, "tasks", "visits", "determinations", "exports", "audit", "compare", "standards"}},
		{"town", []string{"", "households", household, "tasks", "visits"}, []string{"determinations", "compare", "alerts", "needs", "standards", "exports", "audit", "devices", "accounts", "system"}},
	} {
		v := h.in(t, test.login)
		for _, path := range test.may {
			status, body := v.get(path)
			require.Equal(t, http.StatusOK, status, "%s may see %q: %s", test.login, path, body)
			require.Empty(t, unsaid.FindAllString(body, -1), "%s %q: a sentence is missing", test.login, path)
		}
		for _, path := range test.not {
			status, body := v.get(path)
			require.Equal(t, http.StatusForbidden, status, "%s may not see %q", test.login, path)
			for _, x := range h.Sample.Households[:3] {
				require.NotContains(t, body, x.Fields["name"])
			}
		}
	}
	status, _ := h.visitor(t).get("households")
	require.Equal(t, http.StatusSeeOther, status, "a stranger is led to the door")
	status, _, _ = h.visitor(t).post(household+"/reveal", url.Values{"reason": {"好奇"}})
	require.Equal(t, http.StatusUnauthorized, status)
	status, body := h.in(t, "othertown").get(household)
	require.Equal(t, http.StatusNotFound, status, "another township's household is not there")
	require.NotContains(t, body, h.Sample.Households[0].Fields["address"])
	status, body = h.in(t, "othertown").get("households?q=" + url.QueryEscape(h.Sample.Households[0].Fields["name"]))
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, body, h.Sample.Households[0].ID.String())
}

func TestNothingIsShownBeforeItIsOnRecord(t *testing.T) {
	h := open(t)
	v := h.in(t, "clerk")
	visited := visitedHousehold(t, h)
	path := "households/" + visited.ID.String()
	secrets := []string{visited.Text("name"), visited.Text("phone")}
	members, err := h.Office.Replica.Children(ctx, store.Member, visited.ID)
	require.NoError(t, err)
	for _, m := range members {
		secrets = append(secrets, m.Text("id_no"))
	}
	_, body := v.get(path)
	for _, s := range secrets {
		require.NotContains(t, body, s)
	}
	require.NotContains(t, body, "<img", "photos show faces")
	status, _, _ := v.post(path+"/reveal", url.Values{"reason": {""}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, _, to := v.post(path+"/reveal", url.Values{"reason": {"核对申请人电话"}})
	require.Equal(t, http.StatusSeeOther, status)
	entry := h.newest(t, audit.Reveal)
	require.Equal(t, visited.ID.String(), entry.Object)
	detail, err := h.audit.Detail(ctx, entry.N)
	require.NoError(t, err)
	require.Equal(t, "核对申请人电话", detail["reason"])
	_, body = v.get(to)
	require.Contains(t, body, visited.Text("phone"))
	photo := regexp.MustCompile(`src="([^"]+/photos/[0-9a-f]+)"`).FindStringSubmatch(body)
	require.NotEmpty(t, photo)
	status, data := v.get(photo[1])
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "image/jpeg", http.DetectContentType([]byte(data)))
	status, _ = h.in(t, "boss").get(photo[1])
	require.Equal(t, http.StatusForbidden, status, "whoever gave no reason sees no photo")
	for _, m := range members {
		if born, err := time.Parse(time.DateOnly, m.Text("birth")); err == nil && born.AddDate(18, 0, 0).After(time.Now()) {
			require.NotContains(t, body, m.Text("id_no"), "a child is the child-data approver's alone")
		}
	}
	_, body = v.get(path + "/print")
	require.Contains(t, body, visited.Text("phone"))
	require.Equal(t, visited.ID.String(), h.newest(t, audit.Print).Object)
	h.clock.forward(11 * time.Minute)
	_, body = v.get(path)
	require.NotContains(t, body, visited.Text("phone"), "masked again after ten minutes")
}

// visitedHousehold is one that has an accepted visit, with children in it.
func visitedHousehold(t testing.TB, h *house) *store.Entity {
	t.Helper()
	visits, err := h.Office.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.NotEmpty(t, visits)
	for _, v := range visits {
		e, err := h.Office.Replica.Entity(ctx, mustID(t, v.Text("parent")))
		require.NoError(t, err)
		members, err := h.Office.Replica.Children(ctx, store.Member, e.ID)
		require.NoError(t, err)
		if len(members) > 2 {
			return e
		}
	}
	t.Fatal("no household with children was visited")
	return nil
}

func TestTheDoor(t *testing.T) {
	h := open(t)
	v := h.visitor(t)
	status, body, _ := v.post("login", url.Values{"login": {"clerk"}, "password": {"wrong password"}})
	require.Equal(t, http.StatusUnauthorized, status)
	said := fault(t, body)
	_, body, _ = v.post("login", url.Values{"login": {"nobody"}, "password": {"wrong password"}})
	require.Equal(t, said, fault(t, body), "an unknown login is not told from a wrong password")
	require.Equal(t, audit.SignInRefused, h.newest(t, audit.SignInRefused).Action)

	// Another token from the door on: one that was planted opens nothing.
	_, _ = v.get("login")
	base, err := url.Parse(v.url(""))
	require.NoError(t, err)
	planted := &http.Cookie{Name: "ironfeet", Value: "planted-by-somebody", Path: console.Base}
	v.client.Jar.SetCookies(base, []*http.Cookie{planted})
	status, _, _ = v.post("login", url.Values{"login": {"clerk"}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, status)
	for _, k := range v.client.Jar.Cookies(base) {
		require.NotEqual(t, planted.Value, k.Value)
	}
	thief := h.visitor(t)
	thief.client.Jar.SetCookies(base, []*http.Cookie{planted})
	status, _ = thief.get("households")
	require.Equal(t, http.StatusSeeOther, status)

	// A genuine session of his own, planted in somebody else's browser, stays his at most.
	h.in(t, "town")
	delete(h.jars, "town")
	own := h.in(t, "town")
	token := own.client.Jar.Cookies(base)
	require.NotEmpty(t, token)
	victim := h.visitor(t)
	victim.client.Jar.SetCookies(base, token)
	status, _, _ = victim.post("login", url.Values{"login": {"clerk"}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, status)
	status, _ = victim.get("determinations")
	require.Equal(t, http.StatusOK, status, "the victim is the clerk")
	status, _ = own.get("determinations")
	require.NotEqual(t, http.StatusOK, status, "whoever planted it is not")
	require.NotEqual(t, token[0].Value, victim.client.Jar.Cookies(base)[0].Value)
	delete(h.jars, "town")

	// A signed-out session opens nothing, even if its cookie was copied.
	copied := v.client.Jar.Cookies(base)
	status, _, _ = v.post("logout", nil)
	require.Equal(t, http.StatusSeeOther, status)
	thief.client.Jar.SetCookies(base, copied)
	status, _ = thief.get("households")
	require.Equal(t, http.StatusSeeOther, status)
}

func fault(t testing.TB, body string) string {
	t.Helper()
	m := regexp.MustCompile(`(?s)<div class="fault".*?</div>`).FindString(body)
	require.NotEmpty(t, m)
	return m
}

func TestWrongPasswordsWaitAndADisabledAccountIsOutAtOnce(t *testing.T) {
	h := open(t)
	_, err := h.book.Add(ctx, accounts.Account{Login: "tries", Name: "试（虚构）", Role: trust.County}, password)
	require.NoError(t, err)
	in := h.in(t, "tries")
	v := h.visitor(t)
	for range 6 {
		v.post("login", url.Values{"login": {"tries"}, "password": {"wrong password"}})
	}
	status, body, _ := v.post("login", url.Values{"login": {"tries"}, "password": {password}})
	require.Equal(t, http.StatusUnauthorized, status, "the right password waits too: %s", body)
	h.clock.forward(20 * time.Minute)
	status, _, _ = v.post("login", url.Values{"login": {"tries"}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, status, "and is taken when the wait is over")

	admin := h.in(t, "admin")
	status, _, _ = admin.post("accounts/tries", url.Values{"do": {"disable"}, "reason": {"离岗"}})
	require.Equal(t, http.StatusSeeOther, status)
	status, _ = in.get("households")
	require.Equal(t, http.StatusSeeOther, status, "the session ends with the next page")
	status, body, _ = v.post("login", url.Values{"login": {"tries"}, "password": {password}})
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, body, "停用")
	status, _, _ = admin.post("accounts/admin", url.Values{"do": {"disable"}})
	require.Equal(t, http.StatusUnprocessableEntity, status, "nobody locks himself out")
}

func TestASecondFactor(t *testing.T) {
	h := open(t)
	_, err := h.book.Add(ctx, accounts.Account{Login: "second", Name: "两步（虚构）", Role: trust.County}, password)
	require.NoError(t, err)
	v := h.in(t, "second")
	_, body := v.get("me")
	secret := regexp.MustCompile(`<p class="mono code">([A-Z2-7]+)</p>`).FindStringSubmatch(body)
	require.NotEmpty(t, secret)
	status, _, _ := v.post("me", url.Values{"code": {"000000"}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	code, err := totp.GenerateCode(secret[1], h.clock.now())
	require.NoError(t, err)
	status, _, _ = v.post("me", url.Values{"code": {code}})
	require.Equal(t, http.StatusSeeOther, status)

	v = h.visitor(t)
	_, _, to := v.post("login", url.Values{"login": {"second"}, "password": {password}})
	require.Equal(t, console.Base+"second", to)
	status, _ = v.get("households")
	require.Equal(t, http.StatusSeeOther, status, "a password alone opens nothing")
	status, _, _ = v.post("second", url.Values{"code": {code}})
	require.Equal(t, http.StatusUnauthorized, status, "no code counts twice")
	h.clock.forward(time.Minute)
	code, err = totp.GenerateCode(secret[1], h.clock.now())
	require.NoError(t, err)
	status, _, _ = v.post("second", url.Values{"code": {code}})
	require.Equal(t, http.StatusSeeOther, status)
	status, _ = v.get("households")
	require.Equal(t, http.StatusOK, status)
}

func TestAnIdleSessionEnds(t *testing.T) {
	h := open(t)
	c, err := console.New(console.Options{Office: h.Office, Server: h.Server, Audit: h.audit, Log: slog.New(slog.DiscardHandler), Idle: time.Nanosecond})
	require.NoError(t, err)
	defer c.Close()
	s := httptest.NewServer(c.Handler())
	defer s.Close()
	v := (&house{County: h.County, server: s}).visitor(t)
	status, _, _ := v.post("login", url.Values{"login": {"clerk"}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, status)
	status, _ = v.get("households")
	require.Equal(t, http.StatusSeeOther, status)
}

func TestWhatOtherSitesCannotDo(t *testing.T) {
	h := open(t)
	v := h.in(t, "clerk")
	defer v.post("language", url.Values{"to": {"zh"}}) // others use the session too
	before := h.newest(t, audit.SignIn).N
	for _, head := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"},
	} {
		req, err := http.NewRequest(http.MethodPost, v.url("exports"), strings.NewReader("format=csv"))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for k, x := range head {
			req.Header.Set(k, x)
		}
		status, body, _ := v.do(req)
		require.Equal(t, http.StatusForbidden, status, "%v", head)
		require.Contains(t, body, "别的网站")
	}
	require.Equal(t, before, h.newest(t, audit.SignIn).N)

	resp, err := v.client.Get(v.url(""))
	require.NoError(t, err)
	resp.Body.Close()
	policy := resp.Header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")
	require.NotContains(t, policy, "script-src")
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	_, _, to := v.post("language", url.Values{"to": {"en"}, "back": {"//evil.example/console/"}})
	require.True(t, strings.HasPrefix(to, "/console"), "%s leads off", to)
	for _, back := range []string{"https://evil.example", "/console/../../etc", "/console\\evil"} {
		_, _, to := v.post("language", url.Values{"to": {"en"}, "back": {back}})
		require.True(t, strings.HasPrefix(to, "/console"), "%s", to)
	}
}

func TestWhatNamesCannotDo(t *testing.T) {
	h := open(t)
	v := h.in(t, "clerk")
	evil := "<script>alert(1)</script>\u202eevil"
	changes, err := h.Office.Replica.Write(ctx, h.Clerk, store.Edit{Kind: store.Household, Division: "459921100201", Fields: map[string]store.Value{
		"name": store.Text(evil), "address": store.Text("\"><img src=x onerror=alert(1)>"), "phone": store.Text("'-alert(1)-'"),
	}})
	require.NoError(t, err)
	path := "households/" + changes[0].Entity.String()
	v.post(path+"/reveal", url.Values{"reason": {"核对姓名写法"}})
	_, body := v.get(path)
	require.NotContains(t, body, "<script>")
	require.NotContains(t, body, "<img src=x")
	require.NotContains(t, body, "\u202e")
	require.Contains(t, body, "&lt;script&gt;")
	for _, path := range []string{
		"static/../console.go", "static/..%2f..%2fconsole.go", "households/..%2f..%2fetc%2fpasswd", "households/not-an-id", "visits/" + changes[0].Entity.String(),
		"exports/00000000-0000-0000-0000-000000000000/file", "households/" + changes[0].Entity.String() + "/photos/..%2f..%2freplica.db", "nothing",
	} {
		status, body := v.get(path)
		require.Contains(t, []int{http.StatusNotFound, http.StatusForbidden, http.StatusMovedPermanently, http.StatusTemporaryRedirect}, status, path)
		require.NotContains(t, body, "package console")
	}
}

func TestUploads(t *testing.T) {
	h := open(t)
	v := h.in(t, "clerk")
	status, body, _ := v.upload("standards", "../../../etc/标准.xlsx", []byte("no workbook"), nil)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.NotContains(t, body, "../")
	status, _, _ = v.upload("exports/templates", "模板.md", bytes.Repeat([]byte("x"), 5<<20), nil)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	status, body, _ = v.upload("exports/templates", "坏.md", []byte("## 列\n\n| 列名 | 取值 |\n| --- | --- |\n| 甲 | ${visit.nb_says} |\n| 乙 | ${phon} |\n"), nil)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "nb_says 不进入任何导出")
	require.Contains(t, body, "最接近的是 phone")
	status, _, _ = v.upload("exports/templates", "..\\..\\国家平台.md", yunqi.Template(), nil)
	require.Equal(t, http.StatusSeeOther, status)
	names, err := h.console.Desk.Templates(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"国家平台.md"}, names)
	status, _, _ = v.post("compare", url.Values{"source": {"vehicles"}})
	require.Equal(t, http.StatusBadRequest, status)
}
