package desktop

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"github.com/google/uuid"

	"ironfeet/app/casework/review"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present/clerk"
)

// rowHeight of the inbox: two lines and their chips.
const rowHeight = 66

// inboxRow is one line of the inbox. It is filled again and again as the list moves.
type inboxRow struct {
	widget.BaseWidget
	ground       *canvas.Rectangle
	bar          *canvas.Rectangle
	name, place  *canvas.Text
	under        *canvas.Text
	marks, until *fyne.Container
	at           int  // place in the list
	here         bool // the clerk stands on it
}

// said are the row's words.
func (r *inboxRow) said() string {
	return strings.Join(spoken(container.NewWithoutLayout(r.name, r.place, r.under, r.marks, r.until), nil), " ")
}

func newInboxRow() *inboxRow {
	r := &inboxRow{
		ground: canvas.NewRectangle(look.Card), bar: canvas.NewRectangle(color.Transparent),
		name: canvas.NewText("", look.Ink), place: caption("", look.Quiet, false), under: caption("", look.Quiet, false),
		marks: container.NewHBox(), until: container.NewHBox(),
	}
	r.name.TextSize, r.name.TextStyle.Bold = theme.Size(theme.SizeNameText), true
	r.ground.CornerRadius = 8
	r.ExtendBaseWidget(r)
	return r
}

func (r *inboxRow) fill(l clerk.Line, here bool) {
	r.here = here
	r.name.Text, r.place.Text, r.under.Text = l.Name, l.Village, l.Under
	r.ground.FillColor, r.bar.FillColor = look.Card, color.Transparent
	if here {
		r.ground.FillColor, r.bar.FillColor = look.Soft, look.Action
	}
	r.marks.Objects = chips(l.Marks).Objects
	r.until.Objects = []fyne.CanvasObject{look.Chip(l.Deadline.Text, tone(l.Deadline.Tone))}
	r.Refresh()
}

// CreateRenderer draws the row.
func (r *inboxRow) CreateRenderer() fyne.WidgetRenderer { return &inboxRowRenderer{r} }

type inboxRowRenderer struct{ r *inboxRow }

func (x *inboxRowRenderer) Layout(s fyne.Size) {
	r := x.r
	r.ground.Move(fyne.NewPos(0, 2))
	r.ground.Resize(fyne.NewSize(s.Width, s.Height-4))
	r.bar.Move(fyne.NewPos(0, 8))
	r.bar.Resize(fyne.NewSize(5, s.Height-16))
	n := r.name.MinSize()
	r.name.Move(fyne.NewPos(16, 6))
	r.name.Resize(n)
	p := r.place.MinSize()
	r.place.Move(fyne.NewPos(16+n.Width+14, 6+n.Height-p.Height-1))
	r.place.Resize(p)
	u := r.under.MinSize()
	r.under.Move(fyne.NewPos(16, s.Height-6-u.Height))
	r.under.Resize(u)
	d, m := r.until.MinSize(), r.marks.MinSize()
	if s.Width < n.Width+p.Width+d.Width+m.Width+80 || s.Width < u.Width+d.Width+m.Width+60 { // narrow: one above the other
		r.until.Move(fyne.NewPos(s.Width-d.Width-10, 4))
		r.marks.Move(fyne.NewPos(s.Width-m.Width-10, s.Height-m.Height-4))
	} else {
		r.until.Move(fyne.NewPos(s.Width-d.Width-12, (s.Height-d.Height)/2))
		r.marks.Move(fyne.NewPos(s.Width-d.Width-m.Width-24, (s.Height-m.Height)/2))
	}
	r.until.Resize(d)
	r.marks.Resize(m)
}

func (x *inboxRowRenderer) MinSize() fyne.Size { return fyne.NewSize(300, rowHeight) }

func (x *inboxRowRenderer) Refresh() {
	x.Layout(x.r.Size())
	for _, o := range x.Objects() {
		o.Refresh()
	}
}

func (x *inboxRowRenderer) Objects() []fyne.CanvasObject {
	r := x.r
	return []fyne.CanvasObject{r.ground, r.bar, r.name, r.place, r.under, r.marks, r.until}
}
func (x *inboxRowRenderer) Destroy() {}

// inboxScreen is the township's first: visits that wait, the pressing ones first.
func (a *App) inboxScreen() {
	t := a.desk()
	if t == nil {
		return
	}
	if t.inbox == nil {
		in, err := t.c.Inbox(t.ctx)
		if t.fail(err) {
			return
		}
		t.inbox = in
		t.lookInBackground()
	} else if t.fail(t.inbox.Load(t.ctx)) {
		return
	}
	t.showInbox()
}

