package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/needs"
	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/console/accounts"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// atFolders are the commands of the table that open a data folder, and so may
// change it or show what is in it.
func atFolders(t *testing.T) []string {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Vars{"lang": "en"}, kong.Exit(func(int) {}))
	require.NoError(t, err)
	var names []string
	for _, leaf := range parser.Model.Leaves(false) {
		path := []string{leaf.Name}
		for n := leaf.Parent; n != nil && n.Type == kong.CommandNode; n = n.Parent {
			path = slices.Insert(path, 0, n.Name)
		}
		if slices.ContainsFunc(leaf.Flags, func(f *kong.Flag) bool { return f.Name == "data" || f.Name == "county" }) {
			names = append(names, strings.Join(path, " "))
		}
	}
	return names
}

// A ledger is a folder as an auditor would compare it before and after a command:
// how many changes it holds, its accounts, and what the audit log says.
type ledger struct {
	changes  uint64
	accounts string
	held     int
	size     int64
}

func ledgerOf(t *testing.T, dir string) (l ledger, log []audit.Entry) {
	t.Helper()
	ctx := context.Background()
	of, err := office.Open(ctx, world.Real(), dir)
	require.NoError(t, err)
	defer of.Close()
	roll, err := of.Roll(ctx)
	require.NoError(t, err)
	for _, n := range roll.Nodes() {
		tip, err := of.Replica.Tip(ctx, n.Subject)
		require.NoError(t, err)
		l.changes += tip.Last
	}
	list, err := accounts.Of(of).List(ctx)
	require.NoError(t, err)
	l.accounts = fmt.Sprint(list)
	held, err := of.Replica.HeldBundles(ctx)
	require.NoError(t, err)
	l.held = len(held)
	book, err := openAudit(ctx, of)
	require.NoError(t, err)
	defer book.Close()
	l.size, err = book.Size(ctx)
	require.NoError(t, err)
	log, err = book.Entries(ctx, audit.Query{Limit: 1000})
	require.NoError(t, err)
	return l, log
}

