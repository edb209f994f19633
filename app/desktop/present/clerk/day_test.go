package clerk_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/checks"
	"ironfeet/app/casework/intake"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/desktop/present"
	"ironfeet/app/desktop/present/clerk"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
)

// TestTheTownshipsDay is a day after a campaign week: two tablets come on sticks,
// sixty visits wait, five households were visited by both teams. The test is the
// clerk: it asks the presenters and nobody else.
func TestTheTownshipsDay(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	c, err := practice.SetUp(ctx, world.Real(), dir, 120)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	byID := map[uuid.UUID]*yunqi.Household{}
	for _, h := range c.Sample.Households {
		byID[h.ID] = h
	}

	// The campaign: 35 visits of tablet A, 30 of tablet B, five households in common.
	// Most doors were closed this week; so the test need not fill 65 whole forms.
	shared := c.Sample.Villages[2].Code
	stick := filepath.Join(dir, "stick")
	require.NoError(t, os.MkdirAll(stick, 0o700))
	for i, plan := range []struct {
		folder string
		visits int
	}{{"tablet-a", 35}, {"tablet-b", 30}} {
		n := c.Nodes[plan.folder]
		list, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
		require.NoError(t, err)
		var common, own []tasks.Task
		for _, task := range list {
			if task.Division != shared {
				own = append(own, task)
			} else if len(common) < 5 {
				common = append(common, task)
			}
		}
		list = append(common, own...)
		require.GreaterOrEqual(t, len(list), plan.visits)
		clock := practice.NewClock(time.Now().AddDate(0, 0, -4).Truncate(24*time.Hour).Add(time.Hour), 12*time.Second)
		restore := clock.By(n)
		for j, task := range list[:plan.visits] {
			h := byID[task.Household]
			script := yunqi.Absent(clock.Now())
			if j < 6 {
				script = h.Visit(clock.Now(), i == 1)
			}
			_, err := n.Walk(ctx, &publish.Shelf{}, task, script, uint64(h.Number*1000+i*10))
			require.NoError(t, err)
			clock.Pass(25 * time.Minute)
			if j%12 == 11 { // the next morning
				clock.Pass(14 * time.Hour)
			}
		}
		restore()
		_, err = n.Office.WriteCarrier(ctx, filepath.Join(stick, plan.folder+".ironfeet"))
		require.NoError(t, err)
	}

	// Morning: the sticks, in one go.
	town := c.Nodes["township"]
	desk, err := clerk.Open(ctx, present.Start(town.Office, town.People[0].ID, town.People[0].Name, words.In("zh")))
	require.NoError(t, err)
	found := desk.Gather(stick)
	require.Len(t, found.Files, 2)
	steps := 0
	files, err := desk.Take(ctx, found.Files, func(int, intake.File) { steps++ })
	require.NoError(t, err)
	require.Greater(t, steps, 4)
	for _, f := range files {
		a := desk.Arrival(f)
		require.Equal(t, "done", a.Tone, a.Said)
		require.Len(t, a.Summary.Six, 6)
		require.Empty(t, desk.Bundles(f), "nothing was set aside")
	}
	in, err := desk.Inbox(ctx)
	require.NoError(t, err)
	require.Len(t, in.All, 65)
	require.False(t, in.All[0].Looked)
	require.NoError(t, desk.Look(ctx))
	for left := 1; left > 0; {
		left, err = desk.LookAtPhotos(ctx, 50)
		require.NoError(t, err)
	}
	require.NoError(t, desk.Look(ctx))
	require.NoError(t, in.Load(ctx))
	require.Equal(t, 10, in.Counts.Alerts[review.AlertTwice], "five households twice")
	require.Zero(t, in.Counts.Alerts[checks.TooFast], "the teams went at a walk")
	require.Zero(t, in.Counts.Alerts[checks.SamePhoto])
	require.Zero(t, in.CleanShown()-in.Counts.Clean)
	require.Greater(t, in.Counts.Clean, 40)
	for i := range in.All[1:] {
		require.LessOrEqual(t, in.All[i].Due, in.All[i+1].Due, "the pressing ones first")
	}
	line := in.Line(ctx, 0)
	require.NotEmpty(t, line.Name)
	require.Contains(t, line.Deadline.Text, "工作日")

	// Those that both teams visited, one by one, beside each other.
	in.Narrow(review.Filter{Alert: review.AlertTwice})
	require.Len(t, in.Shown, 10)
	reviewed := 0
	for len(in.Shown) > 0 {
		page, err := desk.Page(ctx, in.Current().Visit)
		require.NoError(t, err)
		require.Len(t, page.Signed, 2)
		require.True(t, page.Signed[0].OK && page.Signed[1].OK)
		if in.Current().Others > 0 {
			require.True(t, slices.ContainsFunc(page.Lines, func(l clerk.LineView) bool { return l.Beside != "" && l.Beside != l.Says }), "the other team found something else")
		}
		require.Empty(t, page.WhyNotAccept())
		require.NoError(t, page.Accept(ctx))
		reviewed++
		require.NoError(t, in.Load(ctx))
		if len(in.Shown) == 0 && len(in.All) > 55 { // the second of a household has no other any more
			in.Narrow(review.Filter{Division: shared})
		}
	}
	require.GreaterOrEqual(t, reviewed, 5)

	// Some go back to the tablet, one to the county, one is asked for again.
	in.Narrow(review.Filter{})
	returned := in.Current().Visit
	page, err := desk.Page(ctx, returned)
	require.NoError(t, err)
	require.Error(t, page.Return(ctx, clerk.Remark{}), "without a reason")
	questions := page.Questions()
	require.NotEmpty(t, questions)
	require.NoError(t, page.Return(ctx, clerk.Remark{Reason: "photo_unclear", Path: questions[len(questions)-1].Label}, clerk.Remark{Text: "再问一次电话"}))
	require.NoError(t, in.Load(ctx))
	page, err = desk.Page(ctx, in.Current().Visit)
	require.NoError(t, err)
	require.NoError(t, page.Escalate(ctx, "土地权属有争议"))
	require.NoError(t, in.Load(ctx))
	page, err = desk.Page(ctx, in.Current().Visit)
	require.NoError(t, err)
	require.NoError(t, page.AskAgain(ctx, "邻居说法不一"))
	require.NoError(t, in.Load(ctx))
	reviewed += 3

	// The rest has nothing to look at twice.
	clean := in.CleanShown()
	batch, err := in.AcceptClean(ctx)
	require.NoError(t, err)
	require.Empty(t, batch.Left)
	require.Equal(t, clean, batch.Accepted)
	reviewed += batch.Accepted
	for len(in.Shown) > 0 { // and what has hints is looked at
		page, err := desk.Page(ctx, in.Current().Visit)
		require.NoError(t, err)
		require.NotEmpty(t, page.Hints)
		require.NoError(t, page.Accept(ctx))
		require.NoError(t, in.Load(ctx))
		reviewed++
	}
	require.GreaterOrEqual(t, reviewed, 60)

	// One was a slip of the finger.
	undo, err := desk.Undoable(ctx)
	require.NoError(t, err)
	require.NoError(t, desk.Reviewer().Undo(ctx, undo[0].Review, "按错了"))
	require.NoError(t, in.Load(ctx))
	require.Len(t, in.All, 1)
	page, err = desk.Page(ctx, in.All[0].Visit)
	require.NoError(t, err)
	require.NoError(t, page.Accept(ctx))

	// Noon: five conflicts, each with where its values came from.
	disputes, err := desk.Disputes(ctx)
	require.NoError(t, err)
	homes := map[uuid.UUID]bool{}
	for _, d := range disputes {
		homes[d.Household] = true
		require.Len(t, d.Sides, 2)
		require.Contains(t, d.Sides[0].Under, "走访")
		require.GreaterOrEqual(t, len(d.Past), 3, "the whole history")
		require.NoError(t, desk.Settle(ctx, d, d.Sides[0].Raw, "打电话问过"))
	}
	require.Len(t, homes, 5)
	disputes, err = desk.Disputes(ctx)
	require.NoError(t, err)
	require.Empty(t, disputes)

	// Evening: the county hears of it, and nothing can be undone any more.
	o, err := desk.Overview(ctx)
	require.NoError(t, err)
	require.Equal(t, 65, o.Total.Visited)
	require.Positive(t, o.Total.Unconfirmed)
	_, err = town.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	o, err = desk.Overview(ctx)
	require.NoError(t, err)
	require.Equal(t, []int{0, 0, 1, 1}, []int{o.Total.Unconfirmed, o.Total.Waiting - 1, o.Total.Returned, o.Total.Escalated}, "one waits for its second visit")
	undo, err = desk.Undoable(ctx)
	require.NoError(t, err)
	require.Empty(t, undo)
	path, err := desk.ExportOverview(ctx, dir)
	require.NoError(t, err)
	require.FileExists(t, path)
	again, err := desk.ExportOverview(ctx, dir)
	require.NoError(t, err)
	require.NotEqual(t, path, again, "nothing is overwritten")
	findings, err := town.Office.Replica.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, findings)
	n, err := c.Office.Replica.Count(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Equal(t, 65, n)
}