func (t *township) showInbox() {
	in := t.inbox
	t.list = newKeyList(func() int { return len(in.Shown) }, func(i int, r *inboxRow) {
		if i < len(in.Shown) {
			r.fill(in.Line(t.ctx, i), i == in.At)
		}
	})
	t.list.keys = func() map[fyne.KeyName]func() { return t.keys }
	t.list.OnSelected = func(i widget.ListItemID) {
		t.list.UnselectAll()
		in.Move(i - in.At)
		t.openCurrent()
	}
	body := fyne.CanvasObject(t.list)
	if len(in.Shown) == 0 {
		text := t.say("empty")
		if in.Filter != (review.Filter{}) {
			text = t.say("empty_filter")
		}
		body = container.NewVBox(look.Banner(text, look.Done))
	}
	search := newSearchEntry(func() { t.win.Canvas().Unfocus() })
	search.SetPlaceHolder(t.say("find"))
	search.SetText(in.Filter.Text)
	search.OnChanged = func(text string) {
		f := in.Filter
		f.Text = text
		in.Narrow(f)
		t.list.Refresh()
		t.tellShown()
	}
	t.status = caption("", look.Quiet, false)
	t.tellShown()
	disputes := 0
	if torn, err := t.session.Office.Replica.Conflicts(t.ctx, t.session.Office.Replica.Identity().Division); err == nil {
		disputes = len(torn)
	}
	tool := func(label string, icon fyne.Resource, tapped func()) fyne.CanvasObject {
		return action(label, icon, tapped)
	}
	batch := look.Primary(t.say("batch", in.CleanShown()), theme.ConfirmIcon(), t.batch)
	if in.CleanShown() == 0 {
		batch.Disable()
	}
	top := container.NewVBox(t.counts(), container.New(&columns{shares: []float32{0.28, 0.72}}, search, t.filters()))
	foot := container.NewBorder(nil, nil, container.NewHBox(container.NewCenter(t.status)), container.NewHBox(
		look.Big(t.say("undo"), theme.ContentUndoIcon(), t.undo), look.Big(t.say("export"), theme.DocumentSaveIcon(), t.exportInbox), batch))
	head := t.head(t.say("inbox"), t.c.S.Name+" · "+t.c.S.Office.Replica.Identity().Name, nil, t.showInbox,
		tool(t.say("import"), theme.DownloadIcon(), t.importScreen), tool(fmt.Sprintf("%s %d", t.say("conflicts"), disputes), theme.WarningIcon(), t.conflictsScreen),
		tool(t.say("duplicates"), theme.ContentCopyIcon(), t.duplicatesScreen), tool(t.say("notices"), theme.DocumentIcon(), t.noticesScreen),
		tool(t.say("overview"), theme.GridIcon(), t.overviewScreen), tool(t.t("sync"), theme.ViewRefreshIcon(), t.syncScreen), tool(t.t("lock"), theme.LogoutIcon(), t.unlockScreen))
	head.arrived = func() {
		t.inboxScreen()
		t.lookInBackground()
	}
	t.show(head, container.NewBorder(top, nil, nil, nil, body), foot)
	page := func() int { return max(1, int(t.list.Size().Height/rowHeight)-1) }
	t.keysOf(map[fyne.KeyName]func(){
		fyne.KeyJ: func() { t.step(1) }, fyne.KeyDown: func() { t.step(1) },
		fyne.KeyK: func() { t.step(-1) }, fyne.KeyUp: func() { t.step(-1) },
		fyne.KeyPageDown: func() { t.step(page()) }, fyne.KeyPageUp: func() { t.step(-page()) },
		fyne.KeyHome: func() { t.step(-len(in.Shown)) }, fyne.KeyEnd: func() { t.step(len(in.Shown)) },
		fyne.KeyReturn: t.openCurrent, fyne.KeyEnter: t.openCurrent, fyne.KeyN: t.openCurrent,
		fyne.KeyB: t.batch, fyne.KeyU: t.undo, fyne.KeyF: t.filterSheet,
	}, map[rune]func(){'/': func() { t.win.Canvas().Focus(search) }, '?': func() { t.help("help_inbox") }})
	if in.At > 0 {
		t.list.ScrollTo(in.At)
	}
}

