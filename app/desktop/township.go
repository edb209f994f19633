package desktop

import (
	"image/color"
	"path/filepath"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present/clerk"
)

// township is the desk of a township's or county's reviewer: what its screens keep
// between each other.
type township struct {
	*App
	c         *clerk.Clerk
	inbox     *clerk.Inbox
	list      *keyList
	busy      bool // the checks or the photos are being looked at
	lookAgain bool // and are to be looked at once more
	status    *canvas.Text
	intake    *arrivals
	watch     *watcher
}

// background runs what may take long beside the screen. Tests run it at once.
var background = func(f func()) { go f() }

// desk is the desk of whoever is at work, nil if it cannot be opened.
func (a *App) desk() *township {
	if a.town != nil && a.town.c.S == a.session {
		return a.town
	}
	c, err := clerk.Open(a.ctx, a.session)
	if a.fail(err) {
		return nil
	}
	a.town = &township{App: a, c: c}
	a.town.startWatch()
	return a.town
}

// say says a sentence of the desk.
func (t *township) say(key string, parts ...any) string { return t.c.T(key, parts...) }

// keysOf adds a screen's shortcuts to those that show made: letters and arrows by
// key, the marks / and ? by rune, since where they lie depends on the keyboard.
func (t *township) keysOf(keys map[fyne.KeyName]func(), runes map[rune]func()) {
	for name, act := range keys {
		t.keys[name] = act
	}
	mine := t.win.Content()
	t.win.Canvas().SetOnTypedRune(func(r rune) {
		if t.win.Content() != mine || t.win.Canvas().Overlays().Top() != nil {
			return
		}
		if act := runes[r]; act != nil {
			act()
		}
	})
}

// help shows a screen's keys.
func (t *township) help(key string) {
	lines := container.NewVBox()
	for _, line := range strings.Split(t.say(key), "\n") {
		k, what, _ := strings.Cut(line, "　")
		lines.Add(container.NewGridWithColumns(2, look.Bold(k), look.Text(what)))
	}
	t.over(t.say("help"), lines, 460)
}

// An option is a button of what lies over the screen.
type option struct {
	label   string
	primary bool
	then    func()
}

// over lays something over the screen, with a button that closes it, or with the
// options and one that cancels. Escape closes it too.
func (t *township) over(title string, content fyne.CanvasObject, width float32, options ...option) *widget.PopUp {
	size := t.win.Canvas().Size()
	var pop *widget.PopUp
	shut := func() { pop.Hide() }
	buttons := container.NewHBox(layout.NewSpacer())
	last := t.say("back")
	if len(options) > 0 {
		last = t.say("cancel")
	}
	buttons.Add(look.Big(last, nil, shut))
	for _, o := range options {
		act := func() { shut(); o.then() }
		if o.primary {
			buttons.Add(look.Primary(o.label, nil, act))
		} else {
			buttons.Add(look.Big(o.label, nil, act))
		}
	}
	w := min(width, size.Width-24)
	inside := container.NewVBox(content)
	inside.Resize(fyne.NewSize(w-40, inside.MinSize().Height)) // labels learn how wide they are
	inside.Resize(fyne.NewSize(w-40, inside.MinSize().Height))
	head := look.Bold(title)
	pop = widget.NewModalPopUp(container.New(layout.NewCustomPaddedLayout(10, 12, 12, 12), container.NewBorder(head, buttons, nil, nil, scroll(inside))), t.win.Canvas())
	pop.Resize(fyne.NewSize(w, min(inside.MinSize().Height+160, size.Height-40)))
	pop.Show()
	t.lies = pop
	return pop
}

// askText asks for a few words, such as a reason. Enter is enough.
func (t *township) askText(title, place, yes string, then func(text string)) {
	e := newSheetEntry()
	e.SetPlaceHolder(place)
	pop := t.over(title, e, 620, option{yes, true, func() { then(e.Text) }})
	e.left = pop.Hide
	e.OnSubmitted = func(text string) { pop.Hide(); then(text) }
	t.focus(e)
}

// tone is how a mark is drawn.
func tone(name string) look.Tone {
	switch name {
	case "urgent":
		return look.Urgent
	case "notice":
		return look.Notice
	case "done":
		return look.Done
	}
	return look.Plain
}

// caption is one line of small text in an ink.
func caption(s string, ink color.Color, bold bool) *canvas.Text {
	x := canvas.NewText(s, ink)
	x.TextSize = theme.Size(theme.SizeNameCaptionText)
	x.TextStyle.Bold = bold
	return x
}

// cell is a value in a table: small, so that a number stays on its line, and in full
// ink.
func cell(s string, bold bool) *widget.Label {
	l := look.Caption(s)
	l.Importance, l.TextStyle.Bold = widget.MediumImportance, bold
	return l
}

// chips are marks beside each other.
func chips(marks []clerk.Mark) *fyne.Container {
	row := container.NewHBox()
	for _, m := range marks {
		row.Add(look.Chip(m.Text, tone(m.Tone)))
	}
	return row
}

// couple is a label and a value, one below the other would waste a desk's room.
func couple(label, value string) fyne.CanvasObject {
	return container.New(&columns{shares: []float32{0.42, 0.58}}, look.Caption(label), look.Text(value))
}

// columns lays objects out beside each other by shares of the width, each as high as
// the highest needs.
type columns struct {
	shares []float32
	width  float32
}

