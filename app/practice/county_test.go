package practice_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/chain"
	"ironfeet/app/casework/clocks"
	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/lifecycle"
	"ironfeet/app/casework/needs"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/compare"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/assets/yunqi"
	"ironfeet/forms/standards"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// TestTheCountysWork walks one household through all that the county does with it:
// a list, an alert, a visit, a decision that two clerks make at once, a need, what
// goes back to the departments, and the chain that tells it all.
func TestTheCountysWork(t *testing.T) {
	c := setUp(t, "township", "tablet-a")
	county, now := c.Office.Replica, time.Now()
	k, report := alerts.Read(yunqi.AlertKinds())
	require.Empty(t, report.Errors)

	// A list hits whom the first task of tablet A asks to visit.
	n, v, task := filled(t, c)
	page, err := registry.Open(ctx, county, task.Household)
	require.NoError(t, err)
	head := page.Members[0]
	list := "所有人,身份证号码,品牌,登记日期,估值\n" + head.Text("name") + "," + head.Text("id_no") + ",五菱,2020.1.2,2.5万元\n"
	rep, err := compare.Run(ctx, county, world.Real(), c.Clerk, k, k.Source("vehicles"), compare.FromBytes("车.csv", []byte(list)), compare.Options{})
	require.NoError(t, err)
	require.Equal(t, 1, rep.Raised.Alerts)
	open, err := alerts.List(ctx, county, "", alerts.Open)
	require.NoError(t, err)
	require.Len(t, open, 1)
	car := open[0]
	require.Contains(t, car.Text("detail"), "25000")
	require.Equal(t, alerts.Open, car.Text("state"))

	// Nobody makes a task of it before a person has looked.
	made, err := alerts.ToTasks(ctx, county, world.Real().NewID, c.Clerk, "")
	require.NoError(t, err)
	require.Empty(t, made)
	var refused *lifecycle.MoveError
	wrong := *car
	wrong.Fields = map[string]store.Value{"state": store.Text(alerts.Closed)}
	require.ErrorAs(t, alerts.Confirm(ctx, county, c.Clerk, &wrong), &refused)
	require.NoError(t, alerts.Confirm(ctx, county, c.Clerk, car))
	made, err = alerts.ToTasks(ctx, county, world.Real().NewID, c.Clerk, "")
	require.NoError(t, err)
	require.Empty(t, made, "the household has an open task: its alert waits for that visit")
	car, err = county.Entity(ctx, car.ID)
	require.NoError(t, err)
	require.Equal(t, alerts.Tasked, car.Text("state"))
	require.Equal(t, task.ID.String(), car.Text("task"))

	// Nobody loses aid by data alone.
	var outcome *alerts.OutcomeError
	require.ErrorAs(t, alerts.Close(ctx, county, c.Clerk, now, k, car, "true_changed", ""), &outcome)
	require.Equal(t, "no_visit", outcome.Why)
	require.ErrorAs(t, alerts.Close(ctx, county, c.Clerk, now, k, car, "true_exempt", ""), &outcome)
	require.Equal(t, "no_note", outcome.Why)
	require.ErrorAs(t, alerts.Close(ctx, county, c.Clerk, now, k, car, "whatever", ""), &outcome)
	require.Contains(t, outcome.Known, "died")

	// The visit.
	require.NoError(t, n.SignOff(ctx, v, "户主", 3, &practice.Walked{}))
	_, err = n.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	rv := &review.Reviewer{Replica: county, Shelf: &publish.Shelf{}, Person: c.Clerk, Role: trust.County, Now: time.Now, NewID: world.Real().NewID}
	inbox, err := rv.Open(ctx, v.ID)
	require.NoError(t, err)
	require.NoError(t, rv.Accept(ctx, inbox, nil, ""))

	// The decision: another category needs a reason, another amount too, and the
	// version stays with it.
	pending, err := determination.Pending(ctx, county, "")
	require.NoError(t, err)
	require.Len(t, pending, 1)
	s := pending[0]
	rules, err := determination.Rules(ctx, county, s)
	require.NoError(t, err)
	d := determination.Suggest(rules, s)
	amount := d.Amount + 100
	_, err = determination.Decide(ctx, county, c.Clerk, now, s, d, determination.Choice{Amount: &amount})
	require.ErrorIs(t, err, determination.ErrNoReason)
	huge := standards.Fen(1 << 50)
	var sense *determination.AmountError
	_, err = determination.Decide(ctx, county, c.Clerk, now, s, d, determination.Choice{Amount: &huge, Reason: "x"})
	require.ErrorAs(t, err, &sense)
	id, err := determination.Decide(ctx, county, c.Clerk, now, s, d, determination.Choice{})
	require.NoError(t, err)
	decided, err := county.Entity(ctx, id)
	require.NoError(t, err)
	require.Equal(t, rules.Version, decided.Text("standards"))
	require.Equal(t, now.AddDate(0, 0, 1-now.Day()).AddDate(0, 1, 0).Format(time.DateOnly), decided.Text("pay_from"), "the month after, 57号 Art. 21")
	var trace standards.Decision
	require.NoError(t, json.Unmarshal([]byte(decided.Text("trace")), &trace))
	require.Equal(t, d.Steps, trace.Steps)
	home, err := county.Entity(ctx, task.Household)
	require.NoError(t, err)
	require.Equal(t, d.Category, home.Text("aid"))

	// A second clerk comes too late, and may change it with a reason only.
	var late *determination.DecidedError
	_, err = determination.Decide(ctx, county, c.Clerk, now, s, d, determination.Choice{Category: "none", Reason: "另有收入"})
	require.ErrorAs(t, err, &late)
	_, err = determination.Decide(ctx, county, c.Clerk, now, s, d, determination.Choice{Category: "none", Revise: true})
	require.ErrorIs(t, err, determination.ErrNoReason)
	again, err := determination.Decide(ctx, county, c.Clerk, now, s, d, determination.Choice{Category: "none", Label: "不符合", Revise: true, Reason: "核对报告另有收入"})
	require.NoError(t, err)
	require.Equal(t, id, again)
	decided, err = county.Entity(ctx, id)
	require.NoError(t, err)
	require.Empty(t, decided.Conflicts)
	require.Equal(t, "none", decided.Text("category"))

	// The printed trace says both numbers.
	text := strings.Join(determination.Trace(d, words.In("zh").Say), "\n")
	require.Contains(t, text, "依据：标准 2026-03")
	for _, step := range d.Steps {
		require.Contains(t, text, step.Left+" "+step.Op+" "+step.Right)
	}

	// The alert is closed with what was seen, and the department is told once.
	car, err = county.Entity(ctx, car.ID)
	require.NoError(t, err)
	require.NoError(t, alerts.Close(ctx, county, c.Clerk, now, k, car, "true_changed", "车已卖"))
	car, err = county.Entity(ctx, car.ID)
	require.NoError(t, err)
	require.Equal(t, v.ID.String(), car.Text("visit"))
	feedback, err := alerts.FeedbackFor(ctx, county, "vehicles", false)
	require.NoError(t, err)
	require.Len(t, feedback, 1)
	require.Equal(t, []any{"车.csv", 2, head.Text("name"), head.Text("id_no"), "名下有车", "属实，已调整或停发", "车已卖"},
		[]any{feedback[0].List, feedback[0].Row, feedback[0].Name, feedback[0].Number, feedback[0].Kind, feedback[0].Outcome, feedback[0].Note})
	require.NoError(t, alerts.FedBack(ctx, county, c.Clerk, now, feedback))
	feedback, err = alerts.FeedbackFor(ctx, county, "vehicles", false)
	require.NoError(t, err)
	require.Empty(t, feedback)

	// The same list again: nothing; a corrected one: the closed alert opens again.
	rep, err = compare.Run(ctx, county, world.Real(), c.Clerk, k, k.Source("vehicles"), compare.FromBytes("车.csv", []byte(list)), compare.Options{})
	require.NoError(t, err)
	require.Equal(t, alerts.Raised{Known: 1}, rep.Raised)
	rep, err = compare.Run(ctx, county, world.Real(), c.Clerk, k, k.Source("vehicles"), compare.FromBytes("车改.csv", []byte(strings.Replace(list, "2.5万", "9万", 1))), compare.Options{Corrects: true})
	require.NoError(t, err)
	require.Equal(t, alerts.Raised{Updated: 1}, rep.Raised)
	car, err = county.Entity(ctx, car.ID)
	require.NoError(t, err)
	require.Equal(t, alerts.Open, car.Text("state"))
	require.Empty(t, car.Text("outcome"))

	theNeeds(t, c, task.Household, now)
	theDraft(t, c, task.Household)
	theChain(t, c, task.Household)
	theClocks(t, c, k, id, now)
}

