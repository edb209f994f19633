package clerk_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/duplicates"
	"ironfeet/app/casework/overview"
	"ironfeet/app/practice"
	"ironfeet/store/world"
)

// The overview counts a household once when two records were merged, says what the
// county has not confirmed, opinions and notices included, and its workbook holds the
// same numbers as the screen.
func TestAnOverviewAndItsWorkbook(t *testing.T) {
	ctx := context.Background()
	c, err := practice.Visited(ctx, world.Real(), t.TempDir(), 24, 3, 0)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	town := c.Nodes["township"]
	desk := sitDown(t, town.Office, town.People[0])
	of := func() overview.Overview {
		t.Helper()
		o, err := desk.Overview(ctx)
		require.NoError(t, err)
		return o
	}
	o := of()
	require.Equal(t, []int{24, 21, 3, 0, 3, 0}, []int{o.Total.Households, o.Total.Open, o.Total.Visited, o.Total.Waiting, o.Total.Accepted, o.Total.Unconfirmed})
	require.Len(t, o.Workers, 2)
	for _, w := range o.Workers {
		require.Equal(t, []int{3, 0, 0, 3}, []int{w.Visited, w.Waiting, w.Returned, w.Accepted})
		require.WithinDuration(t, time.Now(), w.Last, time.Hour)
	}

	var one, other = c.Sample.Households[10], c.Sample.Households[11]
	require.NoError(t, duplicates.Do(ctx, desk.Reviewer(), duplicates.Merge{Stays: one.ID, Goes: other.ID, Reason: "同一家"}))
	require.Equal(t, []int{23, 1}, []int{of().Total.Households, of().Total.Unconfirmed})
	cases, err := desk.Cases(ctx)
	require.NoError(t, err)
	require.Len(t, cases, 3)
	for _, x := range cases {
		require.NoError(t, desk.Opine(ctx, x, "dibao", "300", "样例"))
	}
	_, pending, err := desk.Sheets(ctx)
	require.NoError(t, err)
	for _, d := range pending {
		_, err := desk.MakeSheet(ctx, d)
		require.NoError(t, err)
	}
	require.NotEmpty(t, pending)
	o = of()
	require.Equal(t, 1+3+len(pending), o.Total.Unconfirmed)

	path, err := desk.ExportOverview(ctx, t.TempDir())
	require.NoError(t, err)
	book, err := excelize.OpenFile(path)
	require.NoError(t, err)
	defer book.Close()
	rows, err := book.GetRows("各村")
	require.NoError(t, err)
	require.Len(t, rows, 1+len(o.Villages)+1)
	require.Equal(t, "村（社区） 户数 待走访 超期 已走访 待审 退回 采纳 转县里 县里未确认", strings.Join(rows[0], " "))
	last := rows[len(rows)-1]
	require.Equal(t, []string{"合计", "23", "21"}, last[:3])
	require.Equal(t, []string{"3", "0", "0", "3", "0"}, last[4:9])
	workers, err := book.GetRows("各走访员")
	require.NoError(t, err)
	require.Len(t, workers, 3)
	require.Equal(t, []string{"走访员乙（虚构）", "3", "0", "0", "3"}, workers[1][:5])

	_, err = town.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, of().Total.Unconfirmed, "the county has signed for all of it")
}
