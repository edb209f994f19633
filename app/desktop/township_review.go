package desktop

import (
	"image/color"

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

// reviewView is a visit beside the registry, on the screen.
type reviewView struct {
	*township
	page  *clerk.Page
	lines []*look.Tile
	left  *container.Scroll
	at    int // the difference the clerk stands on
}

// reviewScreen lays a visit beside the registry, difference by difference.
func (t *township) reviewScreen(id uuid.UUID) {
	page, err := t.c.Page(t.ctx, id)
	if t.fail(err) {
		return
	}
	v := &reviewView{township: t, page: page}
	v.show()
}

func (v *reviewView) show() {
	t, p := v.township, v.page
	left := container.NewVBox()
	if p.State != "" && p.Open.State != review.Signed {
		text := p.State
		if p.Reason != "" {
			text = t.say("colon", text, p.Reason)
		}
		left.Add(look.Banner(text, look.Notice))
	}
	left.Add(v.hints())
	if len(p.Blank) > 0 {
		left.Add(v.blank())
	}
	left.Add(v.differences())
	left.Add(v.photoStrip())
	v.left = scroll(left)

	right := container.NewVBox(v.placeBox(), v.signatures())
	if o := v.others(); o != nil {
		right.Add(o)
	}
	right.Add(v.answers())

	accept := look.Primary(t.say("accept"), theme.ConfirmIcon(), v.accept)
	why := p.WhyNotAccept()
	if why != "" {
		accept.Disable()
	}
	buttons := container.NewGridWithColumns(5, look.Big(t.say("escalate"), theme.MailForwardIcon(), v.escalate), look.Big(t.say("again"), theme.ViewRefreshIcon(), v.secondVisit),
		look.Big(t.say("return"), theme.MailReplyIcon(), v.giveBack), look.Big(t.say("next"), theme.NavigateNextIcon(), v.next), accept)
	foot := fyne.CanvasObject(buttons)
	if why != "" { // what cannot be done says why
		foot = container.NewVBox(look.Caption(why), buttons)
	}
	t.App.show(t.head(p.Title+"　"+p.Under, p.When, t.inboxScreen, v.show, action(t.say("undo"), theme.ContentUndoIcon(), t.undo)),
		look.Split(0.63, 0.6, v.left, scroll(right)), foot)
	t.keysOf(map[fyne.KeyName]func(){
		fyne.KeyJ: func() { v.step(1) }, fyne.KeyDown: func() { v.step(1) }, fyne.KeyK: func() { v.step(-1) }, fyne.KeyUp: func() { v.step(-1) },
		fyne.KeySpace: v.keep, fyne.KeyA: v.accept, fyne.KeyR: v.giveBack, fyne.KeyN: v.next, fyne.KeyP: func() { v.photos(0) },
		fyne.KeyE: v.escalate, fyne.KeyS: v.secondVisit, fyne.KeyU: t.undo,
	}, map[rune]func(){'?': func() { t.help("help_review") }})
}

// hints are what the checks found: things to look at, not verdicts.
func (v *reviewView) hints() fyne.CanvasObject {
	if len(v.page.Hints) == 0 {
		return look.Banner(v.say("no_hints"), look.Done)
	}
	box := container.NewVBox(look.Bold(v.say("hints")))
	for _, h := range v.page.Hints {
		tone, mark := look.Plain, "· "
		if h.Grave {
			tone, mark = look.Notice, "! "
		}
		ground := canvas.NewRectangle(tone.Ground)
		ground.CornerRadius = 6
		text := look.Caption(mark + h.Text)
		text.Importance = widget.MediumImportance
		box.Add(container.NewStack(ground, text))
	}
	return look.Box(box)
}

// blank are the required questions that nobody could answer, each with its reason.
func (v *reviewView) blank() fyne.CanvasObject {
	box := container.NewVBox(look.Bold(v.say("blank", len(v.page.Blank))))
	for _, x := range v.page.Blank {
		box.Add(couple(x.Label, x.Value))
	}
	return look.Box(box)
}

// differences is the table: before, in the registry, this visit, the other visit.
func (v *reviewView) differences() fyne.CanvasObject {
	t, p := v.township, v.page
	beside := len(p.Open.Others) > 0
	shares := []float32{0.25, 0.25, 0.25, 0.25}
	heads := []string{"col_field", "col_was", "col_now", "col_says"}
	if beside {
		shares = []float32{0.24, 0.19, 0.19, 0.19, 0.19}
		heads = append(heads, "col_other")
	}
	row := func(cells ...fyne.CanvasObject) fyne.CanvasObject {
		return container.New(&columns{shares: shares}, cells...)
	}
	var head []fyne.CanvasObject
	for _, h := range heads {
		head = append(head, look.Caption(t.say(h)))
	}
	table := container.NewVBox(look.Bold(t.say("changes", len(p.Lines), p.Same)))
	if len(p.Lines) > 0 {
		table.Add(row(head...))
	}
	v.lines = v.lines[:0]
	for i, l := range p.Lines {
		says := cell(l.Says, true)
		if l.Keeps {
			says = cell(t.say("kept", l.Why), false)
		}
		name := l.Name
		if l.Alarm { // never by colour alone
			name = "! " + name
		}
		cells := []fyne.CanvasObject{look.Caption(name), cell(l.Was, false), cell(l.Now, false), says}
		if beside {
			cells = append(cells, cell(l.Beside, false))
		}
		tile := look.NewTile(row(cells...), func() { v.at = i; v.keep() })
		v.paint(tile, i)
		v.lines = append(v.lines, tile)
		table.Add(tile)
	}
	return look.Box(table)
}

// paint shows a difference as it stands: one that somebody else changed is marked,
// the one that the clerk stands on is framed.
func (v *reviewView) paint(tile *look.Tile, i int) {
	l := v.page.Lines[i]
	tile.Ground = nil
	if l.Alarm {
		tile.Ground = color.Color(look.AlarmBg)
	}
	tile.Chosen = i == v.at
}

func (v *reviewView) step(by int) {
	to := max(0, min(v.at+by, len(v.lines)-1))
	if len(v.lines) == 0 || to == v.at {
		return
	}
	was := v.at
	v.at = to
	for _, i := range []int{was, to} {
		v.paint(v.lines[i], i)
		v.lines[i].Refresh()
	}
	tile := v.lines[to]
	y := fyne.CurrentApp().Driver().AbsolutePositionForObject(tile).Y - fyne.CurrentApp().Driver().AbsolutePositionForObject(v.left.Content).Y
	if y < v.left.Offset.Y || y+tile.Size().Height > v.left.Offset.Y+v.left.Size().Height {
		v.left.Offset.Y = max(0, min(y-60, v.left.Content.Size().Height-v.left.Size().Height))
		v.left.Refresh()
	}
}

// keep leaves the registry's value of the line where the clerk stands, with why; or
// takes the visit's again.
func (v *reviewView) keep() {
	if v.at >= len(v.page.Lines) {
		return
	}
	if v.page.Lines[v.at].Keeps {
		v.page.Toggle(v.at, "")
		v.redrawn()
		return
	}
	v.askText(v.say("keep_title")+"　"+v.page.Lines[v.at].Name, v.say("keep_why"), v.say("ok"), func(why string) {
		if why == "" {
			v.fail(review.ErrNoReason)
			return
		}
		v.page.Toggle(v.at, why)
		v.redrawn()
	})
}

// redrawn draws the screen anew where it stood.
func (v *reviewView) redrawn() {
	offset := v.left.Offset
	v.show()
	v.left.Offset = offset
	v.left.Refresh()
}

func (v *reviewView) photoStrip() fyne.CanvasObject {
	grid := container.New(rowWrap())
	for i, x := range v.page.Photos {
		if x.NoPicture {
			grid.Add(look.Least(180, 60, look.Banner(x.Label, look.Plain)))
			continue
		}
		box := container.NewVBox(v.thumb(x.Digest, 190, 142), caption(clip(x.Label, 12), look.Quiet, false))
		tile := look.NewTile(box, func() { v.photos(i) })
		if x.Hint != "" {
			tile.Ground = color.Color(look.WarnBg)
			box.Add(caption("! "+clip(x.Hint, 12), look.Warn, true))
		}
		grid.Add(tile)
	}
	return container.NewVBox(look.Bold(v.say("photos", len(v.page.Photos))), grid)
}

// clip ends a text in … after so many characters.
func clip(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}

func (v *reviewView) placeBox() fyne.CanvasObject {
	box := []fyne.CanvasObject{look.Bold(v.say("place")), look.Text(v.page.Map.Text)}
	if v.page.Map.Known {
		box = append(box, drawMap(v.page.Map, v.say("north")))
	}
	return look.Box(box...)
}

func (v *reviewView) signatures() fyne.CanvasObject {
	box := container.NewVBox(look.Bold(v.say("signed")))
	for _, s := range v.page.Signed {
		mark, tone := "✓ "+v.say("sign_ok"), look.Done
		if !s.OK {
			mark, tone = "✗ "+s.Why, look.Urgent
		}
		box.Add(container.NewHBox(container.NewCenter(caption(s.Name+"　"+s.When, look.Ink, false)), look.Chip(mark, tone)))
	}
	return look.Box(box)
}

func (v *reviewView) others() fyne.CanvasObject {
	if len(v.page.Others) == 0 {
		return nil
	}
	box := container.NewVBox(look.Bold(v.say("others")))
	for _, o := range v.page.Others {
		tile := look.NewTile(look.Caption(o.Text), func() { v.reviewScreen(o.Visit) })
		if o.Waiting {
			tile.Ground = color.Color(look.AlarmBg)
		}
		box.Add(tile)
	}
	return look.Box(box)
}

func (v *reviewView) answers() fyne.CanvasObject {
	box := container.NewVBox(look.Bold(v.say("answers")))
	for _, g := range v.page.Groups {
		title := g.Title
		if g.Office {
			title += v.say("office_only")
		}
		group := container.NewVBox(look.Bold(title))
		for _, l := range g.Lines {
			group.Add(couple(l.Label, l.Value))
		}
		box.Add(look.Box(group))
	}
	return box
}

func (v *reviewView) accept() {
	if v.page.WhyNotAccept() != "" {
		return
	}
	next := v.inbox.Behind(v.page.Open.Visit.ID)
	if !v.fail(v.page.Accept(v.ctx)) {
		v.goOn(next)
	}
}

// goOn opens the next visit after a decision: the one behind, the first where there is
// none behind, the inbox where nothing is left.
func (v *reviewView) goOn(next uuid.UUID) {
	if v.fail(v.inbox.Load(v.ctx)) {
		return
	}
	if next != uuid.Nil && v.inbox.Go(next) {
		v.reviewScreen(next)
		return
	}
	v.inbox.Move(-len(v.inbox.Shown)) // from the top again, until nothing is left
	if w := v.inbox.Current(); w != nil && w.Visit != v.page.Open.Visit.ID {
		v.reviewScreen(w.Visit)
		return
	}
	v.inboxScreen()
}

func (v *reviewView) next() {
	next := v.inbox.Behind(v.page.Open.Visit.ID)
	if next == uuid.Nil {
		v.inboxScreen()
		return
	}
	v.inbox.Go(next)
	v.reviewScreen(next)
}

func (v *reviewView) escalate() {
	next := v.inbox.Behind(v.page.Open.Visit.ID)
	v.askText(v.say("escalate"), v.say("escalate_why"), v.say("ok"), func(why string) {
		if !v.fail(v.page.Escalate(v.ctx, why)) {
			v.goOn(next)
		}
	})
}

func (v *reviewView) secondVisit() {
	next := v.inbox.Behind(v.page.Open.Visit.ID)
	v.askText(v.say("again"), v.say("again_why"), v.say("ok"), func(why string) {
		if !v.fail(v.page.AskAgain(v.ctx, why)) {
			v.goOn(next)
		}
	})
}

// giveBack asks why a visit is returned: reasons from the list, the questions, words
// of one's own.
func (v *reviewView) giveBack() {
	next := v.inbox.Behind(v.page.Open.Visit.ID)
	whole := v.say("return_whole")
	labels, paths := []string{whole}, map[string]string{whole: ""}
	for _, q := range v.page.Questions() {
		label := q.Value
		for n := 2; paths[label] != "" || label == whole; n++ {
			label = q.Value + " (" + string(rune('0'+n%10)) + ")"
		}
		labels, paths[label] = append(labels, label), q.Label
	}
	reasons, codes := []string{}, map[string]string{}
	for _, r := range clerk.ReturnReasons {
		words := v.say("return_" + r)
		reasons, codes[words] = append(reasons, words), r
	}
	type line struct {
		reason, where *widget.Select
		text          *sheetEntry
	}
	var lines []*line
	rows := container.NewVBox()
	add := func() {
		l := &line{widget.NewSelect(reasons, nil), widget.NewSelect(labels, nil), newSheetEntry()}
		l.reason.PlaceHolder, l.where.PlaceHolder = v.say("reason"), v.say("return_where")
		l.text.SetPlaceHolder(v.say("return_text"))
		lines = append(lines, l)
		rows.Add(look.Box(container.NewGridWithColumns(2, l.reason, l.where), l.text))
	}
	add()
	more := look.Big(v.say("return_add"), theme.ContentAddIcon(), add)
	pop := v.over(v.say("return_title"), container.NewVBox(look.Caption(v.say("return_hint")), rows, container.NewHBox(more)), 760, option{v.say("return_do"), true, func() {
		var remarks []clerk.Remark
		for _, l := range lines {
			remarks = append(remarks, clerk.Remark{Reason: codes[l.reason.Selected], Path: paths[l.where.Selected], Text: l.text.Text})
		}
		if !v.fail(v.page.Return(v.ctx, remarks...)) {
			v.goOn(next)
		}
	}})
	lines[0].text.left = pop.Hide
	v.focus(lines[0].text)
}
