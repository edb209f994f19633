package intake_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/cards"
	"ironfeet/app/casework/intake"
	"ironfeet/app/casework/overview"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

var ctx = context.Background()

func setUp(t *testing.T, folders ...string) *practice.County {
	t.Helper()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, folders...)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// walk makes the tablet's next visit.
func walk(t *testing.T, c *practice.County, folder string) {
	t.Helper()
	n := c.Nodes[folder]
	list, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	for _, h := range c.Sample.Households {
		if h.ID == list[0].Household {
			_, err = n.Walk(ctx, &publish.Shelf{}, list[0], h.Visit(time.Now(), false), uint64(h.Number*100))
			require.NoError(t, err)
		}
	}
}

func TestManySticksAtOnce(t *testing.T) {
	c, other := setUp(t), setUp(t, "township", "tablet-a")
	stick := filepath.Join(t.TempDir(), "优盘")
	require.NoError(t, os.MkdirAll(filepath.Join(stick, "照片", "深"), 0o700))
	write := func(c *practice.County, folder, name string) string {
		path := filepath.Join(stick, name)
		_, err := c.Nodes[folder].Office.WriteCarrier(ctx, path)
		require.NoError(t, err)
		return path
	}
	walk(t, c, "tablet-a")
	older := write(c, "tablet-a", "a-旧.ironfeet")
	walk(t, c, "tablet-a")
	newer := write(c, "tablet-a", "照片/深/a-新.IRONFEET")
	walk(t, c, "tablet-b")
	whole := write(c, "tablet-b", "b.ironfeet")
	data, err := os.ReadFile(whole)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(stick, "b-断.ironfeet"), data[:len(data)*2/3], 0o600))
	require.NoError(t, os.Remove(whole))
	walk(t, other, "tablet-a")
	write(other, "tablet-a", "c-外县.ironfeet")
	require.NoError(t, os.WriteFile(filepath.Join(stick, "d-不是.ironfeet"), []byte("一封信"), 0o600))
	for i := range 10_000 { // everything else that lies on sticks
		require.NoError(t, os.WriteFile(filepath.Join(stick, "照片", fmt.Sprintf("%d.jpg", i)), nil, 0o600))
	}

	disk := world.OS{}
	got := intake.Gather(disk, stick, newer)
	require.False(t, got.Limited)
	require.Equal(t, 10_000, got.Unrelated)
	require.Len(t, got.Files, 5)
	// The newer one first: an older one after it changes nothing.
	files := append([]string{newer}, older)
	for _, f := range got.Files {
		if f != newer && f != older {
			files = append(files, f)
		}
	}
	town := c.Nodes["township"].Office
	steps, last := 0, map[int]int64{}
	done, err := intake.Take(ctx, town, files, func(i int, f intake.File) {
		steps++
		require.GreaterOrEqual(t, f.Read, last[i], "it only goes forward")
		last[i] = f.Read
	})
	require.NoError(t, err)
	require.Greater(t, steps, 2*len(files), "it is heard of on the way")
	states := ""
	for _, f := range done {
		states += f.State + " "
	}
	require.Equal(t, "done done torn refused refused ", states)
	require.Positive(t, done[0].New)
	require.Zero(t, done[1].New, "all of the older one is here already")
	require.Positive(t, done[1].Already)
	require.Len(t, done[0].Summary.Six, 6)
	require.Equal(t, done[0].Size, done[0].Read)
	say := words.In("zh")
	for i, part := range []string{"", "", "不完整", "不是写给本机的", "打不开"} {
		if done[i].Err != nil {
			said, hint := say.Error(done[i].Err)
			require.Contains(t, said, part)
			require.NotEmpty(t, hint, "what to do next")
		}
	}
	require.Positive(t, done[2].New, "what stood before the tear is here")
	visits, err := town.Replica.Count(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Equal(t, 3, visits)

	// All of it once more: nothing happens.
	again, err := intake.Take(ctx, town, files, nil)
	require.NoError(t, err)
	for _, f := range again {
		require.Zero(t, f.New)
	}
	findings, err := town.Replica.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, findings)

	// Before anything went to the county by network, the overview says so.
	box, err := cards.Open(ctx, town.Replica)
	require.NoError(t, err)
	of := func() overview.Overview {
		o, err := overview.Of(ctx, town.Replica, box, c.Sample.TownshipCode, time.Now(), func(id uuid.UUID) string {
			roll, err := town.Roll(ctx)
			require.NoError(t, err)
			return roll.Person(id)[0].Name
		})
		require.NoError(t, err)
		return o
	}
	o := of()
	require.Equal(t, []int{3, 3, 0, 3, 21}, []int{o.Total.Visited, o.Total.Waiting, o.Total.Accepted, o.Total.Unconfirmed, o.Total.Open})
	require.Len(t, o.Villages, 8)
	require.Equal(t, "上岭村", o.Villages[0].Name)
	require.Len(t, o.Workers, 4)
	require.Equal(t, "走访员丁（虚构）", o.Workers[0].Name, "by name, whoever did most")
	rv := &review.Reviewer{Replica: town.Replica, Shelf: &publish.Shelf{}, Person: c.Nodes["township"].People[0].ID, Role: trust.Township, Now: time.Now, NewID: world.Real().NewID}
	inbox, err := review.Inbox(ctx, town.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	for i, w := range inbox[:2] {
		open, err := rv.Open(ctx, w.Visit)
		require.NoError(t, err)
		if i == 0 {
			require.NoError(t, rv.Accept(ctx, open, nil, ""))
		} else {
			require.NoError(t, rv.Return(ctx, open, time.Now().AddDate(0, 0, -1), review.Fault{Text: "补拍"}))
		}
	}
	o = of()
	require.Equal(t, []int{3, 1, 1, 1, 5, 22, 1}, []int{o.Total.Visited, o.Total.Waiting, o.Total.Accepted, o.Total.Returned, o.Total.Unconfirmed, o.Total.Open, o.Total.Overdue})
	_, err = town.Client().Sync(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, of().Total.Unconfirmed, "the county has signed for it")
}

