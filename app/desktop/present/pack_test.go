package present

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/store"
)

// Before leaving for villages without signal: what is there is said, and what is not,
// with what to do about it while there still is a network.
func TestBeforeLeaving(t *testing.T) { // domain.md §7 (19)
	s, c, now := desk(t)
	full := Machine{Battery: 80, BatteryKnown: true, SpaceKnown: true, SpaceGB: 20, Visits: 300}
	look := func(m Machine) (said string, faults int) {
		t.Helper()
		checks, err := s.Pack(ctx, m, s.Standing().Last)
		require.NoError(t, err)
		for _, c := range checks {
			said += c.Said + "\n"
			if !c.OK {
				faults++
			}
		}
		return said, faults
	}
	said, faults := look(full)
	require.Equal(t, 1, faults, said)
	require.Contains(t, said, "还没有和县里对过")
	_, err := s.Sync(ctx, nil)
	require.NoError(t, err)
	said, faults = look(full)
	require.Zero(t, faults, said)
	require.Contains(t, said, "的登记都在本机")
	require.Contains(t, said, "今天有效的标准在本机")

	_, faults = look(Machine{Battery: 15, BatteryKnown: true, SpaceKnown: true, SpaceGB: 0.2, Visits: 3})
	require.Equal(t, 2, faults)
	_, faults = look(Machine{Battery: 15, Charging: true, BatteryKnown: true})
	require.Zero(t, faults)

	// A task whose form is of a newer program, and one whose household has not come.
	list, err := tasks.List(ctx, c.Office.Replica, c.Sample.Villages[0].Code, tasks.Open)
	require.NoError(t, err)
	newer := "# survey\n\n| type | name | label | relevant |\n|---|---|---|---|\n| text | a | 题 | foresee(1) |\n\n# settings\n\n| form_title | form_id | version |\n|---|---|---|\n| 新表 | newer | 1 |\n"
	_, err = c.Office.Replica.Write(ctx, c.Clerk, store.Edit{Kind: store.Form, Division: c.Sample.Code, Entity: uuid.New(), Fields: map[string]store.Value{
		"form_id": store.Text("newer"), "version": store.Text("1"), "title": store.Text("新表"), "name": store.Text("新表.md"), "workbook": store.Bytes([]byte(newer))}})
	require.NoError(t, err)
	task := func(household uuid.UUID, form string) tasks.Task {
		return tasks.Task{ID: s.Office.World.NewID(), Household: household, Division: list[0].Division, Form: form, Due: "2026-04-01", Reason: "x"}
	}
	_, err = tasks.Issue(ctx, c.Office.Replica, c.Clerk, []tasks.Task{task(list[0].Household, "newer"), task(uuid.New(), practice.HomeVisit), task(list[0].Household, "never_published")})
	require.NoError(t, err)
	_, err = s.Sync(ctx, nil)
	require.NoError(t, err)
	*now = now.Add(9 * 24 * time.Hour)
	said, faults = look(full)
	for _, want := range []string{"有 1 户的登记还没有到本机", "“新表”（版本 1）是用更新的程序做的", "这张表还没有到本机", "先同步一次"} {
		require.Contains(t, said, want)
	}
	require.Equal(t, 4, faults, said)
	require.False(t, strings.Contains(said, "%!"), said)
}
