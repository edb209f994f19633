package desktop

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"github.com/google/uuid"

	"ironfeet/app/desktop/look"
	"ironfeet/sync/trust"
)

// A width is how much room there is beside each other, in letters rather than
// points: large text makes a window narrower.
type width int

const (
	narrow width = iota // a phone, or a tablet with large text
	medium              // a tablet upright
	wide                // a tablet on its side, a desktop
)

// size is the window's, as of the last layout: the canvas may not know it yet, and
// two opinions would draw the screen anew without end.
func (a *App) size() fyne.Size {
	if a.laid.Width > 1 {
		return a.laid
	}
	if s := a.win.Canvas().Size(); s.Width > 1 {
		return s
	}
	return fyne.NewSize(1280, 800)
}

func (a *App) widthNow() width {
	w := a.size().Width
	class := a.widthOf(w)
	look.Room = w - 60
	if class == wide {
		look.Room = min(w*0.6, 700*a.settings.Text/look.TextUsual)
	}
	return class
}

func (a *App) widthOf(w float32) width {
	switch w *= look.TextUsual / a.settings.Text; {
	case w < look.Medium:
		return narrow
	case w < look.Wide:
		return medium
	}
	return wide
}

// watch draws the screen again when the window was turned or resized so far that
// another layout fits.
type watch struct{ app *App }

func (w *watch) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(size)
		o.Move(fyne.Position{})
	}
	a := w.app
	// Fyne lays new content out at its least size first, and only then at the
	// window's: that is no window anybody has.
	if size.Width < 2 || size == w.MinSize(nil) {
		return
	}
	a.laid = size
	if class := a.widthOf(size.Width); class != a.class {
		a.class = class
		if a.again != nil {
			a.again()
		}
	}
}

// MinSize is small, so that the window can be made as small as a phone.
func (w *watch) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(300, 300) }

// home is the first screen of whoever is at work.
func (a *App) home() {
	if a.session == nil {
		a.unlockScreen()
	} else if a.session.Role == trust.Worker {
		a.todayScreen()
	} else {
		a.inboxScreen()
	}
}

// blank hides the screen at one tap: somebody came into the room. What was on it
// comes back at the next.
func (a *App) blank() {
	content, keys, dropped := a.win.Content(), a.keys, a.dropped
	again, arrived := a.again, a.arrived
	back := func() {
		a.keys, a.dropped, a.again, a.arrived = keys, dropped, again, arrived
		a.win.SetContent(content)
		if a.class != a.widthNow() && again != nil {
			a.class = a.widthNow()
			again()
		}
	}
	a.keys, a.dropped, a.again = map[fyne.KeyName]func(){fyne.KeyEscape: back, fyne.KeySpace: back, fyne.KeyReturn: back}, nil, nil
	a.arrived = nil
	cover := look.NewTile(container.NewCenter(look.Small(a.t("blank_hint"))), back)
	cover.Ground = look.Paper
	cover.Bare = true
	a.win.SetContent(cover)
}

// touch notes that somebody is there.
func (a *App) touch() { a.touched = a.options.World.Now() }

// lockIfIdle locks a machine that nobody touched for as long as its settings say.
// Whoever was in a visit finds the same question again after the PIN.
func (a *App) lockIfIdle() {
	idle := a.options.World.Now().Sub(a.touched)
	if a.session == nil || idle >= 0 && idle < time.Duration(a.settings.LockMinutes)*time.Minute {
		return
	}
	if a.busy != nil && a.busy() {
		return
	}
	if idle < 0 { // the clock was set back: begin to count anew
		a.touch()
		return
	}
	for top := a.win.Canvas().Overlays().Top(); top != nil; top = a.win.Canvas().Overlays().Top() {
		a.win.Canvas().Overlays().Remove(top)
	}
	person, resume := a.session.Person, a.resume
	a.unlockScreen()
	if resume != nil {
		a.resume = func() {
			if a.session != nil && a.session.Person == person {
				resume()
			}
		}
	}
}

// inVisit remembers where to come back to after the lock.
func (a *App) inVisit(draft uuid.UUID) { a.resume = func() { a.resumeDraft(draft) } }

// gap is a little empty space.
func gap(w, h float32) fyne.CanvasObject {
	r := canvas.NewRectangle(color.Transparent)
	r.SetMinSize(fyne.NewSize(w, h))
	return r
}
