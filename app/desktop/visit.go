package desktop

import (
	"fmt"
	"image/color"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
)

// A visitView draws a visit being filled: one page a screen, a strip of all pages,
// any order. What it shows and what an answer does is present.Filling's.
type visitView struct {
	app  *App
	fill *present.Filling

	strip, body *fyne.Container
	tiles       []pageTile // of the strip, as they are drawn
	scroll      *container.Scroll
	saved       *widget.RichText
	left        *widget.Button
	asked       map[string]*question
	shots       *shots
	contents    bool    // the list of pages covers a narrow screen
	width       float32 // of a question's input
	shown       bool
}

func (a *App) visitScreen(v *visit.Visit) { a.visitAt(v, v.Place(), false) }

// visitAt shows a visit at a place: a page's, an instance's or a question's path.
func (a *App) visitAt(v *visit.Visit, place string, strict bool) {
	fill, err := a.session.Fill(a.ctx, v, place, strict)
	if a.fail(err) {
		return
	}
	a.inVisit(v.ID)
	x := &visitView{app: a, fill: fill, asked: map[string]*question{}}
	x.shots = newShots(a, x)
	x.build()
	x.showQuestion(place)
	if len(v.Lost) > 0 {
		a.tell(a.t("lost_title"), a.t("lost", len(v.Lost)))
		v.Lost = nil
	}
}

