package desktop

import (
	"fmt"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"github.com/google/uuid"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
)

// todayScreen is the worker's first: tasks by village and due date, what was
// begun, how the machine stands to the county, and the search.
func (a *App) todayScreen() {
	today, err := a.session.Today(a.ctx)
	if a.fail(err) {
		return
	}
	list := container.NewVBox()
	for _, d := range today.Drafts {
		list.Add(a.row(a.t("go_on", d.Name), a.t("draft_line", d.Address, d.Answers), look.Chip(a.t("draft"), look.Notice), look.WarnBg, func() { a.resume(d.ID) }))
	}
	for _, v := range today.Villages {
		head := look.Title(v.Name)
		head.TextSize = theme.Size(theme.SizeNameSubHeadingText)
		list.Add(container.NewHBox(head, look.Chip(a.t("n_tasks", len(v.Tasks)), look.Plain)))
		for _, t := range v.Tasks {
			list.Add(a.taskRow(t))
		}
	}
	if today.Open == 0 {
		list.Add(look.Banner(a.t("no_tasks"), look.Done))
	}
	body := look.Split(0.32, 0.3, a.sidePanel(today), scroll(list))
	a.show(header{title: a.t("today"), under: a.session.Name + " · " + a.session.Office.Replica.Identity().Name, right: []fyne.CanvasObject{
		action(a.t("sync"), theme.ViewRefreshIcon(), a.syncScreen), action(a.t("lock"), theme.LogoutIcon(), a.unlockScreen),
	}}, body)
}

// row is a tile of a title, a line below, and a chip.
func (a *App) row(title, under string, chip fyne.CanvasObject, ground color.Color, tapped func()) *look.Tile {
	texts := container.NewVBox(look.Bold(title))
	if under != "" {
		texts.Add(look.Caption(under))
	}
	texts.Layout = tight{}
	t := look.NewTile(container.NewBorder(nil, nil, nil, container.NewHBox(chip, widget.NewIcon(theme.NavigateNextIcon())), texts), tapped)
	t.Ground = ground
	return t
}

// tight stacks labels without the gaps between.
type tight struct{}

func (tight) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	y := float32(0)
	for _, o := range objects {
		h := o.MinSize().Height
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(size.Width, h))
		y += o.MinSize().Height - 12
	}
}

func (tight) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for i, o := range objects {
		m := o.MinSize()
		s.Width = max(s.Width, m.Width)
		if s.Height += m.Height; i > 0 {
			s.Height -= 12
		}
	}
	return s
}

func (a *App) taskRow(t present.Task) *look.Tile {
	chip := look.Chip(a.due(t.Days, t.Dated))
	under := t.Address + " · " + t.Reason
	var ground color.Color
	switch {
	case t.Returned != "":
		chip = container.NewHBox(look.Chip(a.t("returned"), look.Loud), chip)
		under = t.Address + " · " + a.t("returned_why", t.Returned)
		ground = look.AlarmBg
	case t.Draft != uuid.Nil:
		chip = container.NewHBox(look.Chip(a.t("draft"), look.Notice), chip)
	}
	return a.row(t.Name, under, chip, ground, func() { a.householdScreen(t.Household, a.todayScreen) })
}

// due says in words and tone when something is due.
func (a *App) due(days int, dated bool) (string, look.Tone) {
	switch {
	case !dated:
		return a.t("no_due"), look.Plain
	case days < 0:
		return a.t("overdue", -days), look.Urgent
	case days == 0:
		return a.t("due_today"), look.Urgent
	case days <= 7:
		return a.t("due_in", days), look.Notice
	}
	return a.t("due_in", days), look.Plain
}

// sidePanel holds the search and the state of the machine.
func (a *App) sidePanel(today present.Today) fyne.CanvasObject {
	found := container.NewVBox()
	search := widget.NewEntry()
	search.SetPlaceHolder(a.t("search"))
	search.OnChanged = func(text string) {
		found.RemoveAll()
		hits, err := a.session.Find(a.ctx, text)
		if a.fail(err) {
			return
		}
		for _, f := range hits[:min(len(hits), 6)] {
			under := f.Address
			if f.Matched != "" {
				under = a.t("matched", f.Matched) + " · " + under
			}
			found.Add(a.row(f.Name, under, container.NewHBox(), look.Card, func() { a.householdScreen(f.Household, a.todayScreen) }))
		}
		if text != "" && len(hits) == 0 {
			found.Add(look.Caption(a.t("found_none")))
		}
	}
	numbers := container.NewGridWithColumns(3,
		number(fmt.Sprint(today.Open), a.t("open"), look.Ink), number(fmt.Sprint(today.Overdue), a.t("late"), toneIf(today.Overdue > 0)), number(fmt.Sprint(today.Returned), a.t("returned"), toneIf(today.Returned > 0)))
	return scroll(container.NewVBox(search, found, look.Box(numbers), a.linkBox()))
}

func toneIf(alarm bool) color.Color {
	if alarm {
		return look.Alarm
	}
	return look.Ink
}

func number(n, under string, ink color.Color) fyne.CanvasObject {
	big := look.Title(n)
	big.Color, big.Alignment = ink, fyne.TextAlignCenter
	small := look.Small(under)
	small.Alignment = fyne.TextAlignCenter
	return container.NewVBox(big, small)
}

// linkBox says what of this machine's work the county has.
func (a *App) linkBox() fyne.CanvasObject {
	l, err := a.session.Link(a.ctx)
	if err != nil {
		said, _ := a.say.Error(err)
		return look.Banner(said, look.Urgent)
	}
	text, tone := a.t("all_confirmed"), look.Done
	if n := l.Waiting(); n > 0 {
		text, tone = a.t("n_waiting", n), look.Notice
	}
	box := container.NewVBox(look.Banner(text, tone))
	if l.PhotosMissing > 0 {
		box.Add(look.Caption(a.t("photos_missing", l.PhotosMissing)))
	}
	box.Add(look.Big(a.t("sync_open"), theme.ViewRefreshIcon(), a.syncScreen))
	return box
}

// gap is a little empty space.
func gap(w, h float32) fyne.CanvasObject {
	r := canvas.NewRectangle(color.Transparent)
	r.SetMinSize(fyne.NewSize(w, h))
	return r
}