func (c *columns) Layout(o []fyne.CanvasObject, size fyne.Size) {
	c.width = size.Width
	x := float32(0)
	for i, one := range o {
		w := size.Width * c.shares[i]
		one.Move(fyne.NewPos(x, 0))
		one.Resize(fyne.NewSize(w-4, size.Height))
		x += w
	}
}

func (c *columns) MinSize(o []fyne.CanvasObject) fyne.Size {
	h := float32(0)
	for i, one := range o {
		if c.width > 0 { // wrapped labels know their height only for a width
			one.Resize(fyne.NewSize(c.width*c.shares[i]-4, one.Size().Height))
		}
		h = max(h, one.MinSize().Height)
	}
	return fyne.NewSize(200, h)
}

// pickFile asks for a file of some kinds.
func (t *township) pickFile(then func(path string), kinds ...string) { askFile(t, then, kinds...) }

// askFile and askFolder are the toolkit's dialogs; tests answer by themselves.
var (
	askFile   = (*township).fileDialog
	askFolder = (*township).folderDialog
)

func (t *township) fileDialog(then func(path string), kinds ...string) {
	open := dialog.NewFileOpen(func(f fyne.URIReadCloser, err error) {
		if t.fail(err) || f == nil {
			return
		}
		f.Close()
		then(f.URI().Path())
	}, t.win)
	open.SetFilter(storage.NewExtensionFileFilter(kinds))
	t.picker(open, t.say("choose_file"))
}

// picker shows a dialog of the toolkit in the language of the app, over the whole
// screen.
func (t *township) picker(d *dialog.FileDialog, title string) {
	d.SetTitleText(title)
	d.SetConfirmText(t.say("take"))
	d.SetDismissText(t.say("cancel"))
	d.Resize(t.win.Canvas().Size())
	d.Show()
}

// pickFolder asks for a folder.
func (t *township) pickFolder(then func(dir string)) { askFolder(t, then) }

func (t *township) folderDialog(then func(dir string)) {
	open := dialog.NewFolderOpen(func(d fyne.ListableURI, err error) {
		if !t.fail(err) && d != nil {
			then(d.Path())
		}
	}, t.win)
	t.picker(open, t.say("choose_folder"))
}

// onDrop takes files that are dropped on the screen that was just shown.
func (t *township) onDrop(then func(paths []string)) {
	t.dropped = func(_ fyne.Position, uris []fyne.URI) {
		var paths []string
		for _, u := range uris {
			paths = append(paths, filepath.FromSlash(u.Path()))
		}
		then(paths)
	}
}

// keyList is a list that leaves the screen's keys to the screen also while it has
// the focus.
type keyList struct {
	widget.List
	keys func() map[fyne.KeyName]func()
	rows []*inboxRow // every row that was made; the list fills them again and again
}

func newKeyList(length func() int, update func(int, *inboxRow)) *keyList {
	l := &keyList{}
	l.Length = length
	l.CreateItem = func() fyne.CanvasObject {
		r := newInboxRow()
		l.rows = append(l.rows, r)
		return r
	}
	l.UpdateItem = func(i widget.ListItemID, o fyne.CanvasObject) {
		r := o.(*inboxRow)
		r.at = i
		update(i, r)
	}
	l.HideSeparators = true
	l.ExtendBaseWidget(l)
	return l
}

// drawn are the rows that are on the screen, from above.
func (l *keyList) drawn() (rows []*inboxRow) {
	top := fyne.CurrentApp().Driver().AbsolutePositionForObject(l).Y
	for _, r := range l.rows {
		y := fyne.CurrentApp().Driver().AbsolutePositionForObject(r).Y // zero: it waits to be used again
		if y > top-rowHeight && y < top+l.Size().Height {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *inboxRow) int { return a.at - b.at })
	return rows
}

// TypedKey gives the screen's keys precedence.
func (l *keyList) TypedKey(e *fyne.KeyEvent) {
	if act := l.keys()[e.Name]; act != nil {
		act()
		return
	}
	l.List.TypedKey(e)
}

// searchEntry is an entry that Escape and the arrows leave.
type searchEntry struct {
	widget.Entry
	left func()
}

func newSearchEntry(left func()) *searchEntry {
	e := &searchEntry{left: left}
	e.ExtendBaseWidget(e)
	return e
}

// TypedKey leaves the entry by Escape, Enter and the arrows.
func (e *searchEntry) TypedKey(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeyEscape, fyne.KeyReturn, fyne.KeyEnter, fyne.KeyDown:
		e.left()
		return
	}
	e.Entry.TypedKey(k)
}

// sheetEntry is an entry on a sheet, which Escape closes.
type sheetEntry struct {
	widget.Entry
	left func()
}

func newSheetEntry() *sheetEntry {
	e := &sheetEntry{}
	e.ExtendBaseWidget(e)
	return e
}

// TypedKey leaves the sheet by Escape.
func (e *sheetEntry) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyEscape && e.left != nil {
		e.left()
		return
	}
	e.Entry.TypedKey(k)
}

// head is a township screen's header. again draws the screen anew when the window was
// turned. Where there is little room, a button keeps its picture only. While sticks
// are being read the machine does not lock itself.
func (t *township) head(title, under string, back, again func(), right ...fyne.CanvasObject) header {
	for i, o := range right {
		if b, ok := o.(*widget.Button); ok && t.widthNow() != wide && b.Icon != nil {
			b.SetText("")
			right[i] = look.Least(48, 48, b)
		}
	}
	return header{title: title, under: under, back: back, right: right, again: again,
		busy: func() bool { return t.intake != nil && t.intake.reading }}
}
