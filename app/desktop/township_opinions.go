package desktop

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/casework/opinion"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/app/desktop/present/clerk"
)

// opinionsScreen lists the cases that wait for the township's opinion, what was given,
// and takes applications.
func (t *township) opinionsScreen() {
	cases, err := t.c.Cases(t.ctx)
	if t.fail(err) {
		return
	}
	given, err := t.c.Opinions(t.ctx)
	if t.fail(err) {
		return
	}
	left := container.NewVBox(look.Bold(t.say("cases", len(cases))))
	for i, x := range cases {
		if i == 100 {
			left.Add(look.Caption(t.say("more", len(cases)-i)))
			break
		}
		what := look.Text(x.Suggested)
		if x.Missing != "" {
			what = look.Text(t.say("colon", x.Suggested, x.Missing))
		}
		var mark fyne.CanvasObject
		if x.Deadline.Text != "" {
			mark = look.Chip(x.Deadline.Text, tone(x.Deadline.Tone))
		}
		left.Add(look.NewTile(container.NewBorder(nil, nil, nil, mark, container.New(look.Tight(), look.Bold(x.Title), what, look.Caption(x.Under))), func() { t.opinionScreen(x) }))
	}
	if len(cases) == 0 {
		left.Add(look.Banner(t.say("cases_none"), look.Done))
	}
	right := container.NewVBox(look.Box(look.Text(t.say("accept_hint")), container.NewHBox(look.Big(t.say("accept_application"), theme.ContentAddIcon(), t.acceptSheet))),
		look.Bold(t.say("opinions", len(given))))
	for i, o := range given {
		if i == 100 {
			right.Add(look.Caption(t.say("more", len(given)-i)))
			break
		}
		right.Add(look.Box(container.NewBorder(nil, nil, nil, container.NewCenter(look.Big(t.say("withdraw"), theme.ContentUndoIcon(), func() {
			t.askText(t.say("withdraw")+"　"+o.Title, t.say("why"), t.say("ok"), func(why string) {
				if !t.fail(t.c.Withdraw(t.ctx, o, why)) {
					t.opinionsScreen()
				}
			})
		})), container.New(look.Tight(), look.Bold(o.Title+"　"+o.Text), look.Caption(o.Under)))))
	}
	t.show(t.head(t.say("opinion"), t.say("opinion_hint"), t.noticesScreen, t.opinionsScreen), look.Split(0.55, 0.55, scroll(left), scroll(right)))
	if len(cases) > 0 {
		open := func() { t.opinionScreen(cases[0]) }
		t.keysOf(map[fyne.KeyName]func(){fyne.KeyReturn: open, fyne.KeyEnter: open}, nil)
	}
}

// opinionScreen shows what the rules suggest with every comparison, and takes the
// opinion of the person who looks at it.
func (t *township) opinionScreen(x clerk.Case) {
	trace := container.New(look.Tighter())
	for _, l := range t.c.Trace(x) {
		trace.Add(look.Caption(l))
	}
	labels, codes := []string{}, map[string]string{}
	for _, code := range clerk.Categories {
		label := t.c.Category(code)
		labels, codes[label] = append(labels, label), code
	}
	category, amount, reason := widget.NewSelect(labels, nil), newSheetEntry(), newSheetEntry()
	category.PlaceHolder = t.say("opinion_category")
	amount.SetPlaceHolder(t.say("opinion_amount"))
	reason.SetPlaceHolder(t.say("opinion_reason"))
	give := func(category, yuan, why string) {
		if !t.fail(t.c.Opine(t.ctx, x, category, yuan, why)) {
			t.opinionsScreen()
		}
	}
	box := container.NewVBox(look.Caption(t.say("opinion_suggested")), look.Title(x.Suggested))
	agree := look.Primary(t.say("opinion_agree"), theme.ConfirmIcon(), func() { give("", "", "") })
	if x.Missing != "" { // nobody can say anything on a blank
		box.Add(look.Banner(t.say("opinion_missing", x.Missing), look.Notice))
		agree.Disable()
	}
	if x.Opinion != nil {
		box.Add(look.Text(t.say("opinion_withdrawn", x.Opinion.Reason)))
	}
	other := look.Box(look.Bold(t.say("opinion_other")), category, amount, reason, container.NewHBox(look.Big(t.say("opinion_give"), theme.DocumentCreateIcon(), func() {
		code := codes[category.Selected]
		if code == "" {
			t.tell(t.say("opinion_other"), t.say("opinion_category"))
			return
		}
		give(code, amount.Text, reason.Text)
	})))
	t.show(t.head(x.Title, x.Under, t.opinionsScreen, func() { t.opinionScreen(x) }), look.Split(0.6, 0.6, scroll(look.Box(trace)), scroll(container.NewVBox(look.Box(box), other))),
		container.NewGridWithColumns(2, look.Big(t.say("opinion_visit"), theme.DocumentIcon(), func() { t.reviewScreen(x.Visit.ID) }), agree))
	t.keysOf(map[fyne.KeyName]func(){fyne.KeyA: func() {
		if x.Missing == "" {
			give("", "", "")
		}
	}}, nil)
}

// acceptSheet finds the household whose application is accepted.
func (t *township) acceptSheet() {
	found := container.NewVBox()
	search := newSheetEntry()
	search.SetPlaceHolder(t.say("accept_find"))
	var pop *widget.PopUp
	search.OnChanged = func(text string) {
		found.Objects = nil
		hits, err := t.session.Find(t.ctx, text)
		if err != nil {
			return
		}
		for _, f := range hits[:min(6, len(hits))] {
			found.Add(look.NewTile(container.New(look.Tight(), look.Bold(f.Name), look.Caption(f.Address)), func() { pop.Hide(); t.acceptFor(f) }))
		}
		found.Refresh()
	}
	pop = t.over(t.say("accept_application"), container.NewVBox(search, found), 620)
	size := t.win.Canvas().Size()
	pop.Resize(fyne.NewSize(min(620, size.Width-24), min(680, size.Height-40))) // room for who is found
	search.left = pop.Hide
	t.focus(search)
}

func (t *township) acceptFor(f present.Found) {
	var labels, titles []string
	codes, ids := map[string]string{}, map[string]string{}
	for _, code := range opinion.Procedures {
		label := t.c.Category(code)
		labels, codes[label] = append(labels, label), code
	}
	list, err := t.session.Forms(t.ctx)
	if t.fail(err) {
		return
	}
	for _, x := range list {
		titles, ids[x.Title] = append(titles, x.Title), x.ID
	}
	procedure, form, day := widget.NewSelect(labels, nil), widget.NewSelect(titles, nil), newSheetEntry()
	procedure.SetSelected(labels[0])
	if len(titles) > 0 {
		form.SetSelected(titles[0])
	}
	day.SetText(t.c.Today())
	pop := t.over(t.say("accept_application")+"　"+f.Name, container.NewVBox(look.Caption(t.say("accept_what")), procedure, look.Caption(t.say("accept_day")), day, look.Caption(t.say("accept_form")), form), 560,
		option{t.say("ok"), true, func() {
			task, err := t.c.AcceptApplication(t.ctx, f.Household, codes[procedure.Selected], day.Text, ids[form.Selected])
			if t.fail(err) {
				return
			}
			t.opinionsScreen()
			t.tell(t.say("accept_application"), t.say("accept_done", f.Name, task.Due))
		}})
	day.left = pop.Hide
}
