package desktop

import (
	"fmt"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"github.com/google/uuid"

	"ironfeet/app/casework/review"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/store"
)

// inboxScreen is the township's first: visits that wait, the pressing ones first.
func (a *App) inboxScreen() {
	letters, err := a.session.Inbox(a.ctx)
	if a.fail(err) {
		return
	}
	disputes, err := a.session.Disputes(a.ctx)
	if a.fail(err) {
		return
	}
	list := container.NewVBox()
	for _, l := range letters {
		chips := container.NewHBox()
		if l.Others > 0 {
			chips.Add(look.Chip(a.t("visited_twice"), look.Urgent))
		}
		if l.Conflicts > 0 {
			chips.Add(look.Chip(a.t("conflict"), look.Urgent))
		}
		if l.Missing > 0 {
			chips.Add(look.Chip(a.t("photos_missing", l.Missing), look.Notice))
		}
		chips.Add(look.Chip(a.due(l.Days, l.Dated)))
		under := a.t("letter", l.Ended.Format("01-02 15:04"), l.Result, l.Photos)
		list.Add(a.row(l.Village+"　"+l.Name, under, chips, nil, func() { a.reviewScreen(l.Visit) }))
	}
	if len(letters) == 0 {
		list.Add(look.Banner(a.t("inbox_empty"), look.Done))
	}
	side := container.NewVBox(look.Box(container.NewGridWithColumns(2,
		number(fmt.Sprint(len(letters)), a.t("to_review"), look.Ink), number(fmt.Sprint(len(disputes)), a.t("conflicts"), toneIf(len(disputes) > 0)))))
	if len(disputes) > 0 {
		side.Add(look.Big(a.t("settle_open"), theme.WarningIcon(), a.disputesScreen))
	}
	side.Add(a.linkBox())
	search := widget.NewEntry()
	search.SetPlaceHolder(a.t("search"))
	found := container.NewVBox()
	search.OnChanged = func(text string) {
		found.RemoveAll()
		hits, err := a.session.Find(a.ctx, text)
		if a.fail(err) {
			return
		}
		for _, f := range hits[:min(len(hits), 6)] {
			found.Add(a.row(f.Name, f.Address, container.NewHBox(), nil, func() { a.householdScreen(f.Household, a.inboxScreen) }))
		}
	}
	side.Add(search)
	side.Add(found)
	a.show(header{title: a.t("inbox"), under: a.session.Name + " · " + a.session.Office.Replica.Identity().Name, right: []fyne.CanvasObject{
		action(a.t("sync"), theme.ViewRefreshIcon(), a.syncScreen), action(a.t("lock"), theme.LogoutIcon(), a.unlockScreen),
	}}, look.Split(0.3, 0.3, scroll(side), scroll(list)))
	if len(letters) > 0 {
		first := letters[0].Visit
		a.keys[fyne.KeyReturn] = func() { a.reviewScreen(first) }
	}
}

// reviewScreen lays a visit beside the registry, field by field.
func (a *App) reviewScreen(id uuid.UUID) {
	reviewer := a.session.Reviewer()
	open, err := reviewer.Open(a.ctx, id)
	if a.fail(err) {
		return
	}
	open.Entry.SetLanguage(a.options.Lang)
	left := container.NewVBox(look.Head(open.Page.Household.Text("name")), look.Text(open.Page.Household.Text("address")))
	if len(open.Others) > 0 {
		left.Add(look.Banner(a.t("others", len(open.Others)), look.Urgent))
		for _, other := range open.Others {
			left.Add(look.Big(a.t("other_visit"), theme.NavigateNextIcon(), func() { a.reviewScreen(other) }))
		}
	}
	keep := map[string]string{}
	lines := container.NewVBox(container.NewGridWithColumns(4, look.Bold(a.t("field")), look.Bold(a.t("before")), look.Bold(a.t("registry")), look.Bold(a.t("this_visit"))))
	changed := 0
	for _, l := range open.Lines {
		if l.Standing == review.Same {
			continue
		}
		changed++
		lines.Add(a.line(l, keep))
	}
	left.Add(look.Bold(a.t("changes_n", changed)))
	if changed > 0 {
		left.Add(look.Box(lines))
	}
	photos := container.New(rowWrap())
	for _, p := range open.Visit.Content.Photos {
		photos.Add(a.thumb(p.Digest, 200, 150))
	}
	if s := open.Visit.Content.Signature; s.Size > 0 {
		photos.Add(a.thumb(s.Digest, 200, 100))
	}
	left.Add(look.Bold(a.t("photos_n", len(open.Visit.Content.Photos))))
	left.Add(photos)
	for _, p := range open.Visit.Investigator {
		left.Add(look.Caption(a.t("signed_by", a.session.Who(a.ctx, p))))
	}

	right := container.NewVBox(look.Bold(a.t("answers")))
	for _, g := range open.Entry.Groups() {
		box := []fyne.CanvasObject{look.Bold(g.Label)}
		for _, n := range open.Entry.Inside(g.Path) {
			switch {
			case n.Type == "instance":
				box = append(box, look.Bold("· "+n.RepeatLabel))
			case n.Group || n.Repeat || n.Value == "" || n.Type == "image" || n.Type == "note":
			default:
				box = append(box, container.NewGridWithColumns(2, look.Caption(n.Label), look.Text(present.Words(n, n.Value))))
			}
		}
		if len(box) > 1 {
			right.Add(look.Box(box...))
		}
	}

	accept := func() {
		if a.fail(reviewer.Accept(a.ctx, open, keep, "")) {
			return
		}
		a.next(id)
	}
	giveBack := func() { a.giveBack(reviewer, open) }
	next := func() { a.next(id) }
	foot := container.NewGridWithColumns(3, look.Big(a.t("return_key"), theme.MailReplyIcon(), giveBack), look.Big(a.t("next_key"), theme.NavigateNextIcon(), next),
		look.Primary(a.t("accept_key"), theme.ConfirmIcon(), accept))
	a.show(header{title: a.t("review"), under: a.t("review_under", open.Visit.EndedAt().Format("2006-01-02 15:04")), back: a.inboxScreen},
		look.Split(0.55, 0.55, scroll(left), scroll(right)), foot)
	a.keys[fyne.KeyA], a.keys[fyne.KeyR], a.keys[fyne.KeyN] = accept, giveBack, next
}

