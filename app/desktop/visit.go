package desktop

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/forms"
)

// A visitView is a visit being filled: one group a screen, a strip of all groups,
// any order. Every answer is durable before the next can be given.
type visitView struct {
	app      *App
	visit    *visit.Visit
	at       string // path of the group shown
	instance string // path of the repeat's instance shown, "" for the first

	strip   *fyne.Container
	body    *fyne.Container
	scroll  *container.Scroll
	saved   *canvas.Text
	asked   map[string]*question
	touched map[string]bool
	strict  bool // what is missing is shown everywhere: somebody wanted to go on
}

func (a *App) visitScreen(v *visit.Visit) { a.visitAt(v, v.Place(), false) }

// visitAt shows a visit at a place: a group's or a question's path.
func (a *App) visitAt(v *visit.Visit, place string, strict bool) {
	v.Entry.SetLanguage(a.options.Lang)
	x := &visitView{app: a, visit: v, asked: map[string]*question{}, touched: map[string]bool{}, strict: strict}
	x.strip, x.body = container.New(look.Strip()), container.NewVBox()
	x.scroll = scroll(x.body)
	x.saved = look.Small(a.t("saved_all"))
	x.goTo(place)
	if len(v.Lost) > 0 {
		a.tell(a.t("lost_title"), a.t("lost", len(v.Lost)))
	}
	previous := look.Big(a.t("previous"), theme.NavigateBackIcon(), func() { x.step(-1) })
	next := look.Primary(a.t("next"), theme.NavigateNextIcon(), func() { x.step(1) })
	foot := container.NewBorder(nil, nil, previous, next, container.NewCenter(x.saved))
	a.show(header{
		title: v.Entry.Form().Title(a.options.Lang), under: v.Page.Household.Text("name") + " · " + v.Page.Household.Text("address"),
		back: func() { a.householdScreen(v.Page.Household.ID, a.home) },
		right: []fyne.CanvasObject{
			action(a.t("blank"), theme.VisibilityOffIcon(), func() { a.blank(func() { a.visitAt(v, x.at, x.strict) }) }),
			action(a.t("to_summary"), theme.DocumentIcon(), func() { a.summaryScreen(v) }),
		},
	}, look.Split(0.27, 0.2, scroll(x.strip), x.scroll), foot)
}

// blank hides the screen at one tap: somebody came into the room.
func (a *App) blank(back func()) {
	cover := look.NewTile(container.NewCenter(look.Small(a.t("blank_hint"))), back)
	a.keys = map[fyne.KeyName]func(){}
	a.win.SetContent(cover)
}

// goTo shows the group that holds a path; an unknown one the first.
func (x *visitView) goTo(place string) {
	steps := present.Steps(x.visit)
	if len(steps) == 0 {
		return
	}
	x.at, x.instance = steps[0].Path, ""
	for _, s := range steps {
		if place == s.Path || strings.HasPrefix(place, s.Path+"/") || strings.HasPrefix(place, s.Path+"[") {
			x.at = s.Path
			if rest := strings.TrimPrefix(place, s.Path); s.Repeat && strings.HasPrefix(rest, "[") {
				x.instance = s.Path + rest[:strings.Index(rest, "]")+1]
			}
		}
	}
	x.app.fail(x.visit.GoTo(x.app.ctx, x.at))
	x.asked = map[string]*question{}
	x.draw()
	x.scroll.ScrollToTop()
}

// step goes to the group before or after; behind the last stands the summary.
func (x *visitView) step(by int) {
	steps := present.Steps(x.visit)
	for i, s := range steps {
		if s.Path != x.at {
			continue
		}
		switch {
		case i+by < 0:
		case i+by >= len(steps):
			x.app.summaryScreen(x.visit)
		default:
			x.goTo(steps[i+by].Path)
		}
		return
	}
}

