package desktop

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"rsc.io/qr"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/device"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/app/practice"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

// morning is the moment that stands still in the pictures.
var morning = time.Date(2026, 3, 2, 9, 30, 0, 0, time.FixedZone("CST", 8*3600))

// still is a world whose clock shows one moment.
func still(at *time.Time) world.World {
	w := world.Real()
	w.Now = func() time.Time { return *at }
	return w
}

// stage is a tablet with something on every screen: a visit that is filled, one that
// is begun, one that was returned, and a form of all question types.
type stage struct {
	dir, empty         string
	w                  world.World
	filled, begun, all uuid.UUID
}

func setStage(t testing.TB) stage {
	t.Helper()
	ctx := context.Background()
	at := morning
	s := stage{dir: t.TempDir(), empty: filepath.Join(t.TempDir(), "new"), w: still(&at)}
	c, err := practice.SetUp(ctx, s.w, s.dir, 24, "township", "tablet-a")
	require.NoError(t, err)
	form, err := os.ReadFile("testdata/题型大全.md")
	require.NoError(t, err)
	_, report, err := publish.Form(ctx, c.Office.Replica, c.Clerk, "题型大全.md", form)
	require.NoError(t, err, "%v", report)
	n := c.Nodes["tablet-a"]
	_, err = n.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	list, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	desk := n.Desk(&publish.Shelf{})
	start := func(i int, form string) *visit.Visit {
		at = at.Add(time.Second) // ids of one moment come in any order
		task := list[i]
		if form != "" {
			task = tasks.Task{Household: task.Household, Form: form}
		}
		v, err := desk.Start(ctx, task)
		require.NoError(t, err)
		return v
	}
	v := start(0, "")
	_, err = practice.Fill(ctx, v, sample(t, list[0]).Visit(morning, false), 1)
	require.NoError(t, err)
	require.NoError(t, v.Excuse(ctx, "/housing/electricity", visit.Unwilling, "受访人不愿回答"))
	s.filled = v.ID
	v = start(4, "")
	_, err = v.Set(ctx, "/visit/outcome", "completed")
	require.NoError(t, err)
	s.begun = v.ID
	s.all = start(2, "all_types").ID
	require.NoError(t, c.Close())
	at = morning
	return s
}

// A scene is one screen to be pictured.
type scene struct {
	name string
	show func(h *hand, s stage)
}

func (h *hand) draft(id uuid.UUID) *visit.Visit {
	h.t.Helper()
	v, err := h.app.session.Desk().Resume(context.Background(), id)
	require.NoError(h.t, err)
	return v
}

func (h *hand) at(id uuid.UUID, place string, strict bool) { h.app.visitAt(h.draft(id), place, strict) }

