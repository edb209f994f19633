package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store/world"
)

// TestTheCountysCommands runs every command of the county's work on a folder, as a
// clerk would, and the ways in which each refuses.
func TestTheCountysCommands(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	c, err := practice.SetUp(ctx, world.Real(), root, 24, "township")
	require.NoError(t, err)
	head := c.Sample.Households[0].Members[0].Fields
	data := c.Office.Dir
	c.Close() // one process owns a folder
	file := func(name, text string) string {
		path := filepath.Join(root, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	ok := func(args ...string) string {
		t.Helper()
		status, out, errs := command(append(args, "--data", data)...)
		require.Equal(t, 0, status, "%v: %s", args, errs)
		return out + errs
	}
	refused := func(says string, args ...string) {
		t.Helper()
		status, _, errs := command(append(args, "--data", data)...)
		require.Equal(t, 1, status, args)
		require.Contains(t, errs, says)
	}
	list := file("车.csv", "机动车登记\n所有人,身份证号码,品牌,估值\n"+head["name"]+","+head["id_no"]+",五菱,2万元\n某人,4.5E+17,五菱,1\n")
	require.Contains(t, ok("compare", "preview", list, "--source", "vehicles"), "2 rows read = 1 matched + 0 unmatched + 1 rejected")
	require.Contains(t, ok("alert", "list"), "0 alerts", "a preview writes nothing")
	back := filepath.Join(root, "退.xlsx")
	require.Contains(t, ok("compare", "run", list, "--source", "vehicles", "--rejected", back), "1 new alerts")
	require.FileExists(t, back)
	require.Contains(t, ok("compare", "run", list, "--source", "vehicles"), "compared before")
	refused("known", "compare", "run", list, "--source", "vehicle")
	refused("no file", "compare", "run", filepath.Join(root, "none.csv"), "--source", "vehicles")
	refused("no column", "compare", "run", file("x.csv", "甲,乙\n1,2\n"), "--source", "vehicles")
	refused("web page", "compare", "run", file("x.xls", "<html><table></table></html>"), "--source", "vehicles")
	require.Contains(t, ok("compare", "preview", file("y.csv", "车主姓甚,号\n"+head["name"]+","+head["id_no"]+"\n"), "--source", "vehicles", "--id-column", "号", "--name-column", "车主姓甚"), "levels A 1")

	var alertsFound []struct{ ID, State, Kind string }
	require.NoError(t, json.Unmarshal([]byte(strings.SplitN(ok("alert", "list", "--json"), "\n", 2)[0]), &alertsFound))
	require.Len(t, alertsFound, 1)
	require.Equal(t, "car", alertsFound[0].Kind)
	id := alertsFound[0].ID
	require.Contains(t, ok("alert", "confirm", id), "1 alerts confirmed")
	refused("cannot become", "alert", "confirm", id)
	require.Contains(t, ok("alert", "tasks"), "visit tasks")
	refused("needs a visit", "alert", "close", id, "--outcome", "true_changed")
	refused("needs a note", "alert", "close", id, "--outcome", "true_exempt")
	refused("no outcome", "alert", "close", id, "--outcome", "gone")
	require.Contains(t, ok("alert", "close", id, "--outcome", "false_data", "--note", "已过户"), "closed")
	out := filepath.Join(root, "反馈.xlsx")
	refused("--by", "alert", "feedback", "--source", "vehicles", "--out", out, "--unmasked")
	require.Contains(t, ok("alert", "feedback", "--source", "vehicles", "--out", out), "1 rows")
	require.Contains(t, ok("alert", "feedback", "--source", "vehicles", "--out", out+"2"), "nothing to tell")
	require.Contains(t, ok("alert", "clocks"), "alerts raised")

	// The county's own workbook: whole or not at all, and from then on used.
	_, kinds := yunqi.AlertKinds()
	text, err := yunqi.Files.ReadFile("alerts/预警类型.md")
	require.NoError(t, err)
	require.NotEmpty(t, kinds)
	refused("was not taken over", "alert", "adopt", file("坏.md", strings.Replace(string(text), "| vehicles | 名下车辆 |", "| vehicles 2 | 名下车辆 |", 1)))
	require.Contains(t, ok("alert", "adopt", file("预警.md", strings.NewReplacer("| vehicles |", "| cars |").Replace(string(text)))), "the county's own")
	refused("known", "compare", "preview", list, "--source", "vehicles")
	require.Contains(t, ok("compare", "preview", list, "--source", "cars"), "1 matched")

	require.Contains(t, ok("determination", "pending"), "0 visits wait")
	require.Empty(t, ok("determination", "list"))
	refused("--by", "determination", "decide", "0197f000-0000-7000-8000-000000000000")
	require.Contains(t, ok("standards", "list"), "2026-03: from 2026-01-01")
	draft, err := yunqi.Files.ReadFile("standards/云栖县标准.md")
	require.NoError(t, err)
	require.Contains(t, ok("standards", "whatif", file("草案.md", string(draft))), "0 households")
	refused("published already", "standards", "publish", file("标准.md", strings.Replace(string(draft), "| 600 | 850 |", "| 700 | 950 |", 1)))
	refused("overlap", "standards", "publish", file("标准2.md", strings.Replace(string(draft), "| version | 2026-03 |", "| version | 2026-04 |", 1)))
	require.Contains(t, ok("need", "collect"), "0 needs found")
	require.Contains(t, ok("need", "list"), "0 needs")
	require.Contains(t, ok("need", "refer", "--department", "医保", "--out", out+"3"), "no needs wait")
	refused("", "need", "feedback", file("回.xlsx", "nothing"))
	household := c.Sample.Households[0].ID.String()
	require.Contains(t, ok("household", "chain", household), "alert closed: 名下有车")
	require.Contains(t, ok("household", "chain", head["id_no"][12:]), "alert closed")
	refused("Nothing is found", "household", "chain", "没有这个人")

	// Who decides proves who he is.
	decide := &DeterminationDecideCmd{workFlags: workFlags{DataFlag: DataFlag{Data: data}, By: "县局经办（虚构）", pins: strings.NewReader("000000\n")}, Visit: world.Real().NewID()}
	require.Error(t, decide.Run(&Output{Out: io.Discard, Err: io.Discard, Lang: "en"}), "a wrong PIN")
	decide.pins = strings.NewReader(practice.PIN + "\n")
	var nobody *FindError
	require.ErrorAs(t, decide.Run(&Output{Out: io.Discard, Err: io.Discard, Lang: "en"}), &nobody, "the right one, of a visit that is not there")
}

// TestTheSampleHouseholds decides the examples of README with the published sample.
func TestTheSampleHouseholds(t *testing.T) {
	sample := func(name string) string {
		return filepath.Join("..", "..", "assets", "yunqi", filepath.FromSlash(name))
	}
	files, err := filepath.Glob(sample("households/[0-9]*.json"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 22)
	for _, f := range files {
		status, out, errs := command("standards", "decide", sample("standards/云栖县标准.xlsx"), "--household", f, "--on", "2026-03-10", "--json")
		require.Equal(t, 0, status, errs)
		var d struct {
			Category, Amount, Version string
			Steps                     []struct{ Left, Right string }
			Persons                   []struct{ Name string }
		}
		require.NoError(t, json.Unmarshal([]byte(out), &d), f)
		require.NotEmpty(t, d.Category)
		require.NotEmpty(t, d.Steps)
		require.NotEmpty(t, d.Persons)
		require.Equal(t, "2026-03", d.Version)
	}
	status, _, errs := command("alert", "check", sample("alerts/预警类型.xlsx"))
	require.Equal(t, 0, status, errs)
	bad := filepath.Join(t.TempDir(), "bad.json")
	require.NoError(t, os.WriteFile(bad, []byte(`{"members":[{"birth":"1960.1.1"}],"incomes":[{"person":"乙","amount":"三千"}]}`), 0o600))
	status, _, errs = command("standards", "decide", sample("standards/云栖县标准.xlsx"), "--household", bad, "--on", time.Now().Format(time.DateOnly))
	require.Equal(t, 1, status)
	for _, place := range []string{"members[1].birth", "incomes[1].amount", "incomes[1].person"} {
		require.Contains(t, errs, place)
	}
}