// TestEveryCommandIsOnRecord walks the table of commands and runs each that opens a
// data folder: what changes it, and what shows persons, leaves an entry in the audit
// log; what only looks leaves none. A new command has no row here and fails.
func TestEveryCommandIsOnRecord(t *testing.T) { // domain.md §1
	ctx := context.Background()
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	c, err := practice.Visited(ctx, world.Real(), root, 24, 6, 1)
	require.NoError(t, err)
	_, err = c.Office.Enrol(ctx, "审批（虚构）", trust.Approver, []string{"459921"}, practice.PIN)
	require.NoError(t, err)
	pending, err := determination.Pending(ctx, c.Office.Replica, "")
	require.NoError(t, err)
	require.NotEmpty(t, pending)
	waits := pending[0].ID.String()
	// One more visit that the county hears of after it has revoked the tablet.
	tablet := c.Nodes["tablet-a"]
	open, err := tasks.List(ctx, tablet.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	i := slices.IndexFunc(open, func(task tasks.Task) bool { return c.Sample.Households[23].ID != task.Household })
	h := c.Sample.Households[slices.IndexFunc(c.Sample.Households, func(h *yunqi.Household) bool { return h.ID == open[i].Household })]
	_, err = tablet.Walk(ctx, &publish.Shelf{}, open[i], h.Visit(time.Now(), false), 990)
	require.NoError(t, err)
	_, err = tablet.Office.WriteCarrier(ctx, at("late.ironfeet"))
	require.NoError(t, err)
	head := c.Sample.Households[0].Members[0].Fields
	clerk, lost := c.Clerk.String(), tablet.Office.Replica.Identity().Node.String()
	dir := c.Office.Dir
	require.NoError(t, c.Close())

	write := func(name, text string) string {
		require.NoError(t, os.WriteFile(at(name), []byte(text), 0o600))
		return at(name)
	}
	sample := func(name string) string {
		data, err := yunqi.Files.ReadFile(name)
		require.NoError(t, err)
		return string(data)
	}
	list := write("车.csv", "机动车登记\n所有人,身份证号码,品牌,估值\n"+head["name"]+","+head["id_no"]+",五菱,2万元\n")
	look := func(do func(of *office.Office)) {
		of, err := office.Open(ctx, world.Real(), dir)
		require.NoError(t, err)
		defer of.Close()
		do(of)
	}
	anAlert := func(state string) (id string) {
		look(func(of *office.Office) {
			found, err := of.Replica.Entities(ctx, store.Query{Kind: store.Alert, State: state})
			require.NoError(t, err)
			require.NotEmpty(t, found, state)
			id = found[0].ID.String()
			for _, a := range found {
				if a.Text("source") == "vehicles" {
					id = a.ID.String()
				}
			}
		})
		return id
	}
	department := ""
	needOf := func() string {
		look(func(of *office.Office) {
			found, err := needs.List(ctx, of.Replica, "", needs.Found, "")
			require.NoError(t, err)
			require.NotEmpty(t, found)
			department = found[0].Department
		})
		return department
	}
	type row struct {
		command string
		args    func() []string
		typed   []string
		wants   string // actions of the entries it leaves
	}
	plain := func(args ...string) func() []string { return func() []string { return args } }
	rows := []row{
		{"init", func() []string {
			return []string{"--data", at("new"), "--name", "云栖县（虚构）", "--division", "459921"}
		}, nil, audit.Administration},
		{"user add", plain("--login", "clerk", "--name", "经办（虚构）", "--role", "county"), []string{longPassword}, audit.Account},
		{"user list", plain(), nil, ""},
		{"user disable", plain("clerk", "--reason", "离岗"), nil, audit.Account},
		{"user enable", plain("clerk"), nil, audit.Account},
		{"user password", plain("clerk"), []string{longPassword + "!"}, audit.Account},
		{"root show", plain(), nil, ""},
		{"person add", plain("--name", "审计（虚构）", "--role", "auditor"), []string{practice.PIN}, audit.Account},
		{"person list", plain(), nil, ""},
		{"node invite", plain("--name", "平板Z（虚构）", "--scope", "459921100201", "--person", "甲（虚构）", "--server", "https://county.example:8642", "--qr", at("z.png")), nil, audit.Invite},
		{"node list", plain(), nil, ""},
		{"form publish", plain(write("入户核查.md", strings.Replace(sample("forms/入户核查.md"), "| 2026", "| 2027", 1))), nil, audit.Publish},
		{"standards publish", plain(write("标准.md", strings.NewReplacer("| version | 2026-03 |", "| version | 2027-01 |", "2026-01-01", "2027-01-01").Replace(sample("standards/云栖县标准.md")))), nil, audit.Publish},
		{"standards list", plain(), nil, ""},
		{"standards whatif", plain(write("草案.md", strings.Replace(sample("standards/云栖县标准.md"), "| 600 | 850 |", "| 60000 | 85000 |", 1))), nil, audit.Reveal},
		{"compare preview", plain(list, "--source", "vehicles"), nil, ""},
		{"compare run", plain(list, "--source", "vehicles"), nil, audit.Compare},
		{"alert adopt", plain(write("预警.md", sample("alerts/预警类型.md"))), nil, audit.Publish},
		{"alert clocks", plain(), nil, audit.Compare},
		{"alert list", plain(), nil, audit.Reveal},
		{"alert confirm", func() []string { return []string{anAlert("open")} }, nil, audit.Decision},
		{"alert tasks", plain(), nil, audit.Decision},
		{"alert close", func() []string { return []string{anAlert("task"), "--outcome", "false_data", "--note", "已过户"} }, nil, audit.Decision},
		{"alert feedback", plain("--source", "vehicles", "--out", at("反馈.xlsx")), nil, audit.Export},
		{"determination pending", plain(), nil, ""},
		{"determination show", plain(waits), nil, audit.Reveal},
		{"determination decide", plain(waits, "--by", "县局经办（虚构）"), []string{practice.PIN}, audit.Decision},
		{"determination list", plain(), nil, ""},
		{"need collect", plain(), nil, audit.Decision},
		{"need list", plain(), nil, audit.Reveal},
		{"need refer", func() []string { return []string{"--department", needOf(), "--out", at("需求.xlsx")} }, nil, audit.Export},
		{"need feedback", func() []string { return []string{answered(t, at("需求.xlsx"))} }, nil, audit.Decision},
		{"household chain", plain(c.Sample.Households[0].ID.String()), nil, audit.Reveal},
		{"calendar load", plain(filepath.Join("..", "..", "assets", "workdays", "2026.txt")), nil, audit.Publish},
		{"node revoke", plain(lost, "--reason", "遗失"), nil, audit.Revoke},
		{"bundle import", plain(at("late.ironfeet")), nil, audit.Administration},
		{"bundle verify", plain(), nil, ""}, // of no file
		{"bundle held", plain(), nil, ""},
		{"bundle accept", func() (args []string) {
			look(func(of *office.Office) {
				held, err := of.Replica.HeldBundles(ctx)
				require.NoError(t, err)
				require.NotEmpty(t, held)
				args = []string{held[0].Digest.String(), "--reason", "平板找回"}
			})
			return args
		}, nil, audit.Decision},
		{"recover", func() []string {
			v, err := vault.Open(world.Real(), dir)
			require.NoError(t, err)
			id, err := uuid.Parse(clerk)
			require.NoError(t, err)
			request, err := v.AskRecovery(id)
			require.NoError(t, err)
			who, err := vault.ReadRecovery(request)
			require.NoError(t, err)
			return []string{"--check", who.Check, write("request.txt", string(request))}
		}, nil, audit.Administration},
		{"person disable", plain(clerk, "--reason", "离岗"), nil, audit.Account},
		{"export", plain("--format", "csv", "--out", at("表.csv")), nil, audit.ExportAsked + " " + audit.Export},
		{"status", plain("--free"), nil, audit.Purge},
		{"doctor", plain("--rebuild"), nil, audit.Administration},
		{"recovery-key", plain("--out", at("recovery.key")), nil, audit.Administration},
		{"backup", plain("--out", at("county.backup")), nil, audit.Backup},
		{"restore-drill", func() []string { return []string{"--county", dir, at("county.backup")} }, nil, ""},
		{"restore", func() []string {
			return []string{"--data", at("second"), "--key", at("recovery.key"), at("county.backup")}
		}, nil, audit.Restore},
		{"purge", plain("--photos-before", time.Now().AddDate(0, 0, -1).Format(time.DateOnly), "--really", "--reason", "保存期满", "--policy", "县档案办法（虚构）", "--out", at("removed.cose"), "--by", "审计（虚构）", "--approved-by", "审批（虚构）"), []string{practice.PIN, practice.PIN}, audit.Purge + " " + audit.Purge},
		{"root rotate", plain(), nil, audit.Administration},
	}
	// The server notes what people do in its console, under their own names.
	// A machine renews its key in its own folder, TestAMachineTakesItsNextKey.
	covered := []string{"serve", "node renew"}
	for _, r := range rows {
		covered = append(covered, r.command)
		folder := dir
		before, _ := ledgerOf(t, dir)
		args := r.args()
		switch i := slices.Index(args, "--data"); {
		case i >= 0: // makes a folder of its own
			folder, before = args[i+1], ledger{}
			if r.command == "restore" {
				before, _ = ledgerOf(t, dir) // the log comes with the backup, less the backup's own entry
				before.size--
			}
		case !slices.Contains(args, "--county"):
			args = append(args, "--data", dir)
		}
		if len(r.typed) > 0 {
			typed(t, r.typed...)
		}
		status, out, errs := command(append(strings.Fields(r.command), args...)...)
		switch r.command {
		case "bundle import":
			require.Equal(t, 1, status, "what is set aside is said")
			require.Contains(t, out, "aside")
		case "bundle verify":
			require.Equal(t, 2, status)
		default:
			require.Equal(t, 0, status, "%s: %s", r.command, errs)
		}
		after, log := ledgerOf(t, folder)
		var noted []string
		for _, e := range log[:after.size-before.size] {
			noted = append(noted, e.Action)
			require.NotEmpty(t, e.Actor, r.command)
			require.NotContains(t, e.Object, head["name"], "%s: names stand in the sealed words only", r.command)
		}
		slices.Reverse(noted)
		require.Equal(t, r.wants, strings.Join(noted, " "), r.command)
		if r.wants == "" {
			require.Equal(t, before, after, "%s changed the folder and is not on record", r.command)
			for _, h := range c.Sample.Households {
				require.NotContains(t, out, h.Fields["name"], "%s shows a person and is not on record", r.command)
			}
		}
	}
	for _, name := range atFolders(t) {
		require.Contains(t, covered, name, "give the command a row that says what it leaves in the audit log")
	}
	status, out, errs := command("doctor", "--data", dir)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, "audit log")
}

// answered fills a department's list.
func answered(t *testing.T, file string) string {
	t.Helper()
	f, err := excelize.OpenFile(file)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.SetCellValue("需求清单", "I2", "已接收"))
	require.NoError(t, f.SaveAs(file+".xlsx"))
	return file + ".xlsx"
}

// TestNothingIsSaidBeforeItIsOnRecord: where the audit log cannot be written, the
// command shows nothing.
func TestNothingIsSaidBeforeItIsOnRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "county")
	status, _, errs := command("init", "--data", dir, "--name", "云栖县（虚构）", "--division", "459921")
	require.Equal(t, 0, status, errs)
	require.NoError(t, os.Remove(filepath.Join(dir, audit.DatabaseFile)))
	require.NoError(t, os.Mkdir(filepath.Join(dir, audit.DatabaseFile), 0o700))
	status, out, errs := command("node", "invite", "--data", dir, "--name", "平板", "--scope", "459921100201", "--person", "甲", "--server", "https://county.example")
	require.Equal(t, 1, status)
	require.Empty(t, out, "the code is shown to nobody")
	require.Contains(t, errs, "audit log")
}
