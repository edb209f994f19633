package console_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"ironfeet/app/console"
	"ironfeet/store"
)

// browser opens Debian's Chromium without scripts: whatever works here works
// without them. make test-console installs it and insists on it.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("IRONFEET_BROWSER") != "" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed: make test-console installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Env("LANG=C.UTF-8", "LANGUAGE="), chromedp.Flag("accept-lang", "zh-CN"), chromedp.WindowSize(1440, 900))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute) // every wait has an end
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})))
	return ctx
}

// TestInABrowser goes the clerk's and the approver's way with keyboard and mouse and
// no script, and writes what it saw to IRONFEET_PICTURES.
func TestInABrowser(t *testing.T) {
	h := open(t)
	ctx := browser(t)
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		require.NoError(t, chromedp.Do(ctx, steps...))
	}
	at := func(path string) string { return h.server.URL + console.Base + path }
	text := func(sel string) string {
		t.Helper()
		s, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(sel)))
		require.NoError(t, err)
		return s
	}
	picture := func(name string) {
		t.Helper()
		dir := os.Getenv("IRONFEET_PICTURES")
		for _, size := range []struct {
			name          string
			width, height int64
		}{{"desktop", 1440, 900}, {"across", 1024, 768}, {"tablet", 800, 1280}} {
			do(chromedp.EmulateViewport(size.width, size.height))
			data, err := chromedp.Run(ctx, chromedp.FullScreenshot(90))
			require.NoError(t, err)
			require.Greater(t, len(data), 5000, name)
			if dir != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "console-"+name+"-"+size.name+".jpg"), data, 0o600))
			}
		}
		do(chromedp.EmulateViewport(1440, 900))
	}
	// paper prints the page that is open, as its print style has it.
	paper := func(name string) {
		t.Helper()
		data, err := chromedp.Run(ctx, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize(), chromedp.PDFPrintBackground()))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(data), "%PDF-"), name)
		if dir := os.Getenv("IRONFEET_PICTURES"); dir != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "paper-"+name+".pdf"), data, 0o600))
		}
	}
	signIn := func(login string) {
		t.Helper()
		do(chromedp.Navigate(at("login")), chromedp.SendKeys(chromedp.CSS(`input[name=login]`), login), chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password+"\r"), chromedp.WaitVisible(chromedp.CSS(`.tiles`)))
	}
	signOut := func() {
		t.Helper()
		do(chromedp.Click(chromedp.CSS(`form[action$="logout"] button`)), chromedp.WaitVisible(chromedp.CSS(`input[name=password]`)))
	}

	do(chromedp.Navigate(at("login")), chromedp.WaitVisible(chromedp.CSS(`input[name=login]`)))
	picture("01-login")
	signIn("clerk")
	require.Contains(t, text(`h1`), "总览")
	picture("02-overview")
	paper("overview")

	do(chromedp.Click(chromedp.CSS(`nav a[href$="households"]`)), chromedp.WaitVisible(chromedp.CSS(`input[name=q]`)))
	picture("03-households")
	do(chromedp.SendKeys(chromedp.CSS(`input[name=q]`), "w\r"), chromedp.WaitVisible(chromedp.CSS(`input[name=q][value=w]`)))
	visited := visitedHousehold(t, h)
	do(chromedp.Navigate(at("households/"+visited.ID.String())), chromedp.WaitVisible(chromedp.CSS(`.timeline`)))
	require.NotContains(t, text(`main`), visited.Text("phone"))
	picture("04-household-masked")
	do(chromedp.SendKeys(chromedp.CSS(`input[name=reason]`), "核对申请人电话\r"), chromedp.WaitVisible(chromedp.CSS(`.notice`)))
	require.Contains(t, text(`main`), visited.Text("phone"))
	picture("05-household")
	do(chromedp.Navigate(at("households/"+visited.ID.String()+"/print")), chromedp.WaitVisible(chromedp.CSS(`h1`)))
	picture("05-household-print")
	paper("household")
	visits, err := h.Office.Replica.Children(ctx, store.Visit, visited.ID)
	require.NoError(t, err)
	do(chromedp.Navigate(at("visits/"+visits[0].ID.String())), chromedp.WaitVisible(chromedp.CSS(`.pairs`)))
	picture("06-visit")
	paper("visit")
	for _, page := range []struct{ path, name, wait string }{
		{"tasks", "07-tasks", `table, .empty`}, {"visits", "08-visits", `table`}, {"determinations", "09-determinations", `table, .empty`},
		{"standards", "10-standards", `input[type=file]`}, {"exports", "11-exports", `select[name=format]`}, {"devices", "12-devices", `table`}, {"system", "13-system", `.chart`},
	} {
		do(chromedp.Navigate(at(page.path)), chromedp.WaitVisible(chromedp.CSS(page.wait)))
		picture(page.name)
		paper(page.name)
	}

	// A list, from the file to what was understood.
	list := h.Sample.Lists()[1]
	file := filepath.Join(t.TempDir(), list.File)
	require.NoError(t, os.WriteFile(file, list.Data, 0o600))
	do(chromedp.Navigate(at("compare")), chromedp.SetUploadFiles(chromedp.CSS(`input[type=file]`), []string{file}), chromedp.SetValue(chromedp.CSS(`select[name=source]`), list.Source),
		chromedp.Click(chromedp.CSS(`form.card button`)), chromedp.WaitVisible(chromedp.CSS(`.tiles.small`)))
	picture("14-compare")
	do(chromedp.Click(chromedp.CSS(`form[action*="compare/"] button`)), chromedp.WaitVisible(chromedp.CSS(`.ticks`)))
	picture("14-alerts")
	paper("alerts")
	do(chromedp.Navigate(at("alerts?source="+list.Source)), chromedp.Click(chromedp.CSS(`input[name=id]`)), chromedp.Click(chromedp.CSS(`button[value=confirm]`)), chromedp.WaitVisible(chromedp.CSS(`.notice`)))
	require.Contains(t, text(`.notice`), "1 条预警已确认")

	// Needs, from the visits to a department and back.
	do(chromedp.Navigate(at("needs")), chromedp.Click(chromedp.CSS(`form[action$="collect"] button`)), chromedp.WaitVisible(chromedp.CSS(`td.tick input`)), chromedp.Click(chromedp.CSS(`td.tick input`)), chromedp.Click(chromedp.CSS(`button[value=refer]`)), chromedp.WaitVisible(chromedp.CSS(`.state.referred`)))
	picture("14-needs")
	paper("needs")

	// An unmasked export: the clerk asks, the approver agrees.
	do(chromedp.Navigate(at("exports")), chromedp.Click(chromedp.CSS(`input[name=unmasked]`)), chromedp.SendKeys(chromedp.CSS(`input[name=reason]`), "年度归档"), chromedp.SendKeys(chromedp.CSS(`input[name=recipient]`), "县档案室"),
		chromedp.Click(chromedp.CSS(`form[action$="exports"] button`)), chromedp.WaitVisible(chromedp.CSS(`.notice`)))
	require.Contains(t, text(`table`), "等待批准")
	signOut()
	signIn("boss")
	do(chromedp.Navigate(at("exports")), chromedp.SendKeys(chromedp.CSS(`input[name=words]`), "同意"), chromedp.Click(chromedp.CSS(`button[value=approve]`)), chromedp.WaitVisible(chromedp.CSS(`.notice`)))
	require.Eventually(t, func() bool {
		list, err := h.console.Desk.List(ctx)
		return err == nil && list[0].State == "ready"
	}, 20*time.Second, 20*time.Millisecond)
	do(chromedp.Navigate(at("exports")), chromedp.WaitVisible(chromedp.CSS(`a[href$="/file"]`)))
	picture("15-exports-ready")

	// A determination with its trace, decided by a person.
	do(chromedp.Navigate(at("determinations")), chromedp.WaitVisible(chromedp.CSS(`table, .empty`)))
	if links, err := chromedp.Run(ctx, chromedp.Nodes(chromedp.CSSAll(`td a[href*="determinations/"]`), chromedp.AtLeast(0))); err == nil && len(links) > 0 {
		do(chromedp.Click(chromedp.CSS(`td a[href*="determinations/"]`)), chromedp.WaitVisible(chromedp.CSS(`.verdict`)))
		picture("16-determination")
		paper("determination")
		do(chromedp.Click(chromedp.CSS(`form.card button`)), chromedp.WaitVisible(chromedp.CSS(`.notice`)))
		require.Contains(t, text(`.notice`), "认定")
	}
	do(chromedp.Navigate(at("audit")), chromedp.WaitVisible(chromedp.CSS(`pre`)))
	picture("17-audit")
	paper("audit")
	signOut()
	signIn("admin")
	do(chromedp.Navigate(at("accounts")), chromedp.WaitVisible(chromedp.CSS(`table`)))
	picture("18-accounts")
	do(chromedp.Navigate(at("devices")), chromedp.SendKeys(chromedp.CSS(`input[name=name]`), "平板D（虚构）"), chromedp.SendKeys(chromedp.CSS(`input[name=scope]`), "459921100202"), chromedp.SendKeys(chromedp.CSS(`textarea[name=people]`), "走访员庚（虚构）"),
		chromedp.Click(chromedp.CSS(`form[action$="devices"] button`)), chromedp.WaitVisible(chromedp.CSS(`.qr`)))
	picture("19-invitation")
	do(chromedp.Navigate(at("me")), chromedp.WaitVisible(chromedp.CSS(`.qr`)))
	picture("20-me")
	signOut()
}
