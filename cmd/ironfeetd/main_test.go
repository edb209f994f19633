package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/relay"
)

// TestMain lets this test binary be the program itself, so that tests start real
// server processes.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command runs a command line in this process.
func command(args ...string) (status int, out, errs string) {
	var o, e bytes.Buffer
	status = run(append([]string{"--lang", "en"}, args...), &o, &e)
	return status, o.String(), e.String()
}

// TestTheDemonstration runs the whole road. It checks itself; this looks at what it
// leaves behind.
func TestTheDemonstration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	status, out, errs := command("demo", "--dir", dir)
	require.Equal(t, 0, status, errs)
	for _, words := range []string{"120 households", "173 questions", "matched", "nothing else", "cut 2 times", "control number", "conflict", "returned", "sound: ", "was altered", "Done in"} {
		require.Contains(t, out, words)
	}

	// The same folder again: nothing is touched.
	before := listing(t, dir)
	status, _, errs = command("demo", "--dir", dir)
	require.Equal(t, 1, status)
	require.Contains(t, errs, dir)
	require.Equal(t, before, listing(t, dir))

	// The package is accepted by anybody with the public key, and refused with
	// another county's.
	pack, key := filepath.Join(dir, "exports", "证据包.zip"), filepath.Join(dir, "county", office.PublicKeyFile)
	status, out, errs = command("verify", "--key", key, pack)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "20 visits")
	other := filepath.Join(t.TempDir(), "other")
	status, _, errs = command("init", "--data", other, "--name", "别县（虚构）", "--division", "459922")
	require.Equal(t, 0, status, errs)
	status, _, errs = command("verify", "--key", filepath.Join(other, office.PublicKeyFile), pack)
	require.Equal(t, 1, status)
	require.NotEmpty(t, errs)

	for _, args := range [][]string{{"status", "--data", filepath.Join(dir, "county")}, {"doctor", "--data", filepath.Join(dir, "county")}, {"doctor", "--rebuild", "--data", filepath.Join(dir, "county")},
		{"node", "list", "--data", filepath.Join(dir, "county")}, {"person", "list", "--data", filepath.Join(dir, "county")}} {
		status, out, errs = command(args...)
		require.Equal(t, 0, status, "%v: %s", args, errs)
		require.NotEmpty(t, out)
	}

	// A stick of this county is not for that one.
	stick := filepath.Join(dir, "stick", "平板B.ironfeet")
	status, _, errs = command("bundle", "import", "--data", other, stick)
	require.Equal(t, 1, status)
	require.NotEmpty(t, errs)
}

func listing(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		names = append(names, path+info.ModTime().String())
		return err
	}))
	return names
}

func TestADemonstrationNeedsItsOwnFolder(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.txt"), []byte("mine"), 0o600))
	status, _, errs := command("demo", "--dir", dir)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "not empty")
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, 1)

	begun := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(begun, demoBegun), nil, 0o600))
	status, _, errs = command("demo", "--dir", begun)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "in use")

	status, _, errs = command("demo", "--households", "10")
	require.Equal(t, 1, status)
	require.Contains(t, errs, "120")
}

func TestFaultyInput(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "county")
	status, out, errs := command("init", "--data", data, "--name", "云栖县（虚构）", "--division", "459921")
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "root fingerprint")
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const noForm = "## survey\n| type | name | label |\n|---|---|---|\n| integer | age | Age |\n| note | n | ${agee} years |\n"
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   []string // on stderr
	}{
		{"a workbook that is no workbook", []string{"form", "check", file("a.xlsx", "PK\x03\x04 this is no zip")}, 1, []string{"a.xlsx"}},
		{"an old .xls", []string{"form", "check", file("b.xlsx", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 old")}, 1, []string{"b.xlsx"}},
		{"an empty file", []string{"form", "check", file("c.md", "")}, 1, []string{"c.md"}},
		{"a reference to no question", []string{"form", "check", file("d.md", noForm)}, 1, []string{"survey!C3", "agee", "age"}},
		{"the same is not published", []string{"form", "publish", "--data", data, filepath.Join(dir, "d.md")}, 1, []string{"survey!C3"}},
		{"standards with an unknown name", []string{"standards", "check", file("e.md", "## settings\n| name | value |\n| version | 1 |\n| valid_from | 2026-01-01 |\n## parameters\n| name | value |\n| limit | 1 |\n## facts\n| name | label | formula |\n| x | X | ${limt} |\n## categories\n| category | label | condition |\n| a | A | ${x} > 1 |\n")}, 1, []string{"facts!C2", "limit"}},
		{"a list without an identity column", []string{"compare", "preview", "--data", data, "--source", "vehicles", file("f.csv", "姓名,车牌\n韦大山,桂F12345\n")}, 1, []string{"f.csv"}},
		{"a list from nowhere", []string{"compare", "preview", "--data", data, "--source", "ships", file("g.csv", "姓名,身份证号\n")}, 1, []string{"ships", "vehicles"}},
		{"a file that is not there", []string{"form", "check", filepath.Join(dir, "none.xlsx")}, 1, []string{"none.xlsx"}},
		{"a package that is none", []string{"verify", "--key", filepath.Join(data, office.PublicKeyFile), file("h.zip", "PK nothing")}, 1, nil},
		{"a county set up twice", []string{"init", "--data", data, "--name", "x", "--division", "459921"}, 1, []string{data}},
		{"a division that is none", []string{"init", "--data", filepath.Join(dir, "x"), "--name", "x", "--division", "45"}, 1, []string{"45"}},
		{"no such command", []string{"formm"}, 2, []string{"hint"}},
		{"no such option", []string{"demo", "--nothing"}, 2, []string{"hint"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _, errs := command(c.args...)
			require.Equal(t, c.status, status, errs)
			require.NotEmpty(t, errs)
			for _, s := range c.says {
				require.Contains(t, errs, s)
			}
			require.NotContains(t, errs, "template", "a sentence that could not be said")
		})
	}
	// Nothing of it was half done.
	of, err := office.Open(context.Background(), world.Real(), data)
	require.NoError(t, err)
	defer of.Close()
	for _, kind := range []store.Kind{store.Form, store.Standards, store.List, store.Alert} {
		n, err := of.Replica.Count(context.Background(), store.Query{Kind: kind})
		require.NoError(t, err)
		require.Zero(t, n, kind)
	}
}

func TestFormsAndStandardsByCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, filepath.Base(name))
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	sample := func(name string) string {
		data, err := yunqi.Files.ReadFile(name)
		require.NoError(t, err)
		return write(name, data)
	}
	form := sample("forms/入户核查.xlsx")
	status, out, errs := command("form", "check", form)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "173")

	answers := write("answers.json", []byte(`[{"path":"/visit/outcome","value":"absent"},{"path":"/visit/revisit","value":"2099-01-01"}]`))
	status, out, errs = command("form", "fill", form, "--answers", answers, "--json")
	require.Equal(t, 0, status, errs)
	require.True(t, json.Valid([]byte(out)), out)
	require.Contains(t, out, "photo_door")
	status, _, errs = command("form", "fill", form, "--answers", write("x.json", []byte(`{"not":"a list"}`)))
	require.Equal(t, 1, status)
	require.Contains(t, errs, "x.json")

	status, out, errs = command("form", "eval", "1 + 2 * 3")
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "7")
	status, _, errs = command("form", "eval", "1 +")
	require.Equal(t, 1, status)
	require.NotEmpty(t, errs)

	household := write("h.json", []byte(`{"area":"rural","members":[{"id":"a","name":"韦一","birth":"1986-05-01","counted":"yes","dis_kind":"0","major_ill":"no","job":"casual"}],
		"has_wage":"no","has_business":"no","has_property":"no","has_transfer":"yes","incomes":[{"person":"a","kind":"transfer","sub":"support","unit":"year","amount":"1200","counts":"yes"}],
		"expenses":[],"veh_car_has":"none","houses_count":"1","houses_area":"60","money_range":"none"}`))
	status, out, errs = command("standards", "decide", sample("standards/云栖县标准.xlsx"), "--household", household, "--on", "2026-03-10")
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "低保 (dibao), 500 yuan")
	require.Contains(t, out, "1200 < 7200 → true")
}

