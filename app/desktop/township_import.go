package desktop

import (
	"context"
	"fmt"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/casework/intake"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/app/desktop/present/clerk"
)

// arrivals are the files that are being read, or were, since the clerk sat down.
type arrivals struct {
	files     []clerk.Arrival
	unrelated int
	reading   bool
	queue     [][]string
}

// importScreen takes files in: dropped, chosen, or from the watched folder.
func (t *township) importScreen() {
	if t.intake == nil {
		t.intake = &arrivals{}
	}
	left := container.NewVBox(look.Box(look.Text(t.say("import_hint")), container.NewGridWithColumns(2,
		look.Primary(t.say("choose_folder"), theme.FolderOpenIcon(), func() { t.pickFolder(func(dir string) { t.take(dir) }) }),
		look.Big(t.say("choose_file"), theme.FileIcon(), func() { t.pickFile(func(path string) { t.take(path) }, ".ironfeet") }))))
	for i := len(t.intake.files) - 1; i >= 0; i-- {
		left.Add(t.arrival(t.intake.files[i]))
	}
	if t.intake.unrelated > 0 {
		left.Add(look.Caption(t.say("unrelated", t.intake.unrelated)))
	}
	right := container.NewVBox(t.watchedBox(), t.asideBox(), t.calendarBox())
	t.show(t.head(t.say("import"), "", t.inboxScreen, t.importScreen), look.Split(0.58, 0.6, scroll(left), scroll(right)))
	t.onDrop(func(paths []string) { t.take(paths...) })
	t.keysOf(map[fyne.KeyName]func(){fyne.KeyI: func() { t.pickFolder(func(dir string) { t.take(dir) }) }}, nil)
}

func (t *township) onImport() bool { return t.keys[fyne.KeyI] != nil }

// arrival is one file: how far it is, what it brought, what to do.
func (t *township) arrival(a clerk.Arrival) fyne.CanvasObject {
	box := container.NewVBox(container.NewBorder(nil, nil, nil, look.Chip(a.State, tone(a.Tone)), look.Bold(a.Name)))
	if a.File.State == intake.Reading {
		bar := widget.NewProgressBar()
		bar.SetValue(a.Share)
		box.Add(bar)
	}
	if s := a.Summary; s.Six != "" && a.File.State != intake.Refused {
		six := canvas.NewText(s.Six[:3]+" "+s.Six[3:], look.Ink)
		six.TextSize, six.TextStyle.Bold = theme.Size(theme.SizeNameHeadingText), true
		box.Add(container.NewHBox(six, container.NewCenter(caption(t.say("six", s.From, s.Made.In(t.session.Office.World.Now().Location()).Format("01-02 15:04")), look.Quiet, false))))
	}
	for i, l := range a.Lines {
		if i == 0 {
			box.Add(container.New(rowWrap()))
		}
		box.Objects[len(box.Objects)-1].(*fyne.Container).Add(look.Chip(l, look.Plain))
	}
	if a.Said != "" {
		box.Add(look.Text(a.Said))
	}
	if a.Hint != "" {
		box.Add(look.Caption(a.Hint))
	}
	for _, l := range t.c.Bundles(a.File) {
		box.Add(look.Caption(l))
	}
	return look.Box(box)
}

// take reads files and what lies in folders, one after the other, beside the screen.
func (t *township) take(paths ...string) {
	if t.intake == nil {
		t.intake = &arrivals{}
	}
	g := t.c.Gather(paths...)
	t.intake.unrelated = g.Unrelated
	if len(g.Files) == 0 {
		t.tell(t.say("import"), t.say("gather_none"))
		return
	}
	t.takeFiles(g.Files)
}

func (t *township) takeFiles(files []string) {
	if t.intake == nil {
		t.intake = &arrivals{}
	}
	t.intake.queue = append(t.intake.queue, files)
	if t.intake.reading {
		return
	}
	t.intake.reading = true
	session := t.session
	background(func() { t.drain(session) })
}

// drain reads what waits until nothing does.
func (t *township) drain(session *present.Session) {
	for {
		var files []string
		base := 0
		fyne.DoAndWait(func() { // the lists belong to the screen
			if t.App.session != session || len(t.intake.queue) == 0 {
				t.intake.reading = false
				return
			}
			files, t.intake.queue = t.intake.queue[0], t.intake.queue[1:]
			base = len(t.intake.files)
			for _, f := range files {
				t.intake.files = append(t.intake.files, t.c.Arrival(intake.File{Path: f, State: intake.Queued}))
			}
		})
		if files == nil {
			break
		}
		last := time.Time{}
		_, err := t.c.Take(t.ctx, files, func(i int, f intake.File) {
			a := t.c.Arrival(f)
			// The screen is drawn a few times a second, and at every end.
			draw := f.State != intake.Reading || time.Since(last) > 200*time.Millisecond
			if draw {
				last = time.Now()
			}
			t.onScreen(session, func() {
				t.intake.files[base+i] = a
				if draw && t.onImport() {
					t.importScreen()
				}
			})
		})
		if err != nil && t.ctx.Err() == nil {
			t.onScreen(session, func() { t.fail(err) })
		}
	}
	t.onScreen(session, func() {
		if t.inbox != nil {
			t.lookInBackground()
		}
		if t.onImport() {
			t.importScreen()
		}
	})
}