// theNeeds go out as a list and come back answered, whole or not at all.
func theNeeds(t *testing.T, c *practice.County, household uuid.UUID, now time.Time) {
	county := c.Office.Replica
	found, err := needs.Collect(ctx, county, c.Clerk, "", now)
	require.NoError(t, err)
	require.Positive(t, found)
	again, err := needs.Collect(ctx, county, c.Clerk, "", now)
	require.NoError(t, err)
	require.Zero(t, again, "what is known is not found again")
	list, err := needs.List(ctx, county, "", needs.Found, "")
	require.NoError(t, err)
	require.Len(t, list, found)
	require.Equal(t, household, list[0].Household)
	department := list[0].Department

	var out bytes.Buffer
	require.NoError(t, needs.WriteReferral(&out, "清单", list, true))
	require.NoError(t, needs.Move(ctx, county, c.Clerk, trust.County, now, needs.Referred, "", list...))
	var refused *lifecycle.MoveError
	list, err = needs.List(ctx, county, "", needs.Referred, department)
	require.NoError(t, err)
	require.ErrorAs(t, needs.Move(ctx, county, c.Clerk, trust.County, now, needs.Found, "", list...), &refused)

	fill := func(change func(f *excelize.File)) []byte {
		f, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
		require.NoError(t, err)
		name, err := f.GetCellValue("需求清单", "C2")
		require.NoError(t, err)
		require.Contains(t, name, "*", "names are masked unless a person answers for it")
		change(f)
		b, err := f.WriteToBuffer()
		require.NoError(t, err)
		return b.Bytes()
	}
	for _, bad := range []struct {
		why    string
		change func(f *excelize.File)
	}{
		{"unknown_status", func(f *excelize.File) { f.SetCellValue("需求清单", "I2", "办了") }},
		{"unknown_need", func(f *excelize.File) {
			f.SetCellValue("需求清单", "I2", "已解决")
			f.SetCellValue("需求清单", "A2", uuid.New().String())
		}},
		{"no_column", func(f *excelize.File) { f.SetCellValue("需求清单", "I1", "情况") }},
		{"twice", func(f *excelize.File) {
			id, _ := f.GetCellValue("需求清单", "A2")
			row := []any{id, "", "", "", "", "", "", "", "已解决", ""}
			f.SetSheetRow("需求清单", fmt.Sprintf("A%d", found+2), &row)
			f.SetCellValue("需求清单", "I2", "已解决")
		}},
	} {
		_, err := needs.Feedback(ctx, county, c.Clerk, trust.County, now, "清单.xlsx", fill(bad.change))
		var faults *needs.FeedbackError
		require.ErrorAs(t, err, &faults, bad.why)
		require.Equal(t, bad.why, faults.Faults[0].Why)
		left, err := needs.List(ctx, county, "", needs.Referred, "")
		require.NoError(t, err)
		require.Len(t, left, found, "nothing was taken in")
	}
	_, err = needs.Feedback(ctx, county, c.Clerk, trust.County, now, "清单.xlsx", []byte("no workbook"))
	require.Error(t, err)
	good := fill(func(f *excelize.File) {
		f.SetCellValue("需求清单", "I2", "已解决")
		f.SetCellValue("需求清单", "J2", "已上门")
	})
	answers, err := needs.Feedback(ctx, county, c.Clerk, trust.County, now, "清单.xlsx", good)
	require.NoError(t, err)
	require.Equal(t, needs.Answers{Taken: 1, Blank: found - 1}, answers)
	answers, err = needs.Feedback(ctx, county, c.Clerk, trust.County, now, "清单.xlsx", good)
	require.NoError(t, err)
	require.Equal(t, needs.Answers{Same: 1, Blank: found - 1}, answers, "the same list again changes nothing")
}