// draw lays out the strip and the questions as the visit stands; a question that
// is on the screen already keeps its widget, and so its focus.
func (x *visitView) draw() {
	x.drawStrip()
	a := x.app
	var objects []fyne.CanvasObject
	for _, s := range present.Steps(x.visit) {
		if s.Path != x.at {
			continue
		}
		objects = append(objects, look.Head(s.Label))
		if s.Repeat {
			objects = append(objects, x.instances(s)...)
		} else {
			objects = append(objects, x.questions(s.Path)...)
		}
	}
	x.body.Objects = append(objects, gap(1, 40))
	x.body.Refresh()
	x.saved.Text = a.t("saved_all")
	if n := len(x.visit.Entry.Problems()); n > 0 {
		x.saved.Text = a.t("saved_missing", n)
	}
	x.saved.Refresh()
}

func (x *visitView) drawStrip() {
	a := x.app
	var objects []fyne.CanvasObject
	for _, s := range present.Steps(x.visit) {
		label := s.Label
		if s.Repeat {
			label += fmt.Sprintf(" %d", s.Count)
		}
		var chip fyne.CanvasObject
		switch {
		case s.Missing > 0:
			chip = look.Chip(a.t("n_left", s.Missing), look.Notice)
		case s.Answered > 0 || s.Repeat:
			chip = look.Chip("✓", look.Done)
		default:
			chip = container.NewHBox()
		}
		text := canvas.NewText(label, look.Ink)
		text.TextSize = theme.Size(theme.SizeNameText)
		text.TextStyle.Bold = s.Path == x.at
		tile := look.NewTile(container.NewBorder(nil, nil, nil, chip, text), func() { x.goTo(s.Path) })
		tile.Chosen = s.Path == x.at
		objects = append(objects, tile)
	}
	x.strip.Objects = objects
	x.strip.Refresh()
}

// instances shows a repeat: a tab for each instance, the questions of one.
func (x *visitView) instances(s present.Step) []fyne.CanvasObject {
	a := x.app
	list := present.Instances(x.visit, s.Path)
	tabs := container.New(rowWrap())
	if x.instance == "" && len(list) > 0 {
		x.instance = list[0].Path
	}
	for _, n := range list {
		tabs.Add(look.Choice(n.RepeatLabel, n.Path == x.instance, func() {
			x.instance = n.Path
			x.asked = map[string]*question{}
			x.draw()
		}))
	}
	node, _ := x.visit.Entry.Node(s.Path)
	if node.CanAdd {
		tabs.Add(look.Choice("＋ "+a.t("add"), false, func() {
			path, err := x.visit.Add(a.ctx, s.Path)
			if !a.fail(err) {
				x.instance = path
				x.asked = map[string]*question{}
				x.draw()
			}
		}))
	}
	objects := []fyne.CanvasObject{tabs}
	if len(list) == 0 {
		return append(objects, look.Caption(a.t("none_yet")))
	}
	objects = append(objects, x.questions(x.instance)...)
	if node.CanAdd {
		objects = append(objects, container.NewHBox(look.Big(a.t("remove"), theme.DeleteIcon(), func() {
			a.ask(a.t("remove"), a.t("remove_ask"), a.t("remove"), func() {
				if !a.fail(x.visit.Remove(a.ctx, x.instance)) {
					x.instance = ""
					x.asked = map[string]*question{}
					x.draw()
				}
			})
		})))
	}
	return objects
}

func (x *visitView) questions(path string) []fyne.CanvasObject {
	var objects []fyne.CanvasObject
	for _, n := range present.Questions(x.visit, path) {
		if n.Group {
			objects = append(objects, look.Bold(n.Label))
			continue
		}
		q := x.asked[n.Path]
		if q == nil {
			q = newQuestion(x, n)
			x.asked[n.Path] = q
		}
		q.show(n)
		objects = append(objects, q.box)
	}
	return objects
}

// answer sets an answer; what follows from it is drawn anew.
func (x *visitView) answer(n forms.Node, value string) {
	x.touched[n.Path] = true
	if _, err := x.visit.Set(x.app.ctx, n.Path, value); err != nil {
		x.app.fail(err)
		return
	}
	x.draw()
}