// step goes so many lines down and draws what changed.
func (t *township) step(by int) {
	was := t.inbox.At
	if !t.inbox.Move(by) {
		return
	}
	t.list.RefreshItem(was)
	t.list.RefreshItem(t.inbox.At)
	t.list.ScrollTo(t.inbox.At)
}

func (t *township) openCurrent() {
	if w := t.inbox.Current(); w != nil {
		t.reviewScreen(w.Visit)
	}
}

func (t *township) tellShown() {
	t.status.Text = t.say("shown_of", len(t.inbox.Shown), len(t.inbox.All)) + "　　" + t.say("help_key")
	t.status.Refresh()
}

// counts are tiles that filter too.
func (t *township) counts() fyne.CanvasObject {
	n := t.inbox.Counts
	row := container.NewGridWithColumns(5)
	for _, x := range []struct {
		count int
		key   string
		alert string
		ink   color.Color
	}{
		{n.Waiting, "count_waiting", "", look.Ink}, {n.Overdue, "count_overdue", review.AlertOverdue, look.Alarm},
		{n.Conflicts, "count_conflict", review.AlertConflict, look.Alarm}, {n.Warned, "count_warned", "", look.Warn}, {n.Clean, "count_clean", review.AlertClean, look.Good},
	} {
		ink := x.ink
		if x.count == 0 {
			ink = look.Quiet
		}
		number := canvas.NewText(fmt.Sprint(x.count), ink)
		number.TextSize, number.TextStyle.Bold = theme.Size(theme.SizeNameHeadingText), true
		tile := look.NewTile(container.NewCenter(container.NewHBox(number, container.NewCenter(caption(t.say(x.key), look.Quiet, false)))), func() {
			f := t.inbox.Filter
			f.Alert = x.alert
			t.inbox.Narrow(f)
			t.showInbox()
		})
		tile.Chosen = x.alert != "" && t.inbox.Filter.Alert == x.alert
		row.Add(tile)
	}
	return row
}

// filters are the four ways to narrow the list.
func (t *township) filters() fyne.CanvasObject {
	o := t.inbox.Options(t.ctx)
	row := container.NewGridWithColumns(4)
	for _, f := range []struct {
		key     string
		options []clerk.Option
		now     string
		set     func(*review.Filter, string)
	}{
		{"filter_village", o.Villages, t.inbox.Filter.Division, func(f *review.Filter, k string) { f.Division = k }},
		{"filter_worker", o.Workers, workerKey(t.inbox.Filter), func(f *review.Filter, k string) { f.Worker, _ = uuid.Parse(k) }},
		{"filter_form", o.Forms, t.inbox.Filter.Form, func(f *review.Filter, k string) { f.Form = k }},
		{"filter_alert", o.Alerts, t.inbox.Filter.Alert, func(f *review.Filter, k string) { f.Alert = k }},
	} {
		all := t.say("colon", t.say(f.key), t.say("filter_all"))
		labels, keys := []string{all}, map[string]string{all: ""}
		chosen := all
		for _, x := range f.options {
			label := fmt.Sprintf("%s %d", x.Label, x.Count)
			labels, keys[label] = append(labels, label), x.Key
			if x.Key == f.now {
				chosen = label
			}
		}
		s := widget.NewSelect(labels, nil)
		s.SetSelected(chosen)
		s.OnChanged = func(label string) {
			filter := t.inbox.Filter
			f.set(&filter, keys[label])
			t.inbox.Narrow(filter)
			t.showInbox()
		}
		row.Add(s)
	}
	return row
}

func workerKey(f review.Filter) string {
	if f.Worker == uuid.Nil {
		return ""
	}
	return f.Worker.String()
}

// filterSheet lets the keyboard choose a kind of alert.
func (t *township) filterSheet() {
	var pop *widget.PopUp
	list := container.NewVBox()
	choose := func(f review.Filter) func() {
		return func() { pop.Hide(); t.inbox.Narrow(f); t.showInbox() }
	}
	first := look.NewTile(look.Text(t.say("filter_clear")), choose(review.Filter{}))
	list.Add(first)
	o := t.inbox.Options(t.ctx)
	add := func(options []clerk.Option, set func(*review.Filter, string)) {
		for _, x := range options {
			f := t.inbox.Filter
			set(&f, x.Key)
			list.Add(look.NewTile(look.Text(fmt.Sprintf("%s　%d", x.Label, x.Count)), choose(f)))
		}
	}
	add(o.Alerts, func(f *review.Filter, k string) { f.Alert = k })
	add(o.Villages, func(f *review.Filter, k string) { f.Division = k })
	add(o.Workers, func(f *review.Filter, k string) { f.Worker, _ = uuid.Parse(k) })
	pop = t.over(t.say("filter"), list, 520)
	t.focus(first) // Tab goes on, Enter chooses
}