var scenes = []scene{
	{"today", func(h *hand, s stage) { h.app.todayScreen() }},
	{"find", func(h *hand, s stage) { h.app.findScreen() }},
	{"household", func(h *hand, s stage) { h.app.householdScreen(h.draft(s.filled).Page.Household.ID, h.app.home) }},
	{"nobody", func(h *hand, s stage) {
		h.app.householdScreen(h.firstTask().Household, h.app.home)
		page, _ := h.app.session.Household(context.Background(), h.firstTask().Household, false)
		h.app.nobodySheet(page)
	}},
	{"found", func(h *hand, s stage) { h.app.foundScreen() }},
	{"visit-begun", func(h *hand, s stage) { h.at(s.begun, "/data/home", false) }},
	{"visit-missing", func(h *hand, s stage) { h.at(s.begun, "/data/visit", true) }},
	{"visit-problems", func(h *hand, s stage) {
		h.at(s.begun, "/data/visit", true)
		h.app.visiting.problems()
	}},
	{"visit-members", func(h *hand, s stage) { h.at(s.filled, "/data/members", false) }},
	{"visit-member", func(h *hand, s stage) { h.at(s.filled, "/data/members[2]", false) }},
	{"visit-income", func(h *hand, s stage) { h.at(s.filled, "/data/incomes[4]", false) }},
	{"visit-photos", func(h *hand, s stage) { h.at(s.filled, "/data/housing/photo_room", false) }},
	{"visit-last", func(h *hand, s stage) { h.at(s.begun, "/data/members[1]", false) }},
	{"kinds-choices", func(h *hand, s stage) { h.at(s.all, "/data/choices", false) }},
	{"kinds-grid", func(h *hand, s stage) { h.at(s.all, "/data/grid", false) }},
	{"kinds-numbers", func(h *hand, s stage) {
		h.at(s.all, "/data/numbers", false)
		h.app.visiting.answer("/data/numbers/wage", "2400")
		h.app.visiting.answer("/data/numbers/heads", "201")
		h.app.visiting.answer("/data/numbers/pain", "4")
		h.app.visiting.answer("/data/numbers/born", "1956-04-03")
	}},
	{"kinds-evidence", func(h *hand, s stage) { h.at(s.all, "/data/evidence", false) }},
	{"kinds-sensitive", func(h *hand, s stage) { h.at(s.all, "/data/private", false) }},
	{"excuse", func(h *hand, s stage) {
		h.at(s.begun, "/data/home", false)
		h.app.visiting.asked["/data/home/phone"].excuseSheet()
	}},
	{"slots", func(h *hand, s stage) {
		h.at(s.filled, "/data/housing", false)
		h.app.visiting.slotSheet()
	}},
	{"summary", func(h *hand, s stage) { h.app.summaryScreen(h.draft(s.filled)) }},
	{"signatures", func(h *hand, s stage) { h.app.signScreen(h.draft(s.filled)) }},
	{"done", func(h *hand, s stage) { h.app.doneScreen(h.draft(s.filled)) }},
	{"pack", func(h *hand, s stage) {
		h.app.todayScreen()
		h.app.packSheet()
	}},
	{"handover", func(h *hand, s stage) { h.app.handoverScreen() }},
	{"sync", func(h *hand, s stage) {
		h.app.syncScreen()
		h.app.kept(present.Standing{Pace: present.Talking, Stage: "photos", Part: 0.4, Last: morning.Add(-26 * time.Hour)})
	}},
	{"settings", func(h *hand, s stage) { h.app.settingsScreen(h.app.home) }},
	{"blank", func(h *hand, s stage) { h.app.todayScreen(); h.app.blank() }},
}

// recovery is a request that looks as real ones do, and always the same.
func recovery(t testing.TB) present.Recovery {
	t.Helper()
	text := strings.Repeat("MIIBk24aWQ7t", 60)
	code, err := qr.Encode(text, qr.L)
	require.NoError(t, err)
	code.Scale = 3
	return present.Recovery{Request: text, Check: "482913", Picture: code.PNG()}
}

// pretend makes what depends on this very machine the same everywhere.
func pretend(h *hand) {
	h.app.session.Office.Server = "https://yunqi.example"
	h.app.standing = func() present.Standing {
		return present.Standing{Pace: present.Resting, Part: -1, Last: morning.Add(-18 * time.Minute)}
	}
	h.app.machine = func() present.Machine {
		m := present.MachineOf(device.Power{Percent: 76, Known: true}, "/nowhere")
		m.SpaceKnown, m.SpaceGB, m.Visits = true, 21, 350
		return m
	}
}

// Every screen in both languages and three sizes, compared with the picture that
// somebody looked at.
func TestPictures(t *testing.T) {
	s := setStage(t)
	for _, lang := range []string{"zh", "en"} {
		for _, size := range pictured {
			h := openWith(t, Options{World: s.w, Dir: folder(s.dir, "tablet-a"), Lang: lang, TextSize: 18}, size)
			t.Run(lang, func(t *testing.T) {
				h.t = t
				h.golden(lang + "/unlock")
				h.tap("走访员甲（虚构）")
				h.golden(lang + "/pin")
				h.app.recoverWith(vault.PersonInfo{Name: "走访员甲（虚构）"}, recovery(t))
				h.golden(lang + "/recover")
				h.app.unlockScreen()
				h.tap("走访员甲（虚构）")
				for _, d := range practice.PIN {
					h.tap(string(d))
				}
				h.tap("✓")
				pretend(h)
				for _, sc := range scenes {
					h.close()
					sc.show(h, s)
					h.golden(lang + "/" + sc.name)
				}
				h.close()
			})
			h.app.lock()
			h = openWith(t, Options{World: s.w, Dir: s.empty, Lang: lang, TextSize: 18}, size)
			h.golden(lang + "/join")
		}
	}
}

