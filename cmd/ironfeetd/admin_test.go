package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/export"
	"ironfeet/app/practice"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

const longPassword = "correct horse battery"

// typed gives a command what somebody would type.
func typed(t *testing.T, lines ...string) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	_, err = io.WriteString(w, strings.Join(lines, "\n")+"\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	old := os.Stdin
	os.Stdin = r
	t.Cleanup(func() { os.Stdin = old; r.Close() })
}

func TestAccountsByCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "county")
	status, _, errs := command("init", "--data", dir, "--name", "云栖县（虚构）", "--division", "459921")
	require.Equal(t, 0, status, errs)
	add := func(login, role, password string, more ...string) (int, string) {
		typed(t, password)
		status, _, errs := command(append([]string{"user", "add", "--data", dir, "--login", login, "--name", login + "（虚构）", "--role", role}, more...)...)
		return status, errs
	}
	status, errs = add("clerk", "county", longPassword)
	require.Equal(t, 0, status, errs)
	for _, test := range []struct{ login, role, password, says string }{
		{"clerk", "county", longPassword, "is taken"},
		{"short", "county", "1234567", "at least 10"},
		{"Bad Login", "county", longPassword, "cannot be a login"},
		{"worker", "worker", longPassword, "does not sign in"},
		{"town", "township", longPassword, "needs one"},
	} {
		status, errs = add(test.login, test.role, test.password)
		require.Equal(t, 1, status, test.login)
		require.Contains(t, errs, test.says)
	}
	status, errs = add("elsewhere", "township", longPassword, "--scope", "110101")
	require.Equal(t, 1, status, errs)
	status, _, errs = command("user", "disable", "--data", dir, "clerk", "--reason", "left")
	require.Equal(t, 0, status, errs)
	status, out, errs := command("user", "list", "--data", dir)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "disabled: left")
	typed(t, longPassword+" again")
	status, _, errs = command("user", "password", "--data", dir, "clerk")
	require.Equal(t, 0, status, errs)
	status, _, _ = command("user", "disable", "--data", dir, "nobody", "--reason", "x")
	require.Equal(t, 1, status)
	status, out, errs = command("doctor", "--data", dir)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "audit log: 4 entries")
}

func TestOneConfigurationFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "county")
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "ironfeetd.toml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	example, err := os.ReadFile("../../assets/systemd/ironfeetd.toml")
	require.NoError(t, err)
	status, _, problem := command("--config", write(strings.ReplaceAll(string(example), "tls-", "#tls-")), "serve", "--help")
	require.Equal(t, 0, status, problem)
	good := write("data = '" + dir + "'\n[init]\nname = '云栖县（虚构）'\ndivision = '459921'\n[serve]\nbackup-every = '12h'\nbackup-keep = 3\nno-console = true\n")
	status, out, errs := command("--config", good, "init")
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "459921")
	status, out, errs = command("--config", good, "status")
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "云栖县")
	status, _, _ = command("--config", good, "status", "--data", dir+"-other")
	require.Equal(t, 1, status, "a flag on the command line wins")
	for _, test := range []struct{ text, says string }{
		{"dta = 'x'", "nearest is data"},
		{"[serve]\nbackup-dri = '/mnt'", "nearest is backup-dir"},
		{"[server]\nlisten = 'x'", "[server]"},
		{"data = ", "expected value"},
		{"[serve]\nbackup-keep = 2026-01-01", "must be text"},
		{strings.Repeat("# 长\n", 300_000), "larger than 1 MB"},
	} {
		status, _, errs := command("--config", write(test.text), "status")
		require.NotEqual(t, 0, status, test.text)
		require.Contains(t, errs, test.says, test.text)
		require.Contains(t, errs, "hint:", test.text)
		var out, chinese bytes.Buffer
		require.Equal(t, status, run([]string{"--lang", "zh", "--config", write(test.text), "status"}, &out, &chinese))
		require.Regexp(t, `error: .*配置文件`, chinese.String(), test.text)
		require.Regexp(t, `hint: .*\p{Han}`, chinese.String(), test.text)
	}
	var out2, chinese bytes.Buffer
	require.Equal(t, 2, run([]string{"--lang=zh", "--config", filepath.Join(dir, "none.toml"), "status"}, &out2, &chinese))
	require.Contains(t, chinese.String(), "找不到文件")
	chinese.Reset()
	require.Equal(t, 2, run([]string{"--lang", "zh", "statu"}, &out2, &chinese))
	require.Contains(t, chinese.String(), "命令写得不对")
}

