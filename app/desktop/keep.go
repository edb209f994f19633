package desktop

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/device"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
)

// keep syncs in the background, or no more, as the settings say. It ends with the
// session at the latest.
func (a *App) keep() {
	session := a.session
	if !a.options.Keep || a.settings.ByHand {
		session.LeaveOff()
		return
	}
	if session.Keeps() {
		return
	}
	a.news, a.networks = 0, device.Networks()
	session.Keep(a.ctx, func(n present.Standing) {
		a.post(func() {
			if a.session == session {
				a.heard(n)
			}
		})
	})
}

// heard shows how the background gets on, and what it brought.
func (a *App) heard(n present.Standing) {
	if a.kept != nil {
		a.kept(n)
	}
	a.freshen()
}

// freshen draws the screen once more when something came in that it may show, unless
// somebody is typing or has something open over it: then a moment later.
func (a *App) freshen() {
	if a.session == nil || a.arrived == nil {
		return
	}
	n := a.session.Standing()
	canvas := a.win.Canvas()
	if n.Pace == present.Talking || n.News == a.news || canvas.Overlays().Top() != nil || canvas.Focused() != nil {
		return
	}
	a.news = n.News
	a.arrived()
}

// everyMoment is what the app does by itself, every few seconds.
func (a *App) everyMoment() {
	a.lockIfIdle()
	if a.session == nil {
		return
	}
	if networks := device.Networks(); networks != a.networks {
		if a.networks = networks; networks != "" {
			a.session.Wake()
		}
	}
	a.freshen()
}

// keptLine says how the background gets on, and a function that says it anew.
func (a *App) keptLine() (fyne.CanvasObject, func(present.Standing)) {
	text := look.Caption("")
	bar := widget.NewProgressBar()
	bar.TextFormatter = func() string { return "" }
	box := container.NewVBox(text, look.Least(100, 8, bar))
	say := func(n present.Standing) {
		text.Importance = widget.LowImportance
		if n.NeedsPerson() {
			text.Importance = widget.WarningImportance
		}
		look.SetText(text, a.session.Said(n))
		if n.Pace != present.Talking || n.Part < 0 {
			bar.Hide()
		} else {
			bar.SetValue(n.Part)
			bar.Show()
		}
	}
	say(a.standing())
	return box, say
}
