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

	"ironfeet/app/casework/notice"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present/clerk"
	"ironfeet/app/export/posting"
	"ironfeet/store"
)

// noticesScreen lists what is to be posted and what was.
func (t *township) noticesScreen() {
	sheets, pending, err := t.c.Sheets(t.ctx)
	if t.fail(err) {
		return
	}
	cases, err := t.c.Cases(t.ctx)
	if t.fail(err) {
		return
	}
	left := container.NewVBox(look.NewTile(container.NewBorder(nil, nil, nil, widget.NewIcon(theme.NavigateNextIcon()),
		container.New(look.Tight(), look.Bold(t.say("opinion")), look.Caption(t.say("cases", len(cases))))), t.opinionsScreen), look.Bold(t.say("notice_pending")))
	for _, d := range pending {
		box := container.NewVBox(look.Text(t.say("notice_pending_line", t.c.DraftTitle(d), len(d.Rows))))
		if d.MinorsLeftOut > 0 {
			box.Add(look.Caption(t.say("notice_minors", d.MinorsLeftOut)))
		}
		if len(d.Rows) > 0 {
			box.Add(container.NewHBox(look.Primary(t.say("notice_make"), theme.DocumentCreateIcon(), func() {
				id, err := t.c.MakeSheet(t.ctx, d)
				if !t.fail(err) {
					t.sheetScreen(id)
				}
			})))
		}
		left.Add(look.Box(box))
	}
	if len(pending) == 0 {
		left.Add(look.Banner(t.say("notice_none"), look.Done))
	}
	right := container.NewVBox(look.Bold(t.say("notice_sheets")))
	for _, s := range sheets {
		right.Add(look.NewTile(container.NewBorder(nil, nil, nil, look.Chip(s.State, tone(s.Tone)),
			container.NewVBox(look.Bold(s.Title), look.Caption(s.Days+"　"+s.Place))), func() { t.sheetScreen(s.ID) }))
	}
	t.show(t.head(t.say("notices"), "", t.inboxScreen, t.noticesScreen), look.Split(0.45, 0.45, scroll(left), scroll(right)))
}