// theDraft shows who would change, and changes nobody.
func theDraft(t *testing.T, c *practice.County, household uuid.UUID) {
	county := c.Office.Replica
	data, err := yunqi.Files.ReadFile("standards/云栖县标准.md")
	require.NoError(t, err)
	draft := func(pairs ...string) []byte { return []byte(strings.NewReplacer(pairs...).Replace(string(data))) }
	higher, report := standards.Read("草案.md", draft("| std.dibao.month | | 600", "| std.dibao.month | | 3000", "| version | 2026-03", "| version | 草案"))
	require.Empty(t, report.Errors)
	before, err := county.Count(ctx, store.Query{})
	require.NoError(t, err)
	effects, whose, err := determination.WhatIf(ctx, county, "", higher, time.Now())
	require.NoError(t, err)
	require.Equal(t, 1, effects.Households)
	require.Len(t, effects.Changed, 1)
	require.Equal(t, household.String(), effects.Changed[0].Key)
	require.NotEmpty(t, whose[household.String()].Name)
	require.Greater(t, effects.AfterFen, effects.BeforeFen)
	after, err := county.Count(ctx, store.Query{})
	require.NoError(t, err)
	require.Equal(t, before, after)

	// Publishing: overlapping days, or other contents under a known version, and
	// nothing is published; the same workbook again is no change.
	versions := func() (out []string) {
		list, err := publish.Versions(ctx, county)
		require.NoError(t, err)
		for _, v := range list {
			out = append(out, v.Version)
		}
		return out
	}
	for name, bad := range map[string]struct {
		data []byte
		want any
	}{
		"the same day of beginning":     {draft("| version | 2026-03", "| version | 2026-04"), new(*publish.OverlapError)},
		"other contents":                {draft("| std.dibao.month | | 600", "| std.dibao.month | | 650"), new(*publish.VersionError)},
		"an end in the next one's days": {draft("| version | 2026-03", "| version | 2025-01", "| valid_from | 2026-01-01", "| valid_from | 2025-01-01", "| valid_to | |", "| valid_to | 2026-06-30 |"), new(*publish.OverlapError)},
		"an error":                      {draft("| edge.multiple | 1.5", "| edge.multiple | ", "| version | 2026-03", "| version | 2027"), new(*publish.FaultyError)},
	} {
		_, _, err := publish.Standards(ctx, county, c.Clerk, "标准.md", bad.data)
		require.ErrorAs(t, err, bad.want, name)
		require.Equal(t, []string{"2026-03"}, versions(), name)
	}
	next := draft("| version | 2026-03", "| version | 2027-01", "| valid_from | 2026-01-01", "| valid_from | 2027-01-01", "| std.dibao.month | | 600", "| std.dibao.month | | 650")
	for range 2 {
		_, _, err = publish.Standards(ctx, county, c.Clerk, "标准.md", next)
		require.NoError(t, err)
		require.Equal(t, []string{"2026-03", "2027-01"}, versions())
	}
	for day, want := range map[string]string{"2026-12-31": "2026-03", "2027-01-01": "2027-01"} {
		rs, err := publish.InForce(ctx, county, day)
		require.NoError(t, err)
		require.Equal(t, want, rs.Version)
	}
	_, err = publish.InForce(ctx, county, "2025-12-31")
	require.ErrorIs(t, err, publish.ErrNoStandards)
}

