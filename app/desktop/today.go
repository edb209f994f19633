package desktop

import (
	"fmt"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"github.com/google/uuid"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
)

// tasksShown is how many tasks of a village are drawn at once; the rest comes at a
// tap.
const tasksShown = 40

// todayScreen is the worker's first: tasks by village and due date, what was
// begun, how the machine stands to the county, and the search.
func (a *App) todayScreen() { a.todayAt(fyne.Position{}) }

// todayAt is the same, scrolled to where somebody is reading.
func (a *App) todayAt(offset fyne.Position) {
	a.resume = nil
	today, err := a.session.Today(a.ctx)
	if a.fail(err) {
		return
	}
	a.class = a.widthNow()
	list := container.NewVBox()
	for _, d := range today.Drafts {
		list.Add(a.row(a.t("go_on", d.Name), a.t("draft_line", orDash(d.Address), d.Answers), look.Chip(a.t("draft"), look.Notice), look.WarnBg, func() { a.resumeDraft(d.ID) }))
	}
	for _, v := range today.Villages {
		list.Add(container.NewBorder(nil, nil, nil, look.Chip(a.t("n_tasks", len(v.Tasks)), look.Plain), look.Sub(v.Name)))
		rows := container.NewVBox()
		for _, t := range v.Tasks[:min(len(v.Tasks), tasksShown)] {
			rows.Add(a.taskRow(t))
		}
		if more := v.Tasks[min(len(v.Tasks), tasksShown):]; len(more) > 0 {
			var button *widget.Button
			button = look.Big(a.t("tasks_more", len(more)), theme.MenuDropDownIcon(), func() {
				rows.Remove(button)
				for _, t := range more {
					rows.Add(a.taskRow(t))
				}
			})
			rows.Add(button)
		}
		list.Add(rows)
	}
	if today.Open == 0 {
		list.Add(look.Banner(a.t("no_tasks"), look.Done))
	}
	box, kept := a.linkBox()
	side := container.NewVBox(
		look.Primary(a.t("find_open"), theme.SearchIcon(), a.findScreen),
		look.Box(container.NewGridWithColumns(3,
			number(fmt.Sprint(today.Open), a.t("open"), look.Ink),
			number(fmt.Sprint(today.Overdue), a.t("late"), toneIf(today.Overdue > 0)),
			number(fmt.Sprint(today.Returned), a.t("returned"), toneIf(today.Returned > 0)))),
		box)
	more := container.NewVBox(
		look.Big(a.t("found_open"), theme.ContentAddIcon(), a.foundScreen),
		look.Big(a.t("handover"), theme.AccountIcon(), a.handoverScreen),
		look.Big(a.t("pack"), theme.ConfirmIcon(), a.packSheet),
		a.machineBox())
	var body fyne.CanvasObject
	var read *container.Scroll
	if a.class == wide {
		side.Add(more)
		read = scroll(list)
		body = look.Split(0.32, 0.3, scroll(side), read)
	} else {
		read = scroll(container.NewVBox(side, list, more))
		body = read
	}
	a.show(header{title: a.t("today"), kept: kept, arrived: func() { a.todayAt(read.Offset) }, under: a.session.Name + " · " + a.session.Office.Replica.Identity().Name, again: a.todayScreen, right: []fyne.CanvasObject{
		action(a.t("sync"), theme.ViewRefreshIcon(), a.syncScreen), action(a.t("settings"), theme.SettingsIcon(), func() { a.settingsScreen(a.todayScreen) }),
		action(a.t("lock"), theme.LogoutIcon(), a.unlockScreen),
	}}, body)
	read.ScrollToOffset(offset)
	a.keys[fyne.KeyF2], a.keys[fyne.KeySlash] = a.findScreen, a.findScreen
}