// asideBox lists what waits or was set aside, with what to do.
func (t *township) asideBox() fyne.CanvasObject {
	held, err := t.c.Aside(t.ctx)
	if err != nil {
		said, _ := t.App.say.Error(err)
		return look.Banner(said, look.Urgent)
	}
	if len(held) == 0 {
		return look.Box(look.Text(t.say("aside_none")))
	}
	box := container.NewVBox(look.Bold(t.say("aside", len(held))))
	for i, h := range held {
		if i == 50 {
			box.Add(look.Caption(fmt.Sprintf("… +%d", len(held)-i)))
			break
		}
		chip := look.Chip(t.say("is_aside"), look.Notice)
		if h.Waits {
			chip = look.Chip(t.say("waits"), look.Plain)
		}
		box.Add(container.NewBorder(nil, nil, nil, chip, look.Caption(h.Title)))
		box.Add(look.Text(h.Said))
		if h.Hint != "" {
			box.Add(look.Caption(h.Hint))
		}
	}
	return look.Box(box)
}

func (t *township) watchedBox() fyne.CanvasObject {
	dir, err := t.c.Watched(t.ctx)
	if err != nil {
		dir = ""
	}
	text := t.say("watched_none")
	buttons := container.NewHBox(look.Big(t.say("watch_set"), theme.FolderIcon(), func() {
		t.pickFolder(func(dir string) {
			if !t.fail(t.c.SetWatched(t.ctx, dir)) {
				t.startWatch()
				t.importScreen()
			}
		})
	}))
	if dir != "" {
		text = t.say("watched", dir)
		buttons.Add(look.Big(t.say("watch_end"), theme.MediaStopIcon(), func() {
			if !t.fail(t.c.SetWatched(t.ctx, "")) {
				t.startWatch()
				t.importScreen()
			}
		}))
	}
	return look.Box(look.Text(text), buttons)
}

func (t *township) calendarBox() fyne.CanvasObject {
	years, ahead := t.c.CalendarKnown()
	var names []string
	for _, y := range years {
		names = append(names, fmt.Sprint(y))
	}
	box := container.NewVBox(look.Text(t.say("calendar", t.c.List(names))))
	if !ahead {
		box.Add(look.Banner(t.say("calendar_missing"), look.Notice))
	}
	box.Add(container.NewHBox(look.Big(t.say("calendar_load"), theme.CalendarIcon(), func() {
		t.pickFile(func(path string) {
			year, err := t.c.LoadCalendar(t.ctx, path)
			if !t.fail(err) {
				t.tell(t.say("calendar_load"), t.say("calendar_done", year))
				t.importScreen()
			}
		}, ".txt")
	})))
	return look.Box(box)
}

// watcher looks into a folder by itself.
type watcher struct{ stop context.CancelFunc }

// startWatch begins to look into the watched folder, or ends it where none is set.
func (t *township) startWatch() {
	if t.watch != nil {
		t.watch.stop()
		t.watch = nil
	}
	dir, err := t.c.Watched(t.ctx)
	if err != nil || dir == "" {
		return
	}
	ctx, stop := context.WithCancel(t.ctx)
	t.watch = &watcher{stop}
	session := t.session
	pace := watchPace()
	go func() {
		defer pace.stop()
		look := &intake.Watch{Dir: dir}
		for {
			select {
			case <-ctx.Done():
				return
			case <-pace.ticks:
			}
			files := look.Look(session.Office.World.Disk)
			gone := false
			fyne.DoAndWait(func() {
				if gone = t.App.session != session; !gone && len(files) > 0 {
					t.takeFiles(files)
				}
			})
			if gone {
				return
			}
			pace.looked()
		}
	}()
}

// A pace says when to look into the watched folder, and hears when it was done.
type pace struct {
	ticks        <-chan time.Time
	looked, stop func()
}

// watchPace is the clock's; tests have their own.
var watchPace = func() pace {
	tick := time.NewTicker(clerk.LookEvery)
	return pace{tick.C, func() {}, tick.Stop}
}
