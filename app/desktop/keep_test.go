package desktop

import (
	"context"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/desktop/present"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
)

// standing is a hand at a machine that syncs by itself.
func standing(t *testing.T, dir string) *hand {
	return openWith(t, Options{Dir: dir, Lang: "zh", TextSize: 18, Demo: true, Keep: true}, fyne.NewSize(1280, 800))
}

// openCounty stays at work while tablets are.
func openCounty(t *testing.T, folders ...string) (string, *practice.County) {
	t.Helper()
	dir := t.TempDir()
	c, err := practice.SetUp(context.Background(), world.Real(), dir, 24, folders...)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return dir, c
}

// free closes a node's folder, so that the app can have it.
func free(t *testing.T, c *practice.County, folder string) {
	t.Helper()
	require.NoError(t, c.Nodes[folder].Office.Close())
	delete(c.Nodes, folder)
}

// openWalked has a visit signed on a tablet, to the i-th of its open tasks.
func openWalked(t *testing.T, i int) (dir string, c *practice.County, list []tasks.Task) {
	t.Helper()
	ctx := context.Background()
	dir, c = openCounty(t, "township", "tablet-a")
	n := c.Nodes["tablet-a"]
	list, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	_, err = n.Walk(ctx, &publish.Shelf{}, list[i], sample(t, list[i]).Visit(time.Now(), false), 1)
	require.NoError(t, err)
	free(t, c, "tablet-a")
	return dir, c, list
}

// A worker unlocks, and what the county wrote meanwhile stands on the screen without
// a tap; nothing that lies over it or is being typed is disturbed.
func TestTodayFollowsTheCounty(t *testing.T) {
	ctx := context.Background()
	dir, c := openCounty(t, "township", "tablet-a")
	free(t, c, "tablet-a")
	h := standing(t, folder(dir, "tablet-a"))
	h.unlock("走访员甲（虚构）")
	h.waitsFor("隔几分钟自动再对")

	list, err := tasks.List(ctx, c.Office.Replica, c.Sample.Villages[0].Code, tasks.Open)
	require.NoError(t, err)
	issue := func(reason string) {
		_, err = tasks.Issue(ctx, c.Office.Replica, c.Clerk, []tasks.Task{{
			ID: h.app.options.World.NewID(), Household: list[0].Household, Division: list[0].Division, Form: practice.HomeVisit, Due: "2020-01-01", Reason: reason}})
		require.NoError(t, err)
		h.app.session.Wake()
	}
	issue("有人来信反映")
	h.waitsFor("有人来信反映")

	h.app.ask("要锁定吗？", "问一句", "锁定", func() {})
	issue("第二封来信")
	h.until("news", func() bool {
		n := h.app.session.Standing()
		return n.News > h.app.news && n.Pace == present.Resting
	})
	h.sees("问一句")
	h.close()
	h.seesNo("第二封来信")
	h.app.everyMoment()
	h.sees("第二封来信")

	h.app.blank()
	issue("第三封来信")
	h.until("news", func() bool {
		n := h.app.session.Standing()
		return n.News > h.app.news && n.Pace == present.Resting
	})
	h.app.everyMoment()
	require.Less(t, len([]rune(h.texts())), 40, "a blank screen stays blank")
	h.app.keys[fyne.KeySpace]()
	h.app.everyMoment()
	h.sees("第三封来信")

	h.app.settingsScreen(h.app.home)
	h.tap("只在我点的时候")
	require.False(t, h.app.session.Keeps())
	h.tap("有信号时自动")
	require.True(t, h.app.session.Keeps())
	session := h.app.session
	h.app.unlockScreen()
	require.False(t, session.Keeps())
	require.True(t, session.Office.Keys.Locked())
}

// A reviewer sees a visit arrive while the inbox is on the screen.
func TestTheInboxFollowsTheCounty(t *testing.T) {
	was := background
	background = func(f func()) { f() }
	t.Cleanup(func() { background = was })
	ctx := context.Background()
	dir, c := openCounty(t, "township", "tablet-a")
	free(t, c, "township")
	h := standing(t, folder(dir, "township"))
	h.unlock("乡镇专干（虚构）")
	h.sees("没有待审的走访")
	h.until("a first sync", func() bool { return h.app.session.Standing().Pace == present.Resting })

	n := c.Nodes["tablet-a"]
	list, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	_, err = n.Walk(ctx, &publish.Shelf{}, list[0], sample(t, list[0]).Visit(time.Now(), false), 1)
	require.NoError(t, err)
	_, err = n.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	h.app.session.Wake()
	h.waitsFor(list[0].Name)
	require.Len(t, h.app.town.inbox.All, 1)
}

// The worker syncs by hand; the screen says what was done, and what the county has.
func TestSyncingByHand(t *testing.T) {
	ctx := context.Background()
	dir, c, _ := openWalked(t, 0)
	h := standing(t, folder(dir, "tablet-a"))
	h.app.settings.ByHand = true
	h.unlock("走访员甲（虚构）")
	h.sees("现在只在点“同步”时联网")
	h.tap("同步或拷到优盘")
	h.sees("还没有收到县里的回执")
	h.tap("用网络同步")
	h.waitsFor("同步完成")
	h.sees("本机的记录县里都已收到")
	visits, err := c.Office.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Len(t, visits, 1)
}