func TestWhatIsSetAsideIsListed(t *testing.T) {
	c := setUp(t)
	path := filepath.Join(t.TempDir(), "a.ironfeet")
	walk(t, c, "tablet-a")
	_, err := c.Nodes["tablet-a"].Office.WriteCarrier(ctx, path)
	require.NoError(t, err)
	// The tablet was lost, and the county has revoked it from its first change on.
	_, err = c.Office.Replica.Write(ctx, c.Office.Replica.Identity().Node, trust.RevokeEdit(c.Nodes["tablet-a"].Office.Replica.Identity().Node, c.Sample.Code, 0, "丢失"))
	require.NoError(t, err)
	town := c.Nodes["township"].Office
	_, err = town.Client().Sync(ctx, nil)
	require.NoError(t, err)
	files, err := intake.Take(ctx, town, []string{path}, nil)
	require.NoError(t, err)
	require.Positive(t, files[0].Aside)
	require.Zero(t, files[0].New)
	held, err := intake.Aside(ctx, town)
	require.NoError(t, err)
	require.Len(t, held, files[0].Aside)
	for _, h := range held {
		require.Equal(t, "平板A（虚构）", h.From)
		require.Equal(t, "trust.revoked", h.Code)
		require.False(t, h.Waits)
		for _, lang := range []string{"zh", "en"} {
			require.True(t, words.In(lang).Has(h.Code+".hint"), "what to do about it")
		}
	}
}

func TestAWatchedFolder(t *testing.T) {
	dir := t.TempDir()
	w := &intake.Watch{Dir: dir}
	path := filepath.Join(dir, "a.ironfeet")
	put := func(text string, at int) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, time.Unix(int64(at), 0), time.Unix(int64(at), 0)))
	}
	require.Empty(t, w.Look(world.OS{}))
	put("half", 1)
	require.Empty(t, w.Look(world.OS{}), "it may still be growing")
	put("half and half", 2)
	require.Empty(t, w.Look(world.OS{}), "it has grown")
	require.Equal(t, []string{path}, w.Look(world.OS{}), "it stood still")
	require.Empty(t, w.Look(world.OS{}), "once")
	put("another one of that name", 3)
	w.Look(world.OS{})
	require.Equal(t, []string{path}, w.Look(world.OS{}))
	require.NoError(t, os.Remove(path))
	require.Empty(t, w.Look(world.OS{}))
	require.Empty(t, (&intake.Watch{Dir: filepath.Join(dir, "none")}).Look(world.OS{}), "a stick that was pulled out")
}