// line is one field: before, in the registry, as visited; a tap keeps the
// registry's.
func (a *App) line(l review.Line, keep map[string]string) fyne.CanvasObject {
	name := l.Label
	if l.Whose != "" {
		name = l.Whose + "：" + name
	}
	labels := func(v string) *widget.Label {
		return look.Text(orDash(a.session.FieldWords(a.ctx, l.Field, store.Text(v))))
	}
	visited := look.Bold(l.Shown)
	var tile *look.Tile
	tile = look.NewTile(container.NewGridWithColumns(4, look.Text(name), labels(l.Before), labels(l.Registry), visited), func() {
		if tile.Chosen = !tile.Chosen; tile.Chosen {
			keep[l.Key()] = a.t("kept")
		} else {
			delete(keep, l.Key())
		}
		if tile.Chosen {
			visited.SetText(a.t("kept"))
		} else {
			visited.SetText(l.Shown)
		}
		tile.Refresh()
	})
	if l.Standing == review.Diverged {
		tile.Ground = color.Color(look.AlarmBg)
	}
	return tile
}

// next opens the visit behind this one in the inbox, or the inbox.
func (a *App) next(id uuid.UUID) {
	letters, err := a.session.Inbox(a.ctx)
	if a.fail(err) {
		return
	}
	for i, l := range letters {
		if l.Visit == id {
			a.reviewScreen(letters[(i+1)%len(letters)].Visit)
			return
		}
	}
	if len(letters) > 0 {
		a.reviewScreen(letters[0].Visit)
		return
	}
	a.inboxScreen()
}

// giveBack asks why a visit is returned; the reason travels to the tablet.
func (a *App) giveBack(reviewer *review.Reviewer, open *review.Review) {
	reason := widget.NewMultiLineEntry()
	reason.Wrapping = fyne.TextWrapBreak
	reason.SetPlaceHolder(a.t("return_place"))
	reason.SetMinRowsVisible(4)
	d := dialog.NewCustomConfirm(a.t("return_title"), a.t("return_do"), a.t("cancel"), look.Least(560, 180, container.NewVBox(look.Text(a.t("return_hint")), reason)), func(ok bool) {
		if !ok {
			return
		}
		due := a.options.World.Now().AddDate(0, 0, returnDays)
		if !a.fail(reviewer.Return(a.ctx, open, due, review.Fault{Text: reason.Text})) {
			a.next(open.Visit.ID)
		}
	}, a.win)
	d.Show()
	a.win.Canvas().Focus(reason)
}

// returnDays is how long a returned visit may take.
const returnDays = 10

// disputesScreen shows every field that two people set differently, until one
// decides.
func (a *App) disputesScreen() {
	disputes, err := a.session.Disputes(a.ctx)
	if a.fail(err) {
		return
	}
	list := container.NewVBox(look.Text(a.t("disputes_hint")))
	for _, d := range disputes {
		sides := container.NewGridWithColumns(len(d.Says))
		for i, s := range d.Says {
			value := d.Heads[i].Value
			sides.Add(look.NewTile(container.NewVBox(look.Bold(a.session.FieldWords(a.ctx, d.Field, value)),
				look.Caption(a.t("said_by", a.session.Who(a.ctx, s.Author), s.At.Format("01-02 15:04")))), func() {
				if !a.fail(a.session.Reviewer().Settle(a.ctx, d, value)) {
					a.disputesScreen()
				}
			}))
		}
		list.Add(look.Box(look.Bold(d.Whose+"　"+a.session.FieldName(a.ctx, d.Field)), sides))
	}
	if len(disputes) == 0 {
		list.Add(look.Banner(a.t("disputes_none"), look.Done))
	}
	a.show(header{title: a.t("conflicts"), back: a.inboxScreen}, look.Middle(900, scroll(list)))
}