// TestTheHouseIsKept: backups by schedule, the drill, exports that expire, photos
// that go by policy, a copy before another version of the program.
func TestTheHouseIsKept(t *testing.T) {
	ctx := context.Background()
	base := t.TempDir()
	now := time.Now()
	w := world.Real()
	w.Now = func() time.Time { return now }
	c, err := practice.Visited(ctx, w, base, 24, 2, 1)
	require.NoError(t, err)
	dir := c.Office.Dir
	of := c.Office
	second := "审批（虚构）"
	_, err = of.Enrol(ctx, second, trust.Approver, []string{"459921"}, practice.PIN)
	require.NoError(t, err)
	key, err := of.NewRecoveryKey(ctx)
	require.NoError(t, err)
	keyFile := filepath.Join(base, "recovery.key")
	require.NoError(t, os.WriteFile(keyFile, []byte(key+"\n"), 0o600))

	log, err := openAudit(ctx, of)
	require.NoError(t, err)
	desk := &export.Desk{World: w, Replica: of.Replica, Audit: log, NodeKey: of.NodeKey, Root: of.Root, Dir: dir}
	q, err := desk.Ask(ctx, export.Request{By: "clerk", Format: "csv"})
	require.NoError(t, err)
	_, err = desk.Run(ctx, q.ID)
	require.NoError(t, err)
	keep := &upkeep{UpkeepFlags: UpkeepFlags{BackupDir: filepath.Join(base, "backups"), BackupEvery: 24 * time.Hour, BackupKeep: 2, ExportDays: 30}, office: of, audit: log, desk: desk, log: slog.New(slog.DiscardHandler)}
	have := func() []string {
		names, err := backups(w.Disk, keep.BackupDir)
		require.NoError(t, err)
		return names
	}
	require.NoError(t, log.Witness(ctx, of.Replica))
	require.NoError(t, keep.once(ctx))
	require.NoError(t, keep.once(ctx))
	require.Len(t, have(), 1, "one a day")
	for range 3 {
		now = now.Add(25 * time.Hour)
		require.NoError(t, keep.once(ctx))
	}
	require.Len(t, have(), 2, "the newest two are kept")
	list, err := desk.List(ctx)
	require.NoError(t, err)
	require.Equal(t, export.Ready, list[0].State)
	now = now.AddDate(0, 0, 31)
	require.NoError(t, keep.once(ctx))
	list, err = desk.List(ctx)
	require.NoError(t, err)
	require.Equal(t, export.Expired, list[0].State, "its file is gone, its record stays")
	counts, err := log.Counts(ctx, time.Time{})
	require.NoError(t, err)
	require.Equal(t, int64(5), counts[audit.Backup])
	require.NoError(t, log.Close())
	require.NoError(t, c.Close())

	status, out, errs := command("restore-drill", "--key", keyFile, keep.BackupDir)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "the drill held")
	require.Contains(t, out, "24 households, 2 visits")
	left, err := filepath.Glob(filepath.Join(keep.BackupDir, ".drill-*"))
	require.NoError(t, err)
	require.Empty(t, left, "nothing of the drill stays")
	newest := filepath.Join(keep.BackupDir, have()[1])
	data, err := os.ReadFile(newest)
	require.NoError(t, err)
	torn := filepath.Join(base, "torn.backup")
	require.NoError(t, os.WriteFile(torn, data[:len(data)/2], 0o600))
	status, _, errs = command("restore-drill", "--key", keyFile, torn)
	require.Equal(t, 1, status)
	require.NotEmpty(t, errs)

	// Photos: planned, then removed by two people, with a certificate.
	certificate := filepath.Join(base, "removed.cose")
	day := time.Now().AddDate(0, 0, -1).Format(time.DateOnly)
	status, out, errs = command("purge", "--data", dir, "--photos-before", day)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "0 photos")
	status, _, errs = command("purge", "--data", dir, "--photos-before", "yesterday")
	require.Equal(t, 1, status, errs)
	status, _, errs = command("purge", "--data", dir, "--photos-before", day, "--really")
	require.Equal(t, 1, status)
	require.Contains(t, errs, "--approved-by")
	typed(t, practice.PIN, practice.PIN)
	status, out, errs = command("purge", "--data", dir, "--photos-before", day, "--really", "--reason", "保存期满", "--policy", "县档案办法（虚构）", "--out", certificate, "--by", "县局经办（虚构）", "--approved-by", second)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "certificate")
	status, out, errs = command("verify", "--key", filepath.Join(dir, office.PublicKeyFile), certificate)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "县档案办法（虚构）")
	status, out, errs = command("doctor", "--data", dir)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "audit log")

	// Another version of the program: the databases are copied first, photos are not.
	to, err := beforeUpgrade(world.Real(), dir, "one")
	require.NoError(t, err)
	require.Empty(t, to, "the first time there is nothing to come from")
	to, err = beforeUpgrade(world.Real(), dir, "one")
	require.NoError(t, err)
	require.Empty(t, to)
	to, err = beforeUpgrade(world.Real(), dir, "two")
	require.NoError(t, err)
	names := listing(t, to)
	require.Contains(t, strings.Join(names, " "), "replica.db")
	require.Contains(t, strings.Join(names, " "), "audit.db")
	require.NotContains(t, strings.Join(names, " "), "blobs")
	copied, err := office.Open(ctx, world.Real(), to)
	require.NoError(t, err, "the copy opens by itself")
	require.NoError(t, copied.Close())
}