// theChain tells it all, in order, in both languages.
func theChain(t *testing.T, c *practice.County, household uuid.UUID) {
	entries, err := chain.Of(ctx, c.Office.Replica, household)
	require.NoError(t, err)
	var what []string
	for i, e := range entries {
		what = append(what, e.What)
		require.True(t, i == 0 || !e.At.Before(entries[i-1].At))
		for _, lang := range []string{"zh", "en"} {
			key := "chain." + e.What
			require.True(t, words.In(lang).Has(key), key)
			require.NotContains(t, words.In(lang).Say(key, e.Parts), "<no value>")
		}
	}
	said := strings.Join(what, " ")
	for _, link := range []string{"task_open", "alert_open", "alert_confirmed", "alert_task", "visit", "review_accepted", "decided", "decided_again", "alert_closed", "need_found", "need_referred", "need_resolved"} {
		require.Contains(t, said, link)
	}
	require.Less(t, strings.Index(said, "alert_confirmed"), strings.Index(said, "review_accepted"))
	_, err = chain.Of(ctx, c.Office.Replica, uuid.New())
	require.ErrorIs(t, err, store.ErrNotFound)
}

// theClocks raise what comes, once.
func theClocks(t *testing.T, c *practice.County, k *alerts.Kinds, decided uuid.UUID, now time.Time) {
	county := c.Office.Replica
	sample := c.Sample.Households
	village := sample[0].Village.Code
	day := func(months, days int) string { return now.AddDate(0, months, days).Format(time.DateOnly) }
	offers, err := json.Marshal([]standards.Offer{{Offer: "child_mother_watch", Label: "复访", Until: day(0, 10)}, {Offer: "child_mother_watch", Label: "早过了", Until: day(-6, 0)}})
	require.NoError(t, err)
	put := func(kind store.Kind, id uuid.UUID, fields map[string]string) {
		t.Helper()
		edit := store.Edit{Kind: kind, Entity: id, Division: village, Fields: map[string]store.Value{}}
		for name, v := range fields {
			edit.Fields[name] = store.Text(v)
		}
		_, err := county.Write(ctx, c.Clerk, edit)
		require.NoError(t, err)
	}
	e, err := county.Entity(ctx, decided)
	require.NoError(t, err)
	put(store.Determination, decided, map[string]string{"review_by": day(0, 20), "grace_until": day(0, 29), "valid_until": day(3, 0), "category": "rigid", "offers": string(offers)})
	require.NotNil(t, e)
	put(store.Household, sample[1].ID, map[string]string{"aid": "dibao"})
	put(store.Member, sample[1].Members[0].ID, map[string]string{"birth": now.AddDate(-60, 0, 15).Format(time.DateOnly)})
	put(store.Household, sample[2].ID, map[string]string{"aid": "dibao"})
	put(store.Member, sample[2].Members[0].ID, map[string]string{"birth": now.AddDate(-80, 0, 0).Format(time.DateOnly)}) // his sixtieth is long past
	put(store.Member, sample[3].Members[0].ID, map[string]string{"birth": now.AddDate(-18, 0, 50).Format(time.DateOnly), "child_aid": "yes"})
	put(store.Household, sample[4].ID, map[string]string{"aid": "dibao"})
	put(store.Member, sample[4].Members[0].ID, map[string]string{"aid": "tekun"})
	a, b := sample[6].Members[0], sample[8].Members[0]
	put(store.Member, b.ID, map[string]string{"id_no": a.Fields["id_no"], "name": a.Fields["name"]})
	x, y := sample[9].Members[0], sample[10].Members[0]
	put(store.Member, y.ID, map[string]string{"id_no": x.Fields["id_no"]})

	hits, err := clocks.Run(ctx, county, k, now)
	require.NoError(t, err)
	got := map[string]int{}
	for _, h := range hits {
		got[h.Kind.Kind]++
	}
	require.Equal(t, map[string]int{"recheck": 1, "grace_ends": 1, "follow_up": 1, "turns60": 1, "turns18": 1, "two_benefits": 1, "two_households": 2, "same_number": 2}, got)
	raised, err := alerts.Raise(ctx, county, c.Clerk, now, hits)
	require.NoError(t, err)
	require.Equal(t, len(hits), raised.Alerts)
	raised, err = alerts.Raise(ctx, county, c.Clerk, now, hits)
	require.NoError(t, err)
	require.Equal(t, alerts.Raised{Known: len(hits)}, raised)

	// In three months the phase-out is over and the twelve months end.
	later, err := clocks.Run(ctx, county, k, now.AddDate(0, 2, 15))
	require.NoError(t, err)
	seen := ""
	for _, h := range later {
		seen += h.Kind.Kind + " "
	}
	require.Contains(t, seen, "rigid_ends")
	for day, want := range map[string]determination.Standing{day(0, 5): determination.Grace, day(1, 2): determination.ReviewDue, day(4, 0): determination.Expired} {
		e, err := county.Entity(ctx, decided)
		require.NoError(t, err)
		at, err := time.Parse(time.DateOnly, day)
		require.NoError(t, err)
		require.Equal(t, want, determination.On(e, e, at), day)
	}

	// What is said of a child travels to the township, not onto every tablet.
	open, err := alerts.List(ctx, county, "", alerts.Open)
	require.NoError(t, err)
	require.NoError(t, alerts.Confirm(ctx, county, c.Clerk, open...))
	_, err = alerts.ToTasks(ctx, county, world.Real().NewID, c.Clerk, "")
	require.NoError(t, err)
	all, err := tasks.List(ctx, county, "", tasks.Open)
	require.NoError(t, err)
	for _, task := range all {
		require.NotContains(t, task.Reason, "请再核实父母情况")
	}
}

