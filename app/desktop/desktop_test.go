package desktop

import (
	"context"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/assets/yunqi"
	"ironfeet/store/world"
)

// county makes a practice county; its nodes' folders are free to be unlocked.
func county(t *testing.T, folders ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	c, err := practice.SetUp(context.Background(), world.Real(), dir, 24, folders...)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	return dir
}

// A hand uses the app as a person does: it sees texts and taps.
type hand struct {
	t   *testing.T
	app *App
}

func open(t *testing.T, dir string, size fyne.Size) *hand {
	t.Helper()
	a := New(test.NewApp(), Options{World: world.Real(), Dir: dir, Lang: "zh", TextSize: 18, Demo: true})
	a.win.Resize(size)
	t.Cleanup(a.lock)
	return &hand{t, a}
}

// objects are everything on the screen, dialogs on top.
func (h *hand) objects() []fyne.CanvasObject {
	if top := h.app.win.Canvas().Overlays().Top(); top != nil {
		return test.LaidOutObjects(top)
	}
	return test.LaidOutObjects(h.app.win.Canvas().Content())
}

func textOf(o fyne.CanvasObject) string {
	switch o := o.(type) {
	case *canvas.Text:
		return o.Text
	case *widget.Label:
		return o.Text
	case *widget.Button:
		return o.Text
	case *widget.Entry:
		return o.Text
	}
	return ""
}

// texts are all the words on the screen.
func (h *hand) texts() string {
	var b strings.Builder
	for _, o := range h.objects() {
		if s := textOf(o); s != "" && o.Visible() {
			b.WriteString(s + "\n")
		}
	}
	return b.String()
}

func (h *hand) sees(words ...string) {
	h.t.Helper()
	all := h.texts()
	for _, w := range words {
		require.Contains(h.t, all, w)
	}
}

func (h *hand) tap(words string) {
	h.t.Helper()
	for _, o := range h.objects() {
		switch o := o.(type) {
		case *widget.Button:
			if strings.Contains(o.Text, words) && o.Visible() {
				require.False(h.t, o.Disabled(), "%s cannot be tapped yet", words)
				test.Tap(o)
				return
			}
		case *look.Tile:
			for _, in := range test.LaidOutObjects(o) {
				if strings.Contains(textOf(in), words) {
					o.Tapped(nil)
					return
				}
			}
		}
	}
	require.Fail(h.t, "nothing to tap", "%q among\n%s", words, h.texts())
}

// unlock enters the PIN key by key.
func (h *hand) unlock(name string) {
	h.t.Helper()
	h.tap(name)
	for _, d := range practice.PIN {
		h.tap(string(d))
	}
	h.tap("✓")
}

// picture keeps what is on the screen, for people to look at, where
// IRONFEET_PICTURES names a folder; everywhere it proves that the screen draws.
func (h *hand) picture(name string) {
	h.t.Helper()
	// Wrapped labels know their height only after the first layout.
	size := h.app.win.Canvas().Size()
	h.app.win.Resize(size.AddWidthHeight(1, 0))
	h.app.win.Resize(size)
	img := h.app.win.Canvas().Capture()
	require.Equal(h.t, int(size.Width), img.Bounds().Dx())
	seen := map[uint32]bool{}
	for x := 0; x < img.Bounds().Dx(); x += 7 {
		for y := 0; y < img.Bounds().Dy(); y += 7 {
			r, g, b, _ := img.At(x, y).RGBA()
			seen[r>>12<<8|g>>12<<4|b>>12] = true
		}
	}
	require.Greater(h.t, len(seen), 3, "the screen is blank")
	dir := os.Getenv("IRONFEET_PICTURES")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%dx%d.png", name, int(size.Width), int(size.Height))))
	require.NoError(h.t, err)
	defer f.Close()
	require.NoError(h.t, png.Encode(f, img))
}

var sizes = []fyne.Size{{Width: 1280, Height: 800}, {Width: 800, Height: 1280}, {Width: 1440, Height: 900}}