// batch accepts what has nothing to look at twice, after a question.
func (t *township) batch() {
	n := t.inbox.CleanShown()
	if n == 0 {
		return
	}
	t.over(t.say("batch", n), look.Text(t.say("batch_ask", n)), 560, option{t.say("ok"), true, func() {
		b, err := t.inbox.AcceptClean(t.ctx)
		t.showInbox()
		if t.fail(err) {
			return
		}
		said := container.NewVBox(look.Bold(t.say("batch_done", b.Accepted)))
		if len(b.Left) > 0 {
			said.Add(look.Text(t.say("batch_left")))
		}
		for _, left := range b.Left {
			var whys []string
			for _, why := range left.Why {
				if strings.HasPrefix(why, "check.") {
					whys = append(whys, t.c.AlertName(why))
				} else {
					whys = append(whys, t.App.say.Say(why, struct{}{}))
				}
			}
			said.Add(look.Text(t.say("colon", left.Name, t.c.List(whys))))
		}
		t.over(t.say("batch", b.Accepted), said, 620)
	}})
}

// undo offers what was decided and not sent yet.
func (t *township) undo() {
	list, err := t.c.Undoable(t.ctx)
	if t.fail(err) {
		return
	}
	rows := container.NewVBox(look.Caption(t.say("undo_hint")))
	if len(list) == 0 {
		rows.Add(look.Text(t.say("undo_none")))
	}
	var pop *widget.PopUp
	for i, d := range list {
		if i == 30 {
			break
		}
		rows.Add(look.NewTile(look.Text(d.Text), func() {
			pop.Hide()
			t.askText(t.say("undo_title")+"　"+d.Text, t.say("undo_why"), t.say("ok"), func(why string) {
				if !t.fail(t.c.Reviewer().Undo(t.ctx, d.Review, why)) {
					t.inboxScreen()
				}
			})
		}))
	}
	pop = t.over(t.say("undo_title"), rows, 640)
}

func (t *township) exportInbox() {
	t.pickFolder(func(dir string) {
		path, err := t.inbox.Export(t.ctx, dir)
		if !t.fail(err) {
			t.tell(t.say("export"), t.say("exported", path))
		}
	})
}

// lookInBackground lets the checks look at what waits, then at photos little by
// little, and draws the list anew as hints come.
func (t *township) lookInBackground() {
	if t.busy {
		t.lookAgain = true // something came meanwhile
		return
	}
	t.busy, t.lookAgain = true, false
	session := t.session
	background(func() {
		err := t.c.Look(t.ctx)
		t.redraw(session)
		for err == nil {
			var left int
			if left, err = t.c.LookAtPhotos(t.ctx, photosAtOnce); err != nil || left == 0 {
				break
			}
			t.onScreen(session, func() {
				if t.status != nil {
					t.status.Text = t.say("photos_busy", left)
					t.status.Refresh()
				}
			})
		}
		if err == nil {
			err = t.c.Look(t.ctx) // with the likeness of photos
		}
		t.redraw(session)
		t.onScreen(session, func() {
			if t.busy = false; t.lookAgain {
				t.lookInBackground()
			}
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.onScreen(session, func() { t.fail(err) })
		}
	})
}

// photosAtOnce are hashed between two words to the clerk: about a second's work.
const photosAtOnce = 24

// onScreen does something on the screen's goroutine, if the same person is still at
// work.
func (t *township) onScreen(session any, do func()) {
	fyne.Do(func() {
		if t.App.session != nil && any(t.App.session) == session {
			began := time.Now()
			do()
			onScreenTook(time.Since(began))
		}
	})
}

// onScreenTook hears how long the screen was kept from drawing; a benchmark listens.
var onScreenTook = func(time.Duration) {}

// redraw reads the inbox anew and draws it, if it is on the screen.
func (t *township) redraw(session any) {
	t.onScreen(session, func() {
		if t.inbox.Load(t.ctx) == nil && t.list != nil && t.list.Visible() && t.onInbox() {
			t.showInbox()
		}
	})
}

// onInbox says whether the inbox is what is on the screen, with nothing over it and
// nobody typing.
func (t *township) onInbox() bool {
	return t.keys[fyne.KeyB] != nil && t.keys[fyne.KeyA] == nil && t.win.Canvas().Overlays().Top() == nil && t.win.Canvas().Focused() == nil
}
