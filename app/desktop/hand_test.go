package desktop

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store/world"
)

// county makes a practice county; its nodes' folders are free to be unlocked.
func county(t testing.TB, folders ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	c, err := practice.SetUp(context.Background(), world.Real(), dir, 24, folders...)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	return dir
}

// A hand uses the app as a person does: it sees texts, taps and types.
type hand struct {
	t     testing.TB
	app   *App
	queue chan func() // what goroutines want of the screen: done when the hand waits
}

func openWith(t testing.TB, o Options, size fyne.Size) *hand {
	t.Helper()
	if o.World.Now == nil {
		o.World = world.Real()
	}
	a := New(test.NewApp(), o)
	a.win.Resize(size)
	t.Cleanup(a.lock)
	h := &hand{t: t, app: a, queue: make(chan func(), 4096)}
	a.post = func(f func()) { h.queue <- f }
	return h
}

// until does what goroutines ask for until the screen shows something.
func (h *hand) until(what string, holds func() bool) {
	h.t.Helper()
	end, look := time.After(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case f := <-h.queue:
			f()
		case <-look.C:
		case <-end:
			require.Fail(h.t, "waited in vain", "%s; the screen says\n%.3000s", what, h.texts())
		}
	}
}

func (h *hand) waitsFor(words string) {
	h.t.Helper()
	h.until(words, func() bool { return h.has(words) })
}

func open(t testing.TB, dir string, size fyne.Size) *hand {
	t.Helper()
	return openWith(t, Options{Dir: dir, Lang: "zh", TextSize: 18, Demo: true}, size)
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
	case *fieldEntry:
		return o.Text
	case *sheetEntry:
		return o.Text
	case *widget.RichText:
		return o.String()
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
		require.True(h.t, strings.Contains(all, w), "%q is not on the screen:\n%.2000s", w, all)
	}
}

// has says whether something is on the screen.
func (h *hand) has(words string) bool { return strings.Contains(h.texts(), words) }

func (h *hand) seesNo(words ...string) {
	h.t.Helper()
	all := h.texts()
	for _, w := range words {
		require.False(h.t, strings.Contains(all, w), "%q must not be on the screen", w)
	}
}

func (h *hand) tap(words string) {
	h.t.Helper()
	require.True(h.t, tapIn(h.t, h.objects(), words), "nothing to tap: %q among\n%.2000s", words, h.texts())
}

func tapIn(t testing.TB, objects []fyne.CanvasObject, words string) bool {
	t.Helper()
	for _, o := range objects {
		switch o := o.(type) {
		case *widget.Button:
			if strings.Contains(o.Text, words) && o.Visible() {
				require.False(t, o.Disabled(), "%s cannot be tapped yet", words)
				test.Tap(o)
				return true
			}
		case *look.Tile:
			if o.OnTapped != nil && o.Visible() && strings.Contains(said(o), words) {
				o.Tapped(nil)
				return true
			}
		}
	}
	return false
}

// said is what stands on a tile.
func said(t *look.Tile) (text string) {
	for _, in := range test.LaidOutObjects(t) {
		if in.Visible() {
			text += textOf(in)
		}
	}
	return text
}

// unlock enters the PIN key by key.
func (h *hand) unlock(name string) {
	h.t.Helper()
	h.tap(name)
	for _, d := range practice.PIN {
		h.tap(string(d))
	}
	h.tap("✓")
	require.NotNil(h.t, h.app.session)
}

// question is a question on the screen.
func (h *hand) question(path string) *question {
	h.t.Helper()
	x := h.app.visiting
	require.NotNil(h.t, x, "no visit is on the screen")
	q := x.asked[path]
	require.NotNil(h.t, q, "%s is not on the screen; %s is", path, x.fill.Page.Label)
	return q
}

// answer gives an answer by tapping and typing, as its question is drawn.
func (h *hand) answer(path, value string) {
	h.t.Helper()
	q := h.question(path)
	switch q.kind {
	case present.KindChoices, present.KindLikert:
		for _, name := range strings.Fields(value) {
			label := ""
			for _, c := range q.node.Choices {
				if c.Name == name {
					label = c.Label
				}
			}
			if chosen(q.node, name) {
				continue
			}
			tapped := false
			for _, o := range test.LaidOutObjects(q.input) {
				if tile, ok := o.(*look.Tile); ok && !tapped && said(tile) == label {
					tile.Tapped(nil)
					tapped = true
				}
			}
			require.True(h.t, tapped, "%s: no choice %q", path, label)
			q = h.question(path)
		}
	case present.KindDate, present.KindMonth, present.KindYear, present.KindTime, present.KindDateTime:
		parts := present.Disassemble(q.kind, value)
		i := 0
		for _, e := range h.entries(q) {
			h.retype(e, parts[i])
			i++
		}
		require.Equal(h.t, len(parts), i)
	default:
		entries := h.entries(q)
		require.Len(h.t, entries, 1, "%s (%s)", path, q.kind)
		h.retype(entries[0], value)
	}
	n, _ := h.app.visiting.fill.Visit.Entry.Node(path)
	require.ElementsMatch(h.t, strings.Fields(value), strings.Fields(n.Value), path)
}

func (h *hand) entries(q *question) (list []*fieldEntry) {
	for _, o := range test.LaidOutObjects(q.input) {
		if e, ok := o.(*fieldEntry); ok {
			list = append(list, e)
		}
	}
	return list
}

// retype types a text, rune by rune, in place of what stood there.
func (h *hand) retype(e *fieldEntry, text string) {
	if e.Text != "" {
		e.SetText("")
	}
	h.app.win.Canvas().Focus(e)
	for _, r := range text {
		e.TypedRune(r)
	}
}

// close takes what lies over the screen away.
func (h *hand) close() {
	for h.app.win.Canvas().Overlays().Top() != nil {
		h.app.win.Canvas().Overlays().Remove(h.app.win.Canvas().Overlays().Top())
	}
}

// settle waits until no picture is on its way any more.
func (h *hand) settle() {
	h.t.Helper()
	h.until("the pictures", func() bool { return h.app.visiting.shots.intake.Idle() && len(h.queue) == 0 })
}

var sizes = []fyne.Size{{Width: 1280, Height: 800}, {Width: 800, Height: 1280}, {Width: 1440, Height: 900}}

func (h *hand) firstTask() tasks.Task {
	h.t.Helper()
	list, err := tasks.List(context.Background(), h.app.session.Office.Replica, "", tasks.Open)
	require.NoError(h.t, err)
	require.NotEmpty(h.t, list)
	return list[0]
}

// sign draws three strokes on the pad and uses them.
func (h *hand) sign(use string) {
	h.t.Helper()
	for _, o := range h.objects() {
		if pad, ok := o.(*look.Pad); ok && pad.Visible() {
			for stroke := range 3 {
				for i := range 30 {
					x := 40 + float32(stroke)*60 + float32(i)
					pad.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, 60+float32(i*2%40))}, Dragged: fyne.Delta{DX: 1, DY: 2}})
				}
				pad.DragEnd()
			}
		}
	}
	h.tap(use)
}

// sample finds the sample's household behind a task.
func sample(t testing.TB, task tasks.Task) *yunqi.Household {
	t.Helper()
	for _, s := range yunqi.New(yunqi.Seed, 24).Households {
		if s.ID == task.Household {
			return s
		}
	}
	require.Fail(t, "no such household")
	return nil
}

// folder is a node's data folder in a practice county.
func folder(dir, node string) string { return filepath.Join(dir, node) }