func TestAWorkersDay(t *testing.T) {
	for i, size := range sizes {
		t.Run(fmt.Sprintf("%.0fx%.0f", size.Width, size.Height), func(t *testing.T) {
			dir := county(t, "township", "tablet-a")
			h := open(t, filepath.Join(dir, "tablet-a"), size)
			h.sees("谁在用这台设备？", "走访员甲（虚构）", "走访员乙（虚构）")
			h.picture("01-unlock")
			h.tap("走访员甲（虚构）")
			for _, d := range "111111" {
				h.tap(string(d))
			}
			h.tap("✓")
			h.sees("密码")
			require.Nil(t, h.app.session, "a wrong PIN opens nothing")
			h.picture("02-pin")
			for _, d := range practice.PIN {
				h.tap(string(d))
			}
			h.tap("✓")
			h.sees("今天的任务", "上岭村", "县里都已收到")
			h.picture("03-today")

			task := h.firstTask()
			h.app.householdScreen(task.Household, h.app.todayScreen)
			h.sees("为什么走访", "家庭成员", "459921********")
			h.picture("04-household")
			h.tap("开始入户")
			h.sees("入户结果", "走访类型")
			h.picture("05-visit-empty")
			h.tap("完成")
			h.sees("✓ 完成", "访谈语言")

			v := h.fill(task)
			h.app.visitScreen(v)
			h.picture("06-visit")
			h.tap("家庭成员")
			h.picture("07-members")
			h.tap("财产")
			h.picture("08-assets")
			h.tap("汇总")
			h.sees("读给家里人听")
			require.NotContains(t, h.texts(), "说的和家里讲的差不多", "what a neighbour said is not read to the family")
			h.picture("09-summary")
			h.tap("读完了，去签字")
			h.sees("户主或在场家人签字", "还没有户主（或在场家庭成员）签名")
			h.sign()
			h.sees("手写签名", "重新签字")
			for _, p := range h.app.session.Colleagues() {
				key, err := h.app.session.Key(p.ID, practice.PIN)
				require.NoError(t, err)
				require.NoError(t, v.Attest(context.Background(), p.ID, key))
				h.app.signScreen(v)
			}
			h.picture("10-signatures")
			h.tap("签完，锁定记录")
			h.sees("签好了", "2 名调查人员")
			h.picture("11-done")
			h.tap("回到今天的任务")
			h.sees("还没有收到县里的回执")
			if i == 0 {
				h.tap("同步或拷到优盘")
				h.picture("12-sync")
			}
		})
	}
}

func (h *hand) firstTask() tasks.Task {
	h.t.Helper()
	list, err := tasks.List(context.Background(), h.app.session.Office.Replica, "", tasks.Open)
	require.NoError(h.t, err)
	require.NotEmpty(h.t, list)
	return list[0]
}

// sign draws three strokes on the pad and uses them.
func (h *hand) sign() {
	h.t.Helper()
	for _, o := range h.objects() {
		if pad, ok := o.(*look.Pad); ok {
			for stroke := range 3 {
				for i := range 30 {
					x := 40 + float32(stroke)*60 + float32(i)
					pad.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, 60+float32(i*2%40))}, Dragged: fyne.Delta{DX: 1, DY: 2}})
				}
				pad.DragEnd()
			}
		}
	}
	h.tap("用这个签名")
}

// sample finds the sample's household behind a task.
func sample(t *testing.T, task tasks.Task) *yunqi.Household {
	t.Helper()
	for _, s := range yunqi.New(yunqi.Seed, 24).Households {
		if s.ID == task.Household {
			return s
		}
	}
	require.Fail(t, "no such household")
	return nil
}

func TestATownshipsDesk(t *testing.T) {
	for _, size := range sizes[1:] {
		t.Run(fmt.Sprintf("%.0fx%.0f", size.Width, size.Height), func(t *testing.T) {
			dir := t.TempDir()
			c, err := practice.SetUp(context.Background(), world.Real(), dir, 24)
			require.NoError(t, err)
			ctx := context.Background()
			// Both tablets visit one household of the village they share.
			for _, folder := range []string{"tablet-a", "tablet-b"} {
				n := c.Nodes[folder]
				s := present.Start(n.Office, n.People[0].ID, n.People[0].Name, words.In("zh"))
				list, err := tasks.List(ctx, n.Office.Replica, c.Sample.Villages[2].Code, tasks.Open)
				require.NoError(t, err)
				for _, task := range list[:2] {
					v := fill(t, s, task, folder == "tablet-b")
					signOff(t, s, v)
				}
				_, err = n.Office.Client().Sync(ctx, nil)
				require.NoError(t, err)
			}
			_, err = c.Nodes["township"].Office.Client().Sync(ctx, nil)
			require.NoError(t, err)
			require.NoError(t, c.Close())

			h := open(t, filepath.Join(dir, "township"), size)
			h.unlock("乡镇专干（虚构）")
			h.sees("待审走访", "两队都走访了", "石桥村")
			h.picture("20-inbox")
			letters, err := h.app.session.Inbox(ctx)
			require.NoError(t, err)
			require.Len(t, letters, 4)
			h.app.keys[fyne.KeyReturn]()
			h.sees("这次走访", "现在登记", "全部答案", "已签名")
			h.picture("21-review")
			h.app.keys[fyne.KeyR]()
			h.sees("写清楚要补什么")
			h.picture("22-return")
			h.tap("退回")
			h.sees("必须写明原因") // without a reason nothing is returned
			for h.app.win.Canvas().Overlays().Top() != nil {
				h.app.win.Canvas().Overlays().Remove(h.app.win.Canvas().Overlays().Top())
			}
			for range letters {
				h.app.keys[fyne.KeyA]()
			}
			h.sees("没有待审的走访", "处理矛盾")
			h.tap("处理矛盾")
			h.sees("联系电话")
			h.picture("23-conflicts")
			disputes, err := h.app.session.Disputes(ctx)
			require.NoError(t, err)
			for range disputes {
				h.tap("19922")
			}
			h.sees("没有矛盾")
		})
	}
}
