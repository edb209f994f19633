package desktop

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/casework/review"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present/clerk"
	"ironfeet/store"
)

// conflictsScreen shows every field that two people set differently, with where each
// value came from, until one decides.
func (t *township) conflictsScreen() {
	list, err := t.c.Disputes(t.ctx)
	if t.fail(err) {
		return
	}
	rows := container.NewVBox(look.Caption(t.say("disputes_hint")))
	for i, d := range list {
		rows.Add(t.dispute(d, i == 0))
	}
	if len(list) == 0 {
		rows.Add(look.Banner(t.say("disputes_none"), look.Done))
	}
	t.show(t.head(t.say("conflicts"), "", t.inboxScreen, t.conflictsScreen), look.Middle(1100, scroll(rows)))
	if len(list) > 0 {
		first := list[0]
		keys := map[fyne.KeyName]func(){}
		for i, s := range first.Sides[:min(len(first.Sides), 9)] {
			keys[fyne.KeyName('1'+rune(i))] = func() { t.settle(first, s.Raw) }
		}
		t.keysOf(keys, nil)
	}
}

// dispute is one field; the first one's sides can be chosen by their number.
func (t *township) dispute(d clerk.Dispute, first bool) fyne.CanvasObject {
	sides := container.NewGridWithColumns(len(d.Sides))
	for i, s := range d.Sides {
		value := look.Bold(s.Value)
		content := fyne.CanvasObject(value)
		if first && i < 9 {
			content = container.NewBorder(nil, nil, nil, look.Chip(string('1'+rune(i)), look.Plain), value)
		}
		sides.Add(look.NewTile(container.New(look.Tight(), content, look.Caption(s.Under)), func() { t.settle(d, s.Raw) }))
	}
	past := container.NewVBox()
	for _, s := range d.Past {
		mark := "　"
		if s.Stands {
			mark = "● "
		}
		past.Add(container.New(&columns{shares: []float32{0.35, 0.65}}, look.Text(mark+s.Value), look.Caption(s.Under)))
	}
	history := widget.NewAccordion(widget.NewAccordionItem(t.say("history"), past))
	return look.Box(look.Bold(d.Title), sides, history)
}

// settle asks for the reason, which may be empty, and decides.
func (t *township) settle(d clerk.Dispute, value store.Value) {
	t.askText(d.Title+"　"+t.say("colon", t.say("choose"), t.c.Words(d.Field, value.Show())), t.say("settle_why"), t.say("ok"), func(why string) {
		if !t.fail(t.c.Settle(t.ctx, d, value, why)) {
			t.conflictsScreen()
		}
	})
}

// duplicatesScreen shows what may stand in the registry twice, side by side.
func (t *township) duplicatesScreen() {
	list, err := t.c.Doubles(t.ctx)
	if t.fail(err) {
		return
	}
	merges, err := t.c.Merges(t.ctx)
	if t.fail(err) {
		return
	}
	rows := container.NewVBox(look.Caption(t.say("doubles_hint")))
	for _, d := range list {
		tile := look.NewTile(container.New(&columns{shares: []float32{0.16, 0.3, 0.27, 0.27}},
			look.Bold(d.Title), look.Caption(t.say("double_"+string(d.Kind))+"　"+d.Why), look.Caption(d.Heads[0]), look.Caption(d.Heads[1])), func() { t.doubleScreen(d) })
		rows.Add(tile)
	}
	if len(list) == 0 {
		rows.Add(look.Banner(t.say("doubles_none"), look.Done))
	}
	if len(merges) > 0 {
		rows.Add(look.Bold(t.say("merges")))
	}
	for _, m := range merges {
		rows.Add(container.NewBorder(nil, nil, nil, look.Big(t.say("unmerge"), theme.ContentUndoIcon(), func() {
			t.askText(t.say("unmerge")+"　"+m.Text, t.say("why"), t.say("ok"), func(why string) {
				if !t.fail(t.c.Unmerge(t.ctx, m, why)) {
					t.duplicatesScreen()
				}
			})
		}), look.Caption(m.Text)))
	}
	t.show(t.head(t.say("duplicates"), "", t.inboxScreen, t.duplicatesScreen), look.Middle(1200, scroll(rows)))
	if len(list) > 0 {
		open := func() { t.doubleScreen(list[0]) }
		t.keysOf(map[fyne.KeyName]func(){fyne.KeyReturn: open, fyne.KeyEnter: open}, nil)
	}
}

// doubleScreen lays the two side by side, field by field.
func (t *township) doubleScreen(d clerk.Double) {
	take := map[string]bool{} // fields whose value is taken from the one that goes
	rows := container.NewVBox()
	shares := []float32{0.24, 0.38, 0.38}
	names := func(list []string) string { return t.say("members", t.c.List(list)) }
	rows.Add(container.New(&columns{shares: shares}, look.Caption(d.Why), look.Bold(d.Heads[0]), look.Bold(d.Heads[1])))
	rows.Add(container.New(&columns{shares: shares}, look.Caption(""), look.Caption(names(d.Members[0])), look.Caption(names(d.Members[1]))))
	rows.Add(look.Caption(t.say("merge_take")))
	for _, l := range d.Lines {
		var tile *look.Tile
		tile = look.NewTile(container.New(&columns{shares: shares}, look.Caption(l.Label), cell(l.A, false), cell(l.B, false)), func() {
			if l.Differs {
				take[l.Field] = !take[l.Field]
				tile.Chosen = take[l.Field]
				tile.Refresh()
			}
		})
		if l.Differs && l.A != "—" && l.B != "—" {
			tile.Ground = color.Color(look.WarnBg)
		}
		rows.Add(tile)
	}
	merge := func(keepB bool, title string) func() {
		return func() {
			t.askText(title, t.say("why"), t.say("merge"), func(why string) {
				var fields []string
				for f, on := range take {
					if on {
						fields = append(fields, f)
					}
				}
				if !t.fail(t.c.Merge(t.ctx, d, keepB, fields, why)) {
					t.duplicatesScreen()
				}
			})
		}
	}
	apart := func() {
		t.askText(t.say("apart"), t.say("why"), t.say("ok"), func(why string) {
			if why == "" {
				t.fail(review.ErrNoReason)
				return
			}
			if !t.fail(t.c.Apart(t.ctx, d, why)) {
				t.duplicatesScreen()
			}
		})
	}
	t.show(t.head(t.say("double_"+string(d.Kind))+"　"+d.Title, "", t.duplicatesScreen, func() { t.doubleScreen(d) }), look.Middle(1100, scroll(rows)),
		container.NewGridWithColumns(3, look.Big(t.say("apart"), theme.CancelIcon(), apart),
			look.Primary(t.say("merge_keep_a"), theme.NavigateBackIcon(), merge(false, t.say("merge_keep_a"))), look.Primary(t.say("merge_keep_b"), theme.NavigateNextIcon(), merge(true, t.say("merge_keep_b")))))
}