// build lays the screen out for the width there is.
func (x *visitView) build() {
	a, v := x.app, x.fill.Visit
	if x.shown {
		a.leave = nil // the same visit, laid out for another width
	}
	x.shown = true
	a.class = a.widthNow()
	x.asked, x.tiles = map[string]*question{}, nil
	x.strip, x.body = container.NewVBox(), container.NewVBox()
	x.scroll = scroll(x.body)
	x.scroll.OnScrolled = func(fyne.Position) {
		look.Touched()
		x.grounds()
	}
	x.saved = look.OneLine("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder, false)
	x.left = look.Big("", theme.WarningIcon(), x.problems)
	previous := look.Big(a.t("previous"), theme.NavigateBackIcon(), func() { x.step(-1) })
	next := look.Primary(a.t("next"), theme.NavigateNextIcon(), func() { x.step(1) })
	var foot, body fyne.CanvasObject
	if a.class == narrow {
		previous.SetText("")
		next.SetIcon(nil)
		foot = container.NewBorder(nil, nil, look.Least(52, 48, previous), next, x.left)
	} else {
		foot = container.NewBorder(nil, nil, previous, next, container.NewBorder(nil, nil, nil, x.left, container.New(look.MiddleHeight(), x.saved)))
	}
	size := a.size()
	if a.class == wide {
		x.width = size.Width*0.73 - 80
		body = look.Split(0.27, 0.2, scroll(x.strip), x.scroll)
	} else {
		x.width = size.Width - 70
		body = container.NewBorder(x.strip, nil, nil, nil, x.scroll)
	}
	x.draw()
	name := v.Page.Household.Text("name")
	a.show(header{
		title: name + " · " + v.Entry.Form().Title(a.options.Lang), under: v.Page.Household.Text("address"),
		visiting: x, back: x.back, again: x.build, leave: x.shots.end, busy: x.shots.busy,
		right: []fyne.CanvasObject{action(a.t("slots_short"), theme.MediaPhotoIcon(), x.slotSheet), action(a.t("to_summary"), theme.DocumentIcon(), x.summary)},
	}, body, foot)
	a.dropped = x.shots.drop
	a.keys[fyne.KeyPageDown] = func() { x.step(1) }
	a.keys[fyne.KeyPageUp] = func() { x.step(-1) }
}

// back leaves an instance for its cards, and the visit for the household.
func (x *visitView) back() {
	a := x.app
	switch {
	case x.contents:
		x.contents = false
		x.draw()
	case x.fill.Instance != "":
		x.goTo(x.fill.Page.Path)
	case x.fill.Visit.IsFound():
		x.shots.away(a.home)
	default:
		x.shots.away(func() { a.householdScreen(x.fill.Household(), a.home) })
	}
}

func (x *visitView) summary() { x.shots.away(func() { x.app.summaryScreen(x.fill.Visit) }) }

// goTo shows the page or instance that holds a path.
func (x *visitView) goTo(place string) {
	if x.app.fail(x.fill.GoTo(x.app.ctx, place)) {
		return
	}
	x.contents = false
	x.asked = map[string]*question{}
	x.draw()
	x.scroll.ScrollToTop()
	x.grounds()
}

// step goes to the page before or after; behind the last stands the summary.
func (x *visitView) step(by int) {
	moved, err := x.fill.Step(x.app.ctx, by)
	if x.app.fail(err) {
		return
	}
	if !moved {
		if by > 0 {
			x.summary()
		}
		return
	}
	x.contents = false
	x.asked = map[string]*question{}
	x.draw()
	x.scroll.ScrollToTop()
	x.grounds()
}

// grounds leaves out the cards' grounds that lie more than half a screen away: each
// is drawn corner by corner, and on a long page most of them for nobody. Texts and
// fields stay, for whoever goes through them by Tab.
func (x *visitView) grounds() {
	height := x.scroll.Size().Height
	if height < 1 { // not laid out yet
		return
	}
	top, bottom := x.scroll.Offset.Y-height/2, x.scroll.Offset.Y+height*3/2
	for _, q := range x.asked {
		y := q.box.Position().Y
		visible(q.ground, y < bottom && y+q.box.Size().Height > top)
	}
}

// showQuestion brings a question of the page into view.
func (x *visitView) showQuestion(path string) {
	q := x.asked[path]
	if q == nil {
		return
	}
	// The page must have been laid out once for positions to be known.
	x.scroll.Content.Resize(fyne.NewSize(x.scroll.Size().Width, x.scroll.Content.MinSize().Height))
	at := float32(0)
	for _, o := range x.body.Objects {
		if o == q.box {
			at = o.Position().Y
		}
	}
	x.scroll.ScrollToOffset(fyne.NewPos(0, max(0, at-40)))
	x.grounds()
}

// draw lays out the strip and the questions as the visit stands; a question that
// is on the screen already keeps its widget, and so its focus.
func (x *visitView) draw() {
	a, f := x.app, x.fill
	x.drawStrip()
	var objects []fyne.CanvasObject
	switch {
	case x.contents:
		objects = x.pageTiles()
	case len(f.Pages) == 0:
		objects = append(objects, look.Banner(a.t("nothing_asked"), look.Plain))
	case f.Covered():
		objects = append(objects, x.cover())
	default:
		if a.class == wide {
			objects = append(objects, look.Head(f.Page.Label))
		}
		if n := f.WaitingLast(); n > 1 {
			objects = append(objects, container.NewHBox(look.ChoiceIn(look.Soft, a.t("last_all", n), x.width, x.confirmAll)))
		}
		if f.Page.Repeat {
			objects = append(objects, x.repeat()...)
		}
		objects = append(objects, x.questions()...)
	}
	x.body.Objects = append(objects, gap(1, 60))
	x.body.Refresh()
	x.grounds()
	left := f.Left()
	segment := x.saved.Segments[0].(*widget.TextSegment)
	segment.Text = a.t("saved_all")
	if back := f.Visit.ClockBack(); back > 0 {
		segment.Text = a.t("clock_back", int(back.Minutes())+1)
	}
	if f.Visit.Behind() {
		segment.Text = a.t("unsaved")
	}
	x.saved.Refresh()
	some, none, icon := a.t("left_n", left), a.t("left_none"), theme.ListIcon()
	if a.class == narrow {
		some, none, icon = a.t("n_left", left), "✓", nil
	}
	if left > 0 {
		x.left.SetText(some)
		x.left.SetIcon(icon)
		x.left.Enable()
	} else {
		x.left.SetText(none)
		x.left.SetIcon(nil)
		x.left.Disable()
	}
}

// drawStrip shows how far each page is: as a list beside a wide page, as a bar of
// parts above a narrow one, with the page's name and the way to all pages.
func (x *visitView) drawStrip() {
	a, f := x.app, x.fill
	if a.class == wide {
		if tiles := x.pageTiles(); !slices.Equal(tiles, x.strip.Objects) {
			x.strip.Objects = tiles
			x.strip.Refresh()
		}
		return
	}
	name := look.OneLine(fmt.Sprintf("%d/%d  %s", f.At+1, len(f.Pages), f.Page.Label), theme.SizeNameText, theme.ColorNameForeground, true)
	chip := fyne.CanvasObject(container.NewHBox())
	if f.Page.Missing > 0 {
		chip = look.Chip(a.t("n_left", f.Page.Missing), look.Notice)
	} else if f.Page.Done() {
		chip = look.Chip("✓", look.Done)
	}
	tile := look.NewTile(container.NewBorder(nil, nil, widget.NewIcon(theme.MenuIcon()), chip, name), func() {
		x.contents = !x.contents
		x.draw()
		x.scroll.ScrollToTop()
	})
	tile.Chosen = x.contents
	x.strip.Objects = []fyne.CanvasObject{tile, progress(f)}
	x.strip.Refresh()
}

// progress is a bar of one part a page: full where nothing is left, hatched by its
// height where something is, outlined where one stands.
func progress(f *present.Filling) fyne.CanvasObject {
	row := container.New(look.Equal(max(1, len(f.Pages))))
	row.Layout = segments{}
	for i, p := range f.Pages {
		fill := color.Color(look.Line)
		height := float32(6)
		switch {
		case p.Missing > 0 && p.Answered > 0:
			fill, height = look.Warn, 6
		case p.Done():
			fill, height = look.Good, 10
		}
		if i == f.At {
			fill, height = look.Action, 14
		}
		bar := canvas.NewRectangle(fill)
		bar.CornerRadius = 3
		bar.SetMinSize(fyne.NewSize(4, height))
		row.Add(bar)
	}
	return container.New(layout.NewCustomPaddedLayout(0, 2, 6, 6), row)
}

type segments struct{}

func (segments) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	w := size.Width / float32(max(1, len(objects)))
	for i, o := range objects {
		h := o.MinSize().Height
		o.Resize(fyne.NewSize(max(2, w-3), h))
		o.Move(fyne.NewPos(float32(i)*w, (size.Height-h)/2))
	}
}