// At the largest text, on the narrowest screen and in each light, nothing is cut
// off: whatever is visible and tells something lies within the window's width.
func TestNothingIsCutOffAtTheLargestText(t *testing.T) {
	s := setStage(t)
	for _, size := range []fyne.Size{{Width: 412, Height: 915}, {Width: 800, Height: 1280}, {Width: 1280, Height: 800}, {Width: 1440, Height: 900}} {
		for _, lang := range []string{"zh", "en"} {
			h := openWith(t, Options{World: s.w, Dir: folder(s.dir, "tablet-a"), Lang: lang, TextSize: look.TextMost, Mode: look.Daylight}, size)
			h.app.recoverWith(vault.PersonInfo{Name: "走访员甲（虚构）"}, recovery(t))
			h.nothingCut("recover", size)
			h.app.unlockScreen()
			h.unlock("走访员甲（虚构）")
			pretend(h)
			for _, sc := range scenes {
				h.close()
				sc.show(h, s)
				if os.Getenv("IRONFEET_PICTURES") != "" {
					h.picture(fmt.Sprintf("large-%s-%s", lang, sc.name))
				}
				require.Equal(t, size.Width, h.app.win.Canvas().Size().Width, "%s makes the window wider", sc.name)
				h.nothingCut(sc.name, size)
			}
			h.app.lock()
		}
	}
}

func (h *hand) nothingCut(screen string, size fyne.Size) {
	h.t.Helper()
	objects := h.objects()
	typed := map[string]bool{} // what is typed may be longer than its field, which scrolls
	for _, o := range objects {
		var e *widget.Entry
		switch o := o.(type) {
		case *widget.Entry:
			e = o
		case *fieldEntry:
			e = &o.Entry
		default:
			continue
		}
		typed[e.Text], typed[e.PlaceHolder] = true, true
		style := fyne.MeasureText(e.PlaceHolder, h.app.settings.Text, fyne.TextStyle{})
		if !e.MultiLine {
			assert.LessOrEqual(h.t, style.Width, o.Size().Width, "%s at %.0f×%.0f: the hint %q is cut off", screen, size.Width, size.Height, e.PlaceHolder)
		}
	}
	for _, o := range objects {
		said := textOf(o)
		if said == "" || !o.Visible() || typed[said] {
			continue
		}
		if b, ok := o.(*widget.Button); ok {
			assert.GreaterOrEqual(h.t, b.Size().Width+1, b.MinSize().Width, "%s at %.0f×%.0f: the button %q is cut off", screen, size.Width, size.Height, said)
			assert.GreaterOrEqual(h.t, b.Size().Height+1, float32(48), "%s at %.0f×%.0f: the button %q is too low for a thumb", screen, size.Width, size.Height, said)
		}
		at := h.app.app.Driver().AbsolutePositionForObject(o)
		need := o.Size().Width
		if t, ok := o.(*canvas.Text); ok {
			need = max(need, t.MinSize().Width)
		}
		assert.LessOrEqual(h.t, at.X+need, size.Width+1, "%s at %.0f×%.0f: %q is cut off", screen, size.Width, size.Height, said)
		assert.GreaterOrEqual(h.t, at.X, float32(-12), "%s at %.0f×%.0f: %q is cut off", screen, size.Width, size.Height, said)
	}
}

// The README's pictures (make pictures).
func TestReadmePictures(t *testing.T) {
	dir := os.Getenv("IRONFEET_README")
	if dir == "" {
		t.Skip("make pictures says where to write them")
	}
	s := setStage(t)
	h := openWith(t, Options{World: s.w, Dir: folder(s.dir, "tablet-a"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	pretend(h)
	for _, sc := range scenes {
		name := map[string]string{"today": "today", "visit-last": "visit", "visit-members": "members", "signatures": "signatures"}[sc.name]
		if name == "" {
			continue
		}
		h.close()
		sc.show(h, s)
		var b bytes.Buffer
		require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, h.capture()))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), b.Bytes(), 0o644))
	}
}
