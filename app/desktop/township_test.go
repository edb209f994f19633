package desktop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/checks"
	"ironfeet/app/casework/intake"
	"ironfeet/app/casework/notice"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
)

// townSizes are a desk's screens, and a tablet's for whoever reviews in the village.
var townSizes = []fyne.Size{{Width: 1440, Height: 900}, {Width: 1280, Height: 800}, {Width: 800, Height: 1280}}

// campaign is a county whose two tablets have visited some households of the village
// they share, one of them both; a second record of one family stands in the
// registry; the county has decided about some.
func campaign(t *testing.T) (dir string, c *practice.County) {
	t.Helper()
	ctx := context.Background()
	dir = t.TempDir()
	at := morning
	c, err := practice.SetUp(ctx, still(&at), dir, 24)
	require.NoError(t, err)
	for i, folder := range []string{"tablet-a", "tablet-b"} {
		n := c.Nodes[folder]
		list, err := tasks.List(ctx, n.Office.Replica, c.Sample.Villages[2].Code, tasks.Open)
		require.NoError(t, err)
		clock := practice.NewClock(morning.AddDate(0, 0, -3+i), 12*time.Second)
		restore := clock.By(n)
		for j, task := range list[:2] {
			script := sample(t, task).Visit(clock.Now(), i == 1)
			_, err := n.Walk(ctx, &publish.Shelf{}, task, script, uint64(i*100+j*10))
			require.NoError(t, err)
			clock.Pass(20 * time.Minute)
		}
		restore()
		_, err = n.Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
	h := c.Sample.Households[2]
	require.NoError(t, registry.Load(ctx, c.Office.Replica, world.Real().NewID, c.Clerk, []registry.Household{{Division: h.Village.Code,
		Fields:  map[string]string{"name": h.Fields["name"], "address": "圩上路3号", "village": h.Village.Name, "phone": "18877770000"},
		Members: []registry.Member{{Fields: map[string]string{"name": h.Members[0].Fields["name"], "id_no": h.Members[0].Fields["id_no"], "birth": h.Members[0].Fields["birth"], "rel": "02"}}}}}))
	for i, s := range c.Sample.Households {
		category := map[yunqi.Kind]string{yunqi.Elders: "dibao", yunqi.Alone: "tekun"}[s.Kind]
		if category == "" {
			continue
		}
		_, err := c.Office.Replica.Write(ctx, c.Clerk, store.Edit{Kind: store.Determination, Division: s.Village.Code, Fields: map[string]store.Value{
			"parent": store.Text(s.ID.String()), "state": store.Text("decided"), "category": store.Text(category), "amount_fen": store.Int(int64(38_000 + i*150))}})
		require.NoError(t, err)
	}
	_, err = c.Nodes["township"].Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	return dir, c
}

// pictured keeps the screen as golden pictures at the two sizes of a township's desk,
// where the test runs at the larger.
func (h *hand) pictured(name string) {
	h.t.Helper()
	h.picture(name)
	if h.app.win.Canvas().Size() != townSizes[0] {
		return
	}
	for _, size := range townSizes[:2] {
		h.app.win.Resize(size)
		h.golden("zh/township-" + name)
	}
	h.app.win.Resize(townSizes[0])
}

func (h *hand) press(names ...fyne.KeyName) {
	h.t.Helper()
	for _, n := range names {
		act := h.app.keys[n]
		require.NotNil(h.t, act, "the key %s does nothing here", n)
		h.app.typed(n)
	}
}

// types writes into the focused entry, and submits it.
func (h *hand) types(text string) {
	h.t.Helper()
	e, ok := h.app.win.Canvas().Focused().(*sheetEntry)
	require.True(h.t, ok, "no entry has the focus")
	test.Type(e, text)
	e.OnSubmitted(e.Text)
}

func TestATownshipsDesk(t *testing.T) {
	was := background
	background = func(f func()) { f() }
	t.Cleanup(func() { background = was })
	sizes := townSizes
	if os.Getenv("IRONFEET_PICTURES") == "" { // nobody looks: one desk's screen is enough
		sizes = townSizes[:1]
	}
	for _, size := range sizes {
		t.Run(fmt.Sprintf("%.0fx%.0f", size.Width, size.Height), func(t *testing.T) {
			ctx := context.Background()
			dir, c := campaign(t)
			stick := filepath.Join(dir, "stick")
			require.NoError(t, os.MkdirAll(stick, 0o700))
			_, err := c.Nodes["tablet-a"].Office.WriteCarrier(ctx, filepath.Join(stick, "平板A.ironfeet"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(stick, "信.ironfeet"), []byte("不是"), 0o600))
			require.NoError(t, c.Close())
			at := morning
			if size == townSizes[0] {
				h := openWith(t, Options{World: still(&at), Dir: filepath.Join(dir, "township"), Lang: "en", TextSize: 18, Demo: true}, size)
				h.unlock("乡镇专干（虚构）")
				h.golden("en/township-inbox")
				h.press(fyne.KeyReturn)
				h.golden("en/township-review")
				h.app.lock()
			}
			h := openWith(t, Options{World: still(&at), Dir: filepath.Join(dir, "township"), Lang: "zh", TextSize: 18, Demo: true}, size)
			h.unlock("乡镇专干（虚构）")
			h.sees("待审走访", "石桥村", "走访 2 次", "还剩", "工作日")
			h.pictured("inbox")
			require.Len(t, h.app.town.inbox.All, 4)
			require.True(t, h.app.town.inbox.All[0].Looked, "the checks have looked")
			h.press(fyne.KeyJ, fyne.KeyDown)
			require.Equal(t, 2, h.app.town.inbox.At)
			h.press(fyne.KeyK, fyne.KeyUp, fyne.KeyK)
			require.Zero(t, h.app.town.inbox.At)
			h.app.town.help("help_inbox")
			h.sees("批量采纳")
			h.pictured("keys")
			h.app.typed(fyne.KeyB)
			h.app.typed(fyne.KeyReturn)
			h.sees("批量采纳") // behind a sheet nothing is decided or opened
			require.Len(t, h.app.win.Canvas().Overlays().List(), 1)
			h.app.typed(fyne.KeyEscape)
			require.Nil(t, h.app.win.Canvas().Overlays().Top())

			h.press(fyne.KeyReturn)
			h.sees("这次走访", "现在登记", "全部答案", "签名有效", "自动检查", "另一次")
			h.pictured("review")
			h.press(fyne.KeyP)
			h.sees("1 / ")
			h.pictured("photo")
			h.press(fyne.KeyEqual, fyne.KeyEqual)
			h.pictured("photo-large")
			h.press(fyne.KeyRight)
			h.sees("2 / ")
			h.press(fyne.KeyEscape)
			h.press(fyne.KeyJ, fyne.KeySpace)
			h.types("门牌没有变")
			h.sees("保留登记：门牌没有变")
			h.press(fyne.KeyR)
			h.sees("哪一题", "补充说明")
			h.pictured("return")
			h.tap("退回")
			h.sees("必须写明原因") // without a reason nothing is returned
			h.close()

			all := len(h.app.town.inbox.All)
			h.press(fyne.KeyA)
			require.Len(t, h.app.town.inbox.All, all-1, "accepted, and the next one is open")
			h.press(fyne.KeyU)
			h.sees("已采纳")
			h.tap("已采纳")
			h.types("按错了")
			require.Len(t, h.app.town.inbox.All, all, "undone")
			h.press(fyne.KeyHome, fyne.KeyReturn)
			for range all {
				h.press(fyne.KeyA)
			}
			h.sees("没有待审的走访")
			h.app.town.conflictsScreen()
			h.sees("联系电话", "来自")
			h.pictured("conflicts")
			for range 10 {
				disputes, err := h.app.town.c.Disputes(ctx)
				require.NoError(t, err)
				if len(disputes) == 0 {
					break
				}
				h.press(fyne.Key1)
				h.types("打电话问过")
			}
			h.sees("没有矛盾")

			h.app.town.duplicatesScreen()
			h.sees("证件号码相同", "相同的成员")
			h.pictured("duplicates")
			h.press(fyne.KeyReturn)
			h.pictured("duplicate")
			h.tap("合并，保留左边")
			h.types("同一家")
			h.sees("撤销合并")
			h.picture("merged")

			h.app.town.noticesScreen()
			h.sees("最低生活保障公示", "做公示")
			h.tap("做公示")
			h.pictured("notice")
			list, _, err := h.app.town.c.Sheets(ctx)
			require.NoError(t, err)
			require.Len(t, list, 1)
			paths, err := h.app.town.c.Print(ctx, list[0], t.TempDir())
			require.NoError(t, err)
			require.Len(t, paths, 2)
			h.app.town.noticesScreen()
			h.pictured("notices")

			h.app.town.overviewScreen()
			h.sees("县里未确认", "不作排名", "走访员丙（虚构）")
			h.pictured("overview")
			h.app.town.importScreen()
			h.sees("把优盘上的文件或文件夹拖到这里", "没有等待或搁置的数据", "2026")
			h.pictured("import")
			h.app.dropped(fyne.Position{}, []fyne.URI{storage.NewFileURI(stick)}) // as from the file manager
			h.sees("已读入", "核对号", "已有", "没有读入", "不是铁脚板的U盘文件")
			h.picture("import-read")
		})
	}
}

// What a reviewer must see before deciding: required questions without an answer and
// why, the tablet's clock set back, the form's own warnings. Nothing of it can be
// accepted among many.
func TestWhatSpeaksAgainstAVisitIsOnTheScreen(t *testing.T) {
	was := background
	background = func(f func()) { f() }
	t.Cleanup(func() { background = was })
	ctx := context.Background()
	dir := t.TempDir()
	at := morning
	c, err := practice.SetUp(ctx, still(&at), dir, 24, "township", "tablet-a")
	require.NoError(t, err)
	form, err := os.ReadFile("testdata/提醒.md")
	require.NoError(t, err)
	_, report, err := publish.Form(ctx, c.Office.Replica, c.Clerk, "提醒.md", form)
	require.NoError(t, err, "%v", report)
	n := c.Nodes["tablet-a"]
	_, err = n.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	list, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	now := morning.Add(-3 * time.Hour)
	n.Office.World.Now = func() time.Time { now = now.Add(10 * time.Second); return now }
	v, err := n.Desk(&publish.Shelf{}).Start(ctx, tasks.Task{Household: list[0].Household, Form: "warns"})
	require.NoError(t, err)
	set := func(path, value string) {
		_, err := v.Set(ctx, path, value)
		require.NoError(t, err)
	}
	now = now.Add(40 * time.Minute)
	set("/visit/outcome", "completed")
	set("/visit/income", "500")
	now = now.Add(-25 * time.Minute) // the clock is set back
	set("/visit/spent", "4000")
	require.NoError(t, v.Excuse(ctx, "/visit/savings", visit.Unwilling, "有外人在场，不便说"))
	require.NoError(t, v.Excuse(ctx, "/visit/photo_id", visit.NoDocument, "证件不在家"))
	require.Empty(t, v.Problems())
	require.NoError(t, n.SignOff(ctx, v, "韦大山", 7, &practice.Walked{}))
	n.Office.World.Now = func() time.Time { return morning }
	for _, folder := range []string{"tablet-a", "township"} {
		_, err = c.Nodes[folder].Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
	require.NoError(t, c.Close())

	for _, lang := range []string{"zh", "en"} {
		h := openWith(t, Options{World: still(&at), Dir: filepath.Join(dir, "township"), Lang: lang, TextSize: 18, Demo: true}, townSizes[0])
		h.unlock("乡镇专干（虚构）")
		in := h.app.town.inbox
		require.Len(t, in.All, 1)
		require.Zero(t, in.CleanShown())
		codes := map[string]int{}
		for _, hint := range in.All[0].Hints {
			codes[hint.Code] = hint.Count + hint.Minutes
		}
		require.Equal(t, 2, codes[checks.Excused])
		require.Equal(t, 24, codes[checks.ClockBack])
		var left *review.NotCleanError
		require.ErrorAs(t, h.app.town.c.Reviewer().AcceptClean(ctx, &in.All[0]), &left)
		require.Subset(t, left.Why, []string{review.HasProblems, checks.Excused, checks.ClockBack})
		h.press(fyne.KeyReturn)
		if lang == "zh" {
			h.sees("有 2 道必答题没有答案", "存款大约多少？", "不愿说：有外人在场，不便说", "身份证照片", "没有证明：证件不在家",
				"平板时钟往回调了 24 分钟", "月支出是月收入的三倍以上，请核实钱从哪里来")
			h.seesNo("问完请道谢") // an ordinary note warns of nothing
			h.pictured("review-warned")
		} else {
			h.sees("2 required questions without an answer", "Spends three times the income")
			h.golden("en/township-review-warned")
		}
		h.app.lock()
	}
}

// The watched folder in the app itself: a file that is still being copied is left
// alone, a torn one gives what it has and all of it once it is whole, one that was
// read is not read again, a copy of it changes nothing, and a locked machine reads
// nothing.
func TestAWatchedFolder(t *testing.T) {
	wasPace, was := watchPace, background
	ticks, looked, ended := make(chan time.Time), make(chan struct{}), make(chan struct{}, 1)
	watchPace = func() pace {
		return pace{ticks, func() { looked <- struct{}{} }, func() { ended <- struct{}{} }}
	}
	background = func(f func()) { f() }
	t.Cleanup(func() { watchPace, background = wasPace, was })
	ctx := context.Background()
	dir, c := campaign(t)
	carriers := map[string][]byte{}
	for _, folder := range []string{"tablet-a", "tablet-b"} {
		path := filepath.Join(dir, folder+".ironfeet")
		_, err := c.Nodes[folder].Office.WriteCarrier(ctx, path)
		require.NoError(t, err)
		carriers[folder], err = os.ReadFile(path)
		require.NoError(t, err)
	}
	watched := filepath.Join(dir, "watched")
	require.NoError(t, os.MkdirAll(watched, 0o700))
	require.NoError(t, c.Close())

	at := morning
	h := openWith(t, Options{World: still(&at), Dir: filepath.Join(dir, "township"), Lang: "zh", TextSize: 18}, townSizes[0])
	h.unlock("乡镇专干（虚构）")
	require.NoError(t, h.app.town.c.SetWatched(ctx, watched))
	h.app.town.startWatch()
	h.app.town.importScreen()
	h.sees("自动读入的文件夹：" + watched)
	wait := func(c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(30 * time.Second):
			require.Fail(t, "the folder is not looked at")
		}
	}
	look := func() { t.Helper(); ticks <- at; wait(looked) }
	states := func() string {
		all := ""
		for _, f := range h.app.town.intake.files {
			all += filepath.Base(f.Path) + " " + f.File.State + fmt.Sprintf(" %d/%d, ", f.New, f.Already)
		}
		return all
	}
	write := func(name string, data []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(watched, name), data, 0o600))
	}
	a := carriers["tablet-a"]
	for part := 1; part <= 4; part++ { // copied piece by piece: it never stands still
		write("a.ironfeet", a[:len(a)*part/5])
		look()
	}
	write("信.txt", []byte("不是"))
	require.Empty(t, states(), "what is still being copied is not read")
	look()
	require.Contains(t, states(), "a.ironfeet torn", "it has stood still: what is whole of it is taken")
	require.Equal(t, 1, len(h.app.town.intake.files))
	write("a.ironfeet", a)
	look()
	look()
	require.Equal(t, 2, len(h.app.town.intake.files), states())
	require.Equal(t, intake.Done, h.app.town.intake.files[1].File.State)
	h.sees("文件不完整，已读入前一部分", "已读入")
	look()
	require.Equal(t, 2, len(h.app.town.intake.files), "once")
	write("a（副本）.ironfeet", a)
	write("b.ironfeet", carriers["tablet-b"])
	look()
	look()
	require.Equal(t, 4, len(h.app.town.intake.files), states())
	for _, f := range h.app.town.intake.files[2:] {
		require.Equal(t, intake.Done, f.File.State)
		require.Zero(t, f.New, "the network had brought all of it, or the first copy")
	}
	n, err := h.app.session.Office.Replica.Count(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Equal(t, 4, n)

	// Nobody is at work: nothing is read, and the looking ends.
	write("c.ironfeet", carriers["tablet-b"])
	h.app.unlockScreen()
	ticks <- at
	wait(ended)
}