func (a *App) taskRow(t present.Task) *look.Tile {
	chip := look.Chip(a.due(t.Days, t.Dated))
	under := t.Address + " · " + t.Reason
	if t.LastVisit != "" {
		under += " · " + a.t("last_visit") + " " + t.LastVisit
	}
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

// linkBox says what of this machine's work the county has, and how the rest goes
// there; the function keeps it up to date.
func (a *App) linkBox() (fyne.CanvasObject, func(present.Standing)) {
	stand := container.NewVBox()
	fill := func() {
		stand.Objects = a.linkLines()
		stand.Refresh()
	}
	fill()
	kept, say := a.keptLine()
	return container.NewVBox(stand, kept, look.Big(a.t("sync_open"), theme.ViewRefreshIcon(), a.syncScreen)), func(n present.Standing) {
		say(n)
		if n.Pace != present.Talking {
			fill()
		}
	}
}

// linkLines are what of this machine's work the county has.
func (a *App) linkLines() []fyne.CanvasObject {
	l, err := a.session.Link(a.ctx)
	if err != nil {
		said, _ := a.say.Error(err)
		return []fyne.CanvasObject{look.Banner(said, look.Urgent)}
	}
	text, tone := a.t("all_confirmed"), look.Done
	if n := l.Waiting(); n > 0 {
		text, tone = a.t("n_waiting", n), look.Notice
	}
	lines := []fyne.CanvasObject{look.Banner(text, tone)}
	if l.PhotosMissing > 0 {
		lines = append(lines, look.Caption(a.t("photos_missing", l.PhotosMissing)))
	}
	return lines
}

// machineBox says whether the machine lasts the day: battery where the system
// tells, space on its disk.
func (a *App) machineBox() fyne.CanvasObject {
	m := a.machine()
	box := container.NewVBox()
	if m.BatteryKnown {
		key := "battery"
		if m.Charging {
			key = "battery_charging"
		}
		box.Add(look.Caption(a.t(key, m.Battery)))
	}
	if m.SpaceKnown {
		box.Add(look.Caption(a.t("space", m.SpaceGB, m.Visits)))
	}
	if m.Low {
		box.Add(look.Banner(a.t("machine_low"), look.Urgent))
	}
	return box
}

// packSheet is what a worker looks at before leaving for villages without signal.
func (a *App) packSheet() {
	checks, err := a.session.Pack(a.ctx, a.machine(), a.standing().Last)
	if a.fail(err) {
		return
	}
	box, well := container.NewVBox(), true
	for _, c := range checks {
		chip := look.Chip("✓", look.Done)
		if !c.OK {
			chip, well = look.Chip("⚠", look.Notice), false
		}
		box.Add(container.NewBorder(nil, nil, look.Least(44, 40, container.NewCenter(chip)), nil, look.Text(c.Said)))
	}
	title := a.t("pack_well")
	if !well {
		title = a.t("pack_not_yet")
	}
	a.sheet(title, box)
}

// findScreen finds any household of this machine; without a search it lists all.
// Its rows have one height, so that ten thousand scroll as ten do.
func (a *App) findScreen() {
	a.class = a.widthNow()
	all, err := a.session.Households(a.ctx)
	if a.fail(err) {
		return
	}
	shown := all
	list := widget.NewList(
		func() int { return len(shown) },
		func() fyne.CanvasObject {
			return container.New(look.Tight(), look.OneLine("", theme.SizeNameText, theme.ColorNameForeground, true), look.OneLine("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder, false))
		},
		func(i widget.ListItemID, o fyne.CanvasObject) {
			texts := o.(*fyne.Container).Objects
			line := shown[i]
			for k, s := range []string{line.Title, line.Under} {
				t := texts[k].(*widget.RichText)
				t.Segments[0].(*widget.TextSegment).Text = s
				t.Refresh()
			}
		})
	list.OnSelected = func(i widget.ListItemID) {
		look.Touched()
		list.UnselectAll()
		a.householdScreen(shown[i].ID, a.findScreen)
	}
	said := look.Caption(a.t("find_n", len(all)))
	search := a.entry(false)
	search.SetPlaceHolder(a.t("search"))
	if a.class == narrow {
		search.SetPlaceHolder(a.t("search_short"))
	}
	search.OnChanged = func(text string) {
		look.Touched()
		found, err := a.session.Matching(a.ctx, all, text)
		if a.fail(err) {
			return
		}
		shown = found
		look.SetText(said, a.t("find_n", len(shown)))
		if len(shown) == 0 {
			look.SetText(said, a.t("found_none"))
		}
		list.ScrollToTop()
		list.Refresh()
	}
	a.show(header{title: a.t("find_open"), back: a.home, again: a.findScreen},
		look.Middle(900, container.NewBorder(container.NewVBox(search, said), nil, nil, nil, list)))
	a.win.Canvas().Focus(search)
}

// foundScreen begins a visit to a household that nobody had on a list (主动发现).
func (a *App) foundScreen() {
	places, err := a.session.Places(a.ctx)
	if a.fail(err) {
		return
	}
	list, err := a.session.Forms(a.ctx)
	if a.fail(err) {
		return
	}
	a.class = a.widthNow()
	name, address := a.entry(false), a.entry(false)
	name.SetPlaceHolder(a.t("found_name"))
	address.SetPlaceHolder(a.t("found_address"))
	f := present.NewFound(places, list)
	villages, kinds := container.New(rowWrap()), container.New(rowWrap())
	var draw func()
	draw = func() {
		villages.RemoveAll()
		for _, p := range places {
			villages.Add(look.Choice(p.Name, p.Code == f.Village.Code, func() { f.Village = p; draw() }))
		}
		kinds.RemoveAll()
		for _, k := range list {
			kinds.Add(look.Choice(k.Title, k == f.Form, func() { f.Form = k; draw() }))
		}
		villages.Refresh()
		kinds.Refresh()
	}
	draw()
	begin := look.Primary(a.t("start"), theme.NavigateNextIcon(), func() {
		f.Name, f.Address = name.Text, address.Text
		v, err := a.session.Found(a.ctx, f)
		if !a.fail(err) {
			a.visitScreen(v)
		}
	})
	body := container.NewVBox(look.Text(a.t("found_hint")),
		look.Box(look.Bold(a.t("found_name")), name), look.Box(look.Bold(a.t("found_village")), villages), look.Box(look.Bold(a.t("found_address")), address))
	if len(list) > 1 {
		body.Add(look.Box(look.Bold(a.t("which_form")), kinds))
	}
	a.show(header{title: a.t("found_open"), back: a.home}, look.Middle(760, scroll(body)), begin)
}

// handoverScreen gives begun visits to a colleague, and then locks.
func (a *App) handoverScreen() {
	today, err := a.session.Today(a.ctx)
	if a.fail(err) {
		return
	}
	a.class = a.widthNow()
	box := container.NewVBox(look.Text(a.t("handover_hint")))
	if len(today.Drafts) == 0 {
		box.Add(look.Banner(a.t("handover_none"), look.Done))
	}
	for _, d := range today.Drafts {
		to := container.New(rowWrap())
		for _, p := range a.session.Colleagues() {
			if p.ID == a.session.Person {
				continue
			}
			to.Add(look.ChoiceWithin(a.t("handover_to", p.Name)+"　→", false, look.Room-40, func() {
				if !a.fail(a.session.HandOver(a.ctx, d.ID, p.ID)) {
					a.handoverScreen()
				}
			}))
		}
		box.Add(look.Box(look.Bold(d.Name), look.Caption(a.t("draft_line", orDash(d.Address), d.Answers)), to))
	}
	a.show(header{title: a.t("handover"), back: a.home, again: a.handoverScreen}, look.Middle(760, scroll(box)),
		look.Primary(a.t("handover_lock"), theme.LogoutIcon(), a.unlockScreen))
}
