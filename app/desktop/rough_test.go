package desktop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/widget"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/visit"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// picks answers every question for a file by one of these, in their order.
func (h *hand) picks(names ...string) {
	h.app.pickers.file = func(_ []string, then func(string, func() (io.ReadCloser, error))) {
		require.NotEmpty(h.t, names, "nobody has another file")
		name := names[0]
		names = names[1:]
		then(name, func() (io.ReadCloser, error) { return os.Open(name) })
	}
}

func (h *hand) picksFolder(dir string) {
	h.app.pickers.folder = func(then func(place)) { then(place{dir: dir}) }
}

// kept writes a file for a test to pick.
func kept(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// A form that a newer program published cannot be opened here. It is said in words;
// the visit that was begun, the tasks and everybody's signed visits stay and travel.
func TestAFormNewerThanTheApp(t *testing.T) {
	ctx := context.Background()
	dir, c, list := openWalked(t, 1)

	h := open(t, folder(dir, "tablet-a"), fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	v, err := h.app.session.Desk().Start(ctx, list[0])
	require.NoError(t, err)
	_, err = v.Set(ctx, "/visit/outcome", "completed")
	require.NoError(t, err)

	// The county, by a newer program, publishes the form with an expression that nobody
	// here has heard of.
	newer := "# survey\n\n| type | name | label | relevant |\n|---|---|---|---|\n| text | face | 全息像 | foresee(1) |\n\n# settings\n\n| form_title | form_id | version |\n|---|---|---|\n| 入户核查 | household_visit | 9999 |\n"
	_, err = c.Office.Replica.Write(ctx, c.Clerk, store.Edit{Kind: store.Form, Division: c.Sample.Code, Entity: uuid.New(), Fields: map[string]store.Value{
		"form_id": store.Text(practice.HomeVisit), "version": store.Text("9999"), "title": store.Text("入户核查"), "name": store.Text("入户核查.md"), "workbook": store.Bytes([]byte(newer))}})
	require.NoError(t, err)
	_, err = h.app.session.Sync(ctx, nil)
	require.NoError(t, err)

	h.app.home()
	h.sees("今天的任务", "继续："+list[0].Name)
	h.tap(list[2].Name)
	h.sees("家庭成员")
	h.tap("开始入户")
	h.sees("入户核查", "9999", "更新的程序", "请升级")
	h.close()
	drafts, err := h.app.session.Office.Replica.Drafts(ctx)
	require.NoError(t, err)
	require.Len(t, drafts, 1, "nothing was begun that cannot be filled")

	// What was begun with the older version goes on with it.
	h.app.home()
	h.tap("继续：" + list[0].Name)
	h.sees("入户结果")
	_, err = h.app.session.Sync(ctx, nil)
	require.NoError(t, err)
	visits, err := c.Office.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Len(t, visits, 1, "a signed visit travels as ever")
}

// An invitation of one county at the server of another: the screen says so, and
// nothing is made.
func TestAnInvitationForAnotherCounty(t *testing.T) {
	ctx := context.Background()
	_, c := openCounty(t, "township")
	_, other := openCounty(t, "township")
	code, err := practice.Guests(c.Sample)[2].Invite(ctx, c.Server, c.Address)
	require.NoError(t, err)
	theirs, err := practice.Guests(c.Sample)[2].Invite(ctx, c.Server, other.Address) // the right root, the wrong house
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "new")
	h := open(t, dir, fyne.NewSize(1280, 800))
	h.sees("这台设备还没有加入任何县")
	try := func(code string, says ...string) {
		t.Helper()
		h.entry(h.app.t("code_place")).SetText(code)
		h.tap("查看邀请")
		h.until("an answer", func() bool { return h.app.win.Canvas().Overlays().Top() != nil })
		h.sees(says...)
		h.close()
		require.NoDirExists(t, dir)
	}
	try(theirs, "县里没有这个邀请", "核对邀请码")
	try(strings.Replace(code, "-", "-Z", 1), "邀请码")
	try("你好", "邀请码")

	// The right one, out of a text file and out of a picture of its QR code.
	inv, err := trust.ParseCode(code)
	require.NoError(t, err)
	picture, err := inv.QR()
	require.NoError(t, err)
	for _, file := range []string{kept(t, "邀请.txt", []byte("云栖县\r\n"+code+"\r\n")), kept(t, "码.png", picture), kept(t, "没有码.png", yunqi.Photo(1, 64, 48))} {
		h.entry(h.app.t("code_place")).SetText("")
		h.picks(file)
		h.tap(h.app.t("join_file"))
		if strings.Contains(file, "没有") {
			h.sees("没有") // and the screen stays
			h.close()
			continue
		}
		require.Equal(t, code, h.entry(h.app.t("code_place")).Text)
	}
	h.entry(h.app.t("code_place")).SetText(code)
	h.tap("查看邀请")
	h.waitsFor("走访员丙（虚构）")
	for _, o := range h.objects() {
		if e, ok := o.(*widget.Entry); ok && e.Password {
			e.SetText(practice.PIN)
		}
	}
	h.tap("加入")
	h.waitsFor("谁在用这台设备")
	h.unlock("走访员丙（虚构）")
	h.sees("今天的任务")
}

// A stick is a disk that can be pulled out.
type stick struct {
	world.Disk
	dir  string
	left atomic.Int64 // bytes until it is gone
}

var errGone = errors.New("input/output error")

func (s *stick) Create(name string) (world.File, error) {
	f, err := s.Disk.Create(name)
	if err != nil || !strings.HasPrefix(name, s.dir) {
		return f, err
	}
	return &stickFile{f, s}, nil
}

func (s *stick) Rename(from, to string) error {
	if strings.HasPrefix(to, s.dir) && s.left.Load() < 0 {
		return errGone
	}
	return s.Disk.Rename(from, to)
}

type stickFile struct {
	world.File
	on *stick
}

func (f *stickFile) Write(p []byte) (int, error) {
	if f.on.left.Add(-int64(len(p))) < 0 {
		return 0, errGone
	}
	return f.File.Write(p)
}

func (f *stickFile) Sync() error {
	if f.on.left.Load() < 0 {
		return errGone
	}
	return f.File.Sync()
}

// A stick is pulled out while it is written: the screen says that nothing is on it,
// no file bears the name of one that is whole, and what waits still waits.
func TestAStickPulledOutWhileWriting(t *testing.T) {
	ctx := context.Background()
	dir, c, _ := openWalked(t, 0)
	w := world.Real()
	usb := &stick{Disk: w.Disk, dir: t.TempDir()}
	w.Disk = usb
	usb.left.Store(20_000)
	h := openWith(t, Options{World: w, Dir: folder(dir, "tablet-a"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	h.app.syncScreen()
	h.picksFolder(usb.dir)
	h.tap("写到优盘")
	h.until("what became of it", func() bool { return h.app.win.Canvas().Overlays().Top() != nil })
	h.seesNo("已写到优盘", h.app.t("stick_out_done"))
	h.sees("优盘没有写完", "没写完的不算数")
	h.close()
	names, err := filepath.Glob(filepath.Join(usb.dir, "*.ironfeet"))
	require.NoError(t, err)
	require.Empty(t, names, "nothing bears the name of a file that is whole")
	h.sees("还没有收到县里的回执")

	usb.left.Store(1 << 30) // another stick
	h.tap("写到优盘")
	h.waitsFor(h.app.t("stick_out_done"))
	names, err = filepath.Glob(filepath.Join(usb.dir, "*.ironfeet"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	h.close()

	// The township reads it; what is torn is said to be torn.
	whole, err := os.ReadFile(names[0])
	require.NoError(t, err)
	h.app.lock()
	free(t, c, "township")
	h = open(t, folder(dir, "township"), fyne.NewSize(1440, 900))
	h.unlock("乡镇专干（虚构）")
	h.app.syncScreen()
	h.picks(kept(t, "坏.ironfeet", whole[:len(whole)/2]), names[0])
	h.tap("从优盘读入")
	h.until("what a torn file gave", func() bool { return h.app.win.Canvas().Overlays().Top() != nil })
	h.seesNo(h.app.t("stick_in_done"))
	h.close()
	h.tap("从优盘读入")
	h.waitsFor(h.app.t("stick_in_done"))
	visits, err := h.app.session.Office.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Len(t, visits, 1)
}

// The clock is set back in the middle of a visit: the screen says so, the order of
// the answers stays, and the record carries the note.
func TestAClockSetBackOnTheScreen(t *testing.T) { // domain.md §7 (13)
	at := morning
	dir := t.TempDir()
	c, err := practice.SetUp(context.Background(), still(&at), dir, 24, "township", "tablet-a")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	h := openWith(t, Options{World: still(&at), Dir: folder(dir, "tablet-a"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	v, err := h.app.session.Desk().Start(context.Background(), h.firstTask())
	require.NoError(t, err)
	h.app.visitScreen(v)
	h.answer("/data/visit/outcome", "completed")
	h.seesNo("时钟")
	at = at.Add(-2 * time.Hour)
	h.app.visiting.goTo("/data/home")
	h.answer("/data/home/respondent", "韦某")
	h.sees("121 分钟")
	require.Equal(t, 2*time.Hour, v.ClockBack())
	h.app.lockIfIdle()
	require.NotNil(t, h.app.session, "a clock set back locks nobody out")
}

// Nobody touches the machine: after the minutes of the settings it is locked, and
// whoever was in a visit finds the same question behind the PIN.
func TestTheMachineLocksItself(t *testing.T) { // domain.md §7 (15)
	at := morning
	dir := t.TempDir()
	c, err := practice.SetUp(context.Background(), still(&at), dir, 24, "township", "tablet-a")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	h := openWith(t, Options{World: still(&at), Dir: folder(dir, "tablet-a"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	pass := func(d time.Duration) {
		at = at.Add(d)
		h.app.everyMoment()
	}
	h.unlock("走访员甲（虚构）")
	session := h.app.session
	v, err := session.Desk().Start(context.Background(), h.firstTask())
	require.NoError(t, err)
	h.app.visitScreen(v)
	h.answer("/data/visit/outcome", "completed")
	h.app.visiting.goTo("/data/home")
	h.answer("/data/home/respondent", "韦某")
	pass(4 * time.Minute)
	require.NotNil(t, h.app.session)
	h.answer("/data/home/respondent", "韦某某") // a touch
	pass(4 * time.Minute)
	require.NotNil(t, h.app.session, "whoever types is there")
	h.app.visiting.shots.add(memory("/data/housing/photo_room", yunqi.Photo(3, 640, 480)))
	pass(2 * time.Minute)
	require.NotNil(t, h.app.session, "a picture on its way is finished first")
	h.settle()
	h.app.ask("问", "一句话", "好", func() {})
	pass(time.Second)
	require.Nil(t, h.app.session)
	require.True(t, session.Office.Keys.Locked())
	require.Nil(t, h.app.win.Canvas().Overlays().Top(), "nothing of the visit lies over the lock")
	h.sees("谁在用这台设备")
	h.seesNo("韦某某", h.app.t("blank_hint"))

	h.unlock("走访员甲（虚构）")
	require.Equal(t, "韦某某", h.entries(h.question("/data/home/respondent"))[0].Text)

	// A blank screen locks as any other; and another person does not land in the visit.
	h.app.blank()
	pass(6 * time.Minute)
	require.Nil(t, h.app.session)
	h.unlock("走访员乙（虚构）")
	h.sees("今天的任务")
	h.seesNo("继续：")
}

// One tap hides everything, at any screen; the next brings it back as it was.
func TestOneTapBlanksTheScreen(t *testing.T) { // domain.md §7 (16)
	h := open(t, folder(county(t, "township", "tablet-a"), "tablet-a"), fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	task := h.firstTask()
	v, err := h.app.session.Desk().Start(context.Background(), task)
	require.NoError(t, err)
	for name, show := range map[string]func(){
		"today": h.app.home, "household": func() { h.app.householdScreen(task.Household, h.app.home) }, "visit": func() { h.app.visitScreen(v) },
		"summary": func() { h.app.summaryScreen(v) }, "find": h.app.findScreen,
	} {
		t.Run(name, func(t *testing.T) {
			show()
			was := h.texts()
			require.Contains(t, was, task.Name)
			h.tap(h.app.t("blank"))
			require.NotContains(t, h.texts(), task.Name)
			require.Less(t, len([]rune(h.texts())), 40)
			h.app.dropped = nil
			h.tap(h.app.t("blank_hint"))
			require.Equal(t, was, h.texts())
		})
	}
}

// A householder who cannot write: the thumbprint's photo and a witness; without the
// witness it does not count.
func TestAThumbprintWithAWitness(t *testing.T) { // domain.md §7 (11)
	h := open(t, folder(county(t, "township", "tablet-a"), "tablet-a"), fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	task := h.firstTask()
	v := fill(t, h.app.session, task, false)
	h.app.signScreen(v)
	h.tap(h.app.t("mode_thumbprint"))
	print := kept(t, "手印.jpg", yunqi.Photo(9, 800, 600))
	h.picks(kept(t, "信.jpg", []byte("不是照片")), print, print)
	h.tap(h.app.t("photo_file"))
	require.NotNil(t, h.app.win.Canvas().Overlays().Top(), "what is no photo is no thumbprint")
	h.close()
	h.tap(h.app.t("photo_file"))
	h.sees("见证人")
	h.close()
	require.Empty(t, v.Signature().Mode)
	for _, o := range h.objects() {
		if e, ok := o.(*fieldEntry); ok && e.PlaceHolder == h.app.t("witness") {
			e.SetText("村小组长（虚构）")
		}
	}
	h.tap(h.app.t("photo_file"))
	require.Equal(t, visit.Thumbprint, v.Signature().Mode)
	require.Equal(t, "村小组长（虚构）", v.Signature().Witness)
	require.Positive(t, v.Signature().Size)
	h.sees("村小组长（虚构）", h.app.t("sign_again"))
}

// A voice note by file, and pictures dropped onto the window: into the question at
// hand, what is no picture with its reason, and never into nowhere.
func TestVoiceNotesAndDroppedPictures(t *testing.T) {
	s := setStage(t)
	h := openWith(t, Options{World: s.w, Dir: folder(s.dir, "tablet-a"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	h.at(s.all, "/data/evidence", false)
	x := h.app.visiting
	var voice string
	for path, q := range x.asked {
		if q.node.Type == "audio" {
			voice = path
		}
	}
	require.NotEmpty(t, voice)
	h.picks(kept(t, "讲述 1.m4a", bytes.Repeat([]byte("ftypM4A "), 400)))
	h.tap(h.app.t("file_audio"))
	h.sees("讲述 1.m4a")
	require.Equal(t, visit.Audio, x.fill.Visit.Photos()[voice][0].Kind)
	h.tap(h.app.t("photo_drop"))
	require.Empty(t, x.fill.Visit.Photos()[voice])

	drop := func(names ...string) {
		var uris []fyne.URI
		for _, n := range names {
			uris = append(uris, storage.NewFileURI(n))
		}
		h.app.dropped(fyne.NewPos(400, 300), uris)
		h.settle()
	}
	drop(kept(t, "甲.jpg", yunqi.Photo(1, 640, 480)), kept(t, "乙.jpg", yunqi.Photo(2, 640, 480)), kept(t, "清单.txt", []byte("不是照片")))
	h.sees("清单.txt")
	h.close()
	pictures := 0
	for path, list := range x.fill.Visit.Photos() {
		require.Equal(t, "image", x.asked[path].node.Type, path)
		pictures += len(list)
	}
	require.Equal(t, 2, pictures)

	h.at(s.all, "/data/numbers", false) // no question here takes pictures
	before := h.app.visiting.fill.Visit.Shots()
	drop(kept(t, "丙.jpg", yunqi.Photo(3, 640, 480)))
	require.True(t, h.app.win.Canvas().Overlays().Top() != nil || h.app.visiting.fill.Visit.Shots() == before+1, "it went somewhere, or it is said that it did not")
}

// A camera that is not there is said so, with what to do instead; the visit goes on.
func TestACameraThatIsNotThere(t *testing.T) {
	s := setStage(t)
	h := openWith(t, Options{World: s.w, Dir: folder(s.dir, "tablet-a"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	h.app.settings.Camera = filepath.Join(t.TempDir(), "video9")
	h.at(s.all, "/data/evidence", false)
	h.tap(h.app.t("photo_camera"))
	h.waitsFor("没有找到摄像头")
	h.close()
	h.sees(h.app.t("photo_file"))
}

// On a long page what is far away has no ground drawn; wherever one scrolls, what is
// on the screen has.
func TestWhatIsOnTheScreenHasItsGround(t *testing.T) {
	s := setStage(t)
	h := openWith(t, Options{World: s.w, Dir: folder(s.dir, "tablet-a"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	h.at(s.filled, "/data/housing", false)
	x := h.app.visiting
	h.capture()
	x.goTo("/data/housing")
	look := func() (drawn int) {
		t.Helper()
		for path, q := range x.asked {
			y := q.box.Position().Y - x.scroll.Offset.Y
			if q.ground.Visible() {
				drawn++
			}
			if y+q.box.Size().Height > 0 && y < x.scroll.Size().Height {
				require.True(t, q.ground.Visible(), "%s at %.0f", path, y)
			}
		}
		return drawn
	}
	require.Less(t, look(), len(x.asked))
	for range 40 {
		x.scroll.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.Delta{DY: -120}})
		look()
	}
	require.Positive(t, x.scroll.Offset.Y)
	x.showQuestion("/data/housing/photo_room")
	look()
}