// sheetScreen shows one sheet: its rows, its photographs, what was said against it.
func (t *township) sheetScreen(id uuid.UUID) {
	s, err := t.c.Sheet(t.ctx, id)
	if t.fail(err) {
		return
	}
	again := func() { t.sheetScreen(id) }
	shares := []float32{0.08, 0.24, 0.18, 0.28, 0.22}
	rows := container.NewVBox(container.NewCenter(look.Title(s.Title)))
	line := func(cells []string, bold bool, tapped func()) {
		row := sheetRow(shares, cells, bold)
		if s.Sheet.State != notice.Posted {
			rows.Add(row)
			return
		}
		button := look.Big(t.say("notice_object"), theme.WarningIcon(), tapped)
		at := fyne.CanvasObject(button)
		if tapped == nil { // the heads stand above their columns
			at = look.Least(button.MinSize().Width, 0, canvas.NewRectangle(color.Transparent))
		}
		rows.Add(container.NewBorder(nil, nil, nil, at, row))
	}
	line(posting.Heads, true, nil)
	for i, cells := range posting.Rows(&s.Sheet) {
		line(cells, false, func() { t.object(s, s.Rows[i], again) })
	}
	right := container.NewVBox(container.NewHBox(look.Chip(s.State, tone(s.Tone))), look.Text(s.Days), look.Text(s.Place))
	if s.Reason != "" {
		right.Add(look.Caption(s.Reason))
	}
	pictures := container.New(rowWrap())
	for _, p := range []struct {
		key    string
		digest store.Digest
	}{{"notice_first", s.First}, {"notice_last", s.Sheet.Last}} {
		if p.digest != (store.Digest{}) {
			pictures.Add(container.NewVBox(t.thumb(p.digest, 200, 150), caption(t.say(p.key), look.Quiet, false)))
		}
	}
	right.Add(pictures)
	for _, o := range s.Objections {
		box := container.New(look.Tight(), look.Bold(o.Name+"　"+o.On), look.Text(o.Text))
		if o.Who != "" {
			box.Add(look.Caption(o.Who))
		}
		box.Add(look.Caption(t.say("notice_task", o.Due)))
		if o.Outcome != "" {
			box.Add(look.Text(t.say("colon", t.say("notice_"+o.Outcome), o.Answer)))
		} else {
			for _, outcome := range []string{notice.Upheld, notice.Dismissed} {
				box.Add(look.Big(t.say("notice_"+outcome), nil, func() {
					t.askText(t.say("notice_"+outcome), t.say("why"), t.say("ok"), func(why string) {
						if !t.fail(t.c.AnswerObjection(t.ctx, s, o, outcome, why)) {
							again()
						}
					})
				}))
			}
		}
		right.Add(look.Box(box))
	}
	buttons := container.NewHBox(look.Big(t.say("notice_print"), theme.DocumentPrintIcon(), func() {
		t.pickFolder(func(dir string) {
			paths, err := t.c.Print(t.ctx, s, dir)
			if !t.fail(err) {
				t.tell(t.say("notice_printed"), fmt.Sprint(paths))
			}
		})
	}))
	switch s.Sheet.State {
	case notice.Draft:
		buttons.Add(look.Primary(t.say("notice_post"), theme.UploadIcon(), func() { t.post(s, again) }))
	case notice.Posted:
		buttons.Add(look.Primary(t.say("notice_close"), theme.ConfirmIcon(), func() {
			t.pickFile(func(path string) {
				if !t.fail(t.c.CloseSheet(t.ctx, s, path)) {
					again()
				}
			}, ".jpg", ".jpeg", ".png")
		}))
	}
	if s.Sheet.State == notice.Draft || s.Sheet.State == notice.Posted {
		buttons.Add(look.Big(t.say("notice_cancel"), theme.DeleteIcon(), func() {
			t.askText(t.say("notice_cancel"), t.say("why"), t.say("ok"), func(why string) {
				if !t.fail(t.c.CancelSheet(t.ctx, s, why)) {
					again()
				}
			})
		}))
	}
	t.show(t.head(s.Title, s.Days, t.noticesScreen, again), look.Split(0.6, 0.6, scroll(container.NewVBox(look.Box(rows))), scroll(right)), buttons)
}

// sheetRow is a row as the village reads it: words on the left, numbers on the right
// of their column.
func sheetRow(shares []float32, cells []string, bold bool) fyne.CanvasObject {
	var objects []fyne.CanvasObject
	for i, text := range cells {
		c := cell(text, bold)
		if i == 2 || i == 3 {
			c.Alignment = fyne.TextAlignTrailing
		}
		objects = append(objects, c)
	}
	return container.New(&columns{shares: shares}, objects...)
}

// post asks where the sheet hangs and for the photograph.
func (t *township) post(s clerk.Sheet, then func()) {
	until, err := t.c.PostingEnds(t.ctx, s.Procedure)
	if t.fail(err) {
		return
	}
	place := widget.NewEntry()
	place.SetPlaceHolder(t.say("notice_place"))
	t.over(t.say("notice_post"), container.NewVBox(look.Text(t.say("notice_post_hint", until)), place), 560, option{t.say("notice_photo"), true, func() {
		t.pickFile(func(path string) {
			if !t.fail(t.c.Post(t.ctx, s, place.Text, path)) {
				then()
			}
		}, ".jpg", ".jpeg", ".png")
	}})
	t.focus(place)
}

// object records what was said against a row.
func (t *township) object(s clerk.Sheet, r notice.Row, then func()) {
	who, what := widget.NewEntry(), widget.NewMultiLineEntry()
	who.SetPlaceHolder(t.say("notice_who"))
	what.SetPlaceHolder(t.say("notice_what"))
	what.Wrapping = fyne.TextWrapBreak
	t.over(t.say("notice_object")+"　"+r.Name, container.NewVBox(what, who), 560, option{t.say("ok"), true, func() {
		if !t.fail(t.c.Object(t.ctx, s, r.Household, who.Text, what.Text)) {
			then()
		}
	}})
	t.focus(what)
}