// From the accepted visit to the end of a posting, on the screens: the application is
// accepted, the opinion given by one key or otherwise with a reason, the sheet made of
// it, put up with a photograph, objected to, which sends somebody there again, and
// taken down with the photograph of the last day.
func TestANoticeFromTheOpinionToItsLastDay(t *testing.T) {
	wasBackground, wasFile, wasFolder := background, askFile, askFolder
	background = func(f func()) { f() }
	t.Cleanup(func() { background, askFile, askFolder = wasBackground, wasFile, wasFolder })
	ctx := context.Background()
	dir := t.TempDir()
	at := morning
	c, err := practice.Visited(ctx, still(&at), dir, 24, 5, 0)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	chosen, out := filepath.Join(dir, "photo.jpg"), t.TempDir()
	askFile = func(_ *township, then func(string), kinds ...string) {
		require.Contains(t, kinds, ".jpg")
		then(chosen)
	}
	askFolder = func(_ *township, then func(string)) { then(out) }

	h := openWith(t, Options{World: still(&at), Dir: filepath.Join(dir, "township"), Lang: "zh", TextSize: 18}, townSizes[0])
	h.unlock("乡镇专干（虚构）")
	h.app.town.noticesScreen()
	h.sees("初审意见", "等待初审意见的 5 户", "没有待公示的")
	h.tap("等待初审意见的 5 户")
	h.sees("每月", "元", "受理申请")
	h.pictured("opinions")

	// One application is accepted: the tablet gets a task with its deadline.
	h.tap("受理申请")
	e := h.app.win.Canvas().Focused().(*sheetEntry)
	name := c.Sample.Households[20].Fields["name"]
	test.Type(e, name)
	h.pictured("accept-find")
	h.tap(c.Sample.Households[20].Fields["address"])
	h.sees("申请什么", "低保", "2026-03-02")
	h.pictured("accept")
	h.tap("确定")
	h.sees("已受理 " + name + " 的申请，入户限 2026-03-05")
	h.close()
	list, err := tasks.List(ctx, h.app.session.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	require.Equal(t, 1, having(list, func(x tasks.Task) bool {
		return x.Accepted == "2026-03-02" && x.Procedure == "dibao" && x.Due == "2026-03-05"
	}))

	// Opinions: as suggested by one key, otherwise only with a reason.
	cases, err := h.app.town.c.Cases(ctx)
	require.NoError(t, err)
	require.Len(t, cases, 5)
	h.press(fyne.KeyReturn)
	h.sees("系统建议", "另提意见", "同意建议")
	h.pictured("opinion")
	if cases[0].Missing == "" {
		h.press(fyne.KeyA)
		h.sees("等待初审意见的 4 户", "已提出的 1 户")
	}
	require.Error(t, h.app.town.c.Opine(ctx, cases[1], "dibao", "12.345", "x"), "half a fen")
	require.Error(t, h.app.town.c.Opine(ctx, cases[1], "dibao", "1e9", "x"))
	for _, x := range cases[1:] {
		require.NoError(t, h.app.town.c.Opine(ctx, x, "dibao", "576.50", "补算了土地流转收入"))
	}
	h.app.town.opinionsScreen()
	h.sees("没有等待初审意见的", "低保　每月 576.50 元", "补算了土地流转收入", "乡镇专干（虚构）")
	h.pictured("opinions-given")

	// The sheet.
	h.press(fyne.KeyEscape)
	h.sees("最低生活保障初审公示", "做公示")
	h.pictured("notices-opinions")
	_, pending, err := h.app.town.c.Sheets(ctx)
	require.NoError(t, err)
	h.tap("做公示")
	h.sees("草稿", "576.50", "张贴")
	h.tap("打印")
	h.sees("已写好")
	h.close()
	files, err := os.ReadDir(out)
	require.NoError(t, err)
	require.Len(t, files, 2)
	h.tap("张贴")
	h.sees("今天张贴，公示到 2026-03-09")
	test.Type(h.app.win.Canvas().Focused(), "村委会公示栏")
	h.pictured("notice-post")
	require.NoError(t, os.WriteFile(chosen, []byte("no picture"), 0o600))
	h.tap("选照片")
	h.sees("不是") // a file that is no photograph hangs nothing
	h.close()
	require.NoError(t, os.WriteFile(chosen, yunqi.Photo(31, 640, 480), 0o600))
	h.tap("张贴")
	test.Type(h.app.win.Canvas().Focused(), "村委会公示栏")
	h.tap("选照片")
	h.sees("公示中", "2026-03-02 至 2026-03-09", "村委会公示栏", "首日照片", "登记异议")
	h.pictured("notice-posted")
	h.tap("登记异议")
	what := h.app.win.Canvas().Focused()
	test.Type(what, "他家在县城有房")
	h.tap("确定")
	h.sees("他家在县城有房", "已安排重新入户，限")
	h.pictured("notice-objected")
	list, err = tasks.List(ctx, h.app.session.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	require.Equal(t, 1, having(list, func(x tasks.Task) bool {
		return x.Household == pending[0].Rows[0].Household && x.Due > "2026-03-02" && strings.Contains(x.Reason, "异议")
	}))

	// Not before its last day, and with the photograph of that day.
	require.NoError(t, os.WriteFile(chosen, yunqi.Photo(32, 640, 480), 0o600))
	h.tap("期满结束")
	h.sees("公示到 2026-03-09 为止，还没有期满")
	h.close()
	at = at.AddDate(0, 0, 7)
	h.app.again()
	h.sees("已期满，待结束")
	h.tap("期满结束")
	h.sees("已结束", "末日照片")
	h.tap("异议不成立")
	h.types("房屋系其弟所有，有产权证")
	h.sees("异议不成立：房屋系其弟所有，有产权证")
	h.pictured("notice-closed")
	sheets, _, err := h.app.town.c.Sheets(ctx)
	require.NoError(t, err)
	require.Equal(t, notice.Closed, sheets[0].Sheet.State)
	require.NotEqual(t, sheets[0].First, sheets[0].Sheet.Last)
	require.Len(t, sheets[0].Passed(), len(sheets[0].Rows))
}

func having[T any](list []T, is func(T) bool) (n int) {
	for _, x := range list {
		if is(x) {
			n++
		}
	}
	return n
}