// TestTheServerIsKilled kills the county's server process in the middle of a push,
// without warning; started again, it gets what is missing, and nothing is there
// twice.
func TestTheServerIsKilled(t *testing.T) { // invariant 1
	ctx := context.Background()
	dir := t.TempDir()
	c, err := practice.SetUp(ctx, world.Real(), dir, 24, "township", "tablet-a")
	require.NoError(t, err)
	tablet := c.Nodes["tablet-a"]
	list, err := tasks.List(ctx, tablet.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	photos := 0
	for i, task := range list[:3] {
		for _, h := range c.Sample.Households {
			if h.ID == task.Household {
				w, err := tablet.Walk(ctx, &publish.Shelf{}, task, h.Visit(time.Now(), false), uint64(i*10))
				require.NoError(t, err)
				photos += w.Photos
			}
		}
	}
	// The practice server steps aside for a real process on the same folder.
	listen, err := freeAddress()
	require.NoError(t, err)
	require.NoError(t, c.StopCounty())
	t.Cleanup(func() { tablet.Office.Close(); c.Nodes["township"].Office.Close() })
	log := filepath.Join(dir, "server.log")
	server, err := startServer(ctx, filepath.Join(dir, "county"), listen, log)
	require.NoError(t, err)

	for _, after := range []int64{3_000, 60_000, 400_000} {
		link, err := relay.New(listen)
		require.NoError(t, err)
		link.CutAfter(after)
		client := tablet.Office.Client()
		client.World.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			if link.Cuts() > 0 { // the server is dead now
				server.kill()
				return nil, syscall.ECONNREFUSED
			}
			return (&net.Dialer{}).DialContext(ctx, network, link.Addr())
		}
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err = client.Sync(short, nil)
		cancel()
		require.Error(t, err)
		<-server.done
		require.NoError(t, link.Close())
		server, err = startServer(ctx, filepath.Join(dir, "county"), listen, log)
		require.NoError(t, err)
	}
	client := tablet.Office.Client()
	client.Server = "http://" + listen
	rep, err := client.Sync(ctx, nil)
	require.NoError(t, err)
	tip, err := tablet.Office.Replica.Tip(ctx, tablet.Office.Replica.Identity().Node)
	require.NoError(t, err)
	require.Equal(t, tip.Last, rep.Receipt)
	require.NoError(t, server.stop())
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.NotContains(t, string(text), "panic")

	of, err := office.Open(ctx, world.Real(), filepath.Join(dir, "county"))
	require.NoError(t, err)
	defer of.Close()
	n, err := of.Replica.Count(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	missing, err := of.Replica.MissingBlobs(ctx)
	require.NoError(t, err)
	require.Empty(t, missing)
	findings, err := of.Replica.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, findings)
	require.Positive(t, photos)
}

func TestEveryCommandHelps(t *testing.T) {
	_, out, _ := command("--help")
	for _, name := range []string{"demo", "init", "serve", "person", "node", "form", "standards", "compare", "bundle", "export", "verify", "status", "doctor"} {
		require.Contains(t, out, name)
		status, help, _ := command(strings.Fields(name + " --help")...)
		require.Equal(t, 0, status)
		require.NotEmpty(t, help)
	}
}