func (segments) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(60, 14) }

// A pageTile is a page's line in the list of pages, and what it says.
type pageTile struct {
	says string
	tile fyne.CanvasObject
}

// pageTiles is the list of all pages with what is left on each. A line that says the
// same as before is the same: most of them, after an answer.
func (x *visitView) pageTiles() []fyne.CanvasObject {
	f := x.fill
	objects := make([]fyne.CanvasObject, len(f.Pages))
	x.tiles = slices.Grow(x.tiles, len(f.Pages))[:len(f.Pages)]
	for i := range f.Pages {
		p := &f.Pages[i]
		says := fmt.Sprint(p.Path, p.Label, p.Repeat, p.Count, p.Missing, p.Done(), i == f.At)
		if x.tiles[i].says != says {
			x.tiles[i] = pageTile{says, x.pageTile(p, i == f.At)}
		}
		objects[i] = x.tiles[i].tile
	}
	return objects
}

func (x *visitView) pageTile(p *present.Page, here bool) fyne.CanvasObject {
	a, path, label := x.app, p.Path, p.Label
	if p.Repeat {
		label += fmt.Sprintf(" %d", p.Count)
	}
	chip := fyne.CanvasObject(container.NewHBox())
	switch {
	case p.Missing > 0:
		chip = look.Chip(a.t("n_left", p.Missing), look.Notice)
	case p.Done():
		chip = look.Chip("✓", look.Done)
	}
	text := look.OneLine(label, theme.SizeNameText, theme.ColorNameForeground, here)
	tile := look.NewTile(container.NewBorder(nil, nil, nil, chip, text), func() { x.goTo(path) })
	tile.Chosen = here
	return tile
}

// cover stands before a page that opens on need only.
func (x *visitView) cover() fyne.CanvasObject {
	a := x.app
	return look.Box(look.Bold(x.fill.Page.Label), look.Text(a.t("sensitive")), container.NewHBox(
		look.Primary(a.t("sensitive_open"), theme.VisibilityIcon(), func() {
			if !a.fail(x.fill.Uncover(a.ctx)) {
				x.draw()
			}
		})))
}

func (x *visitView) confirmAll() {
	a := x.app
	a.ask(a.t("last_all_title"), a.t("last_all_ask", x.fill.WaitingLast()), a.t("last_all_do"), func() {
		_, err := x.fill.ConfirmAll(a.ctx)
		a.fail(err)
		x.asked = map[string]*question{}
		x.draw()
	})
}

// questions draws what is asked on the page; group labels are headings.
func (x *visitView) questions() []fyne.CanvasObject {
	var objects []fyne.CanvasObject
	for _, n := range x.fill.Questions() {
		switch {
		case n.Type == "instance":
			objects = append(objects, look.Bold("· "+n.RepeatLabel), container.NewHBox(look.Flat(x.app.t("remove"), theme.DeleteIcon(), func() { x.remove(n.Path) })))
			continue
		case n.Repeat: // a repeat within an instance
			objects = append(objects, look.Sub(n.Label))
			if n.CanAdd {
				objects = append(objects, container.NewHBox(look.Big(x.app.t("add"), theme.ContentAddIcon(), func() {
					if !x.app.fail(x.fill.Add(x.app.ctx, n.Path)) {
						x.draw()
					}
				})))
			}
			continue
		case n.Group:
			objects = append(objects, look.Sub(n.Label))
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
func (x *visitView) answer(path, value string) {
	if x.app.fail(x.fill.Answer(x.app.ctx, path, value)) {
		x.draw()
		return
	}
	look.Touched()
	x.draw()
}

// problems lists all that is open, each with a jump to it.
func (x *visitView) problems() {
	x.app.problemSheet(x.fill.Problems(), func(path string) {
		x.fill.Strict = true
		x.goTo(path)
		x.showQuestion(path)
	})
}

// problemSheet lists open problems; jump goes to one.
func (a *App) problemSheet(list []present.Open, jump func(path string)) {
	box := container.NewVBox()
	var shut func()
	for _, p := range list[:min(len(list), 60)] {
		box.Add(a.problemTile(p, func() {
			shut()
			jump(p.Path)
		}))
	}
	shut = a.pick(a.t("missing_title", len(list)), box)
}

func (a *App) problemTile(p present.Open, tapped func()) fyne.CanvasObject {
	return look.NewTile(container.NewBorder(nil, nil, nil, widget.NewIcon(theme.NavigateNextIcon()),
		container.New(look.Tight(), look.Bold(p.Label), look.Caption(p.Where+" · "+p.Says))), tapped)
}