// TestTwoClerksDecideOneCaseAtOnce on two machines that have not met: both
// decisions stay, and everybody sees that they differ (invariant 4).
func TestTwoClerksDecideOneCaseAtOnce(t *testing.T) {
	visit := uuid.New()
	require.Equal(t, determination.ID(visit), determination.ID(visit))
	c := setUp(t, "township")
	county := c.Office.Replica
	id, village := determination.ID(visit), c.Sample.Households[0].Village.Code
	write := func(category string) {
		fields := map[string]store.Value{"category": store.Text(category), "parent": store.Text(c.Sample.Households[0].ID.String())}
		_, err := county.Write(ctx, c.Clerk, store.Edit{Kind: store.Determination, Entity: id, Division: village, Fields: fields, Seen: map[string][]store.ChangeID{"category": nil, "parent": nil}})
		require.NoError(t, err)
	}
	write("dibao")
	write("edge")
	e, err := county.Entity(ctx, id)
	require.NoError(t, err)
	require.Contains(t, e.Conflicts, "category")
}

// TestTwoClerksPressTheButtonTogether: of two decisions that race on one server
// either the later is told of the earlier, or both stand and are shown to differ;
// never does one vanish (invariant 4).
func TestTwoClerksPressTheButtonTogether(t *testing.T) {
	c, err := practice.Visited(ctx, world.Real(), t.TempDir(), 24, 3, 0)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	county := c.Office.Replica
	pending, err := determination.Pending(ctx, county, c.Sample.Code)
	require.NoError(t, err)
	require.NotEmpty(t, pending)
	for _, v := range pending {
		rules, err := determination.Rules(ctx, county, v)
		require.NoError(t, err)
		suggested := determination.Suggest(rules, v)
		categories := []string{"dibao", "edge"}
		errs := make([]error, len(categories))
		var both sync.WaitGroup
		for i, category := range categories {
			both.Go(func() {
				_, errs[i] = determination.Decide(ctx, county, c.Clerk, time.Now(), v, suggested, determination.Choice{Category: category, Reason: "会商"})
			})
		}
		both.Wait()
		e, err := county.Entity(ctx, determination.ID(v.ID))
		require.NoError(t, err)
		var earlier *determination.DecidedError
		switch {
		case errs[0] == nil && errs[1] == nil:
			require.Contains(t, e.Conflicts, "category")
		case errs[0] == nil:
			require.ErrorAs(t, errs[1], &earlier)
			require.Equal(t, categories[0], e.Text("category"))
		default:
			require.ErrorAs(t, errs[0], &earlier)
			require.NoError(t, errs[1])
			require.Equal(t, categories[1], e.Text("category"))
		}
	}
}
