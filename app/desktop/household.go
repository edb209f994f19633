package desktop

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"github.com/google/uuid"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
)

// householdScreen shows a family before the door: who lives there, what was seen
// last time, what became of earlier visits.
func (a *App) householdScreen(id uuid.UUID, back func()) { a.household(id, back, false) }

func (a *App) household(id uuid.UUID, back func(), unmasked bool) {
	a.resume = nil
	if unmasked && a.fail(a.session.Note(a.ctx, present.Revealed, id, "numbers")) {
		return
	}
	h, err := a.session.Household(a.ctx, id, unmasked)
	if a.fail(err) {
		return
	}
	a.class = a.widthNow()
	left := container.NewVBox(container.New(look.Tight(), look.Head(h.Name), look.Text(h.Address)))
	if h.Asked {
		line, tone := a.due(daysOf(a, h.Task.Due))
		why := container.New(look.Tight(), container.NewBorder(nil, nil, nil, look.Chip(line, tone), look.Bold(a.t("why"))), look.Text(h.Task.Reason))
		if h.Task.Returned != "" {
			why.Add(look.Banner(a.t("returned_why", h.Task.Returned), look.Urgent))
		}
		left.Add(look.Box(why))
	}
	if h.Conflicts > 0 {
		left.Add(look.Banner(a.t("n_conflicts", h.Conflicts), look.Notice))
	}
	facts := container.New(look.Tight(), pair(a.t("phone"), h.Phone), pair(a.t("aid"), h.Aid), pair(a.t("last_visit"), h.LastSeen))
	for _, f := range h.Facts {
		value := f.Value
		if f.Since != "" {
			value += "\n" + a.t("since", f.Since)
		}
		facts.Add(pair(f.Label, value))
	}
	known := []fyne.CanvasObject{look.Bold(a.t("known")), facts}
	if !unmasked {
		known = append(known, look.Big(a.t("reveal"), theme.VisibilityIcon(), func() { a.household(id, back, true) }))
	}
	left.Add(look.Box(known...))

	right := container.NewVBox(look.Sub(a.t("n_members", len(h.Members))))
	for _, m := range h.Members {
		about := m.Relation + " · " + m.Sex
		if m.HasAge {
			about += " · " + a.t("years", m.Age)
		}
		chip := fyne.CanvasObject(container.NewHBox())
		if !m.Counted {
			chip = look.Chip(a.t("not_counted"), look.Plain)
		}
		right.Add(look.Box(container.NewBorder(nil, nil, nil, chip, container.New(look.Tight(), look.Bold(m.Name+"　"+about), look.Caption(m.Number+" · "+m.Health)))))
	}
	right.Add(look.Sub(a.t("history")))
	if len(h.History) == 0 {
		right.Add(look.Caption(a.t("no_history")))
	}
	for _, v := range h.History {
		text, tone := a.state(v)
		inside := []fyne.CanvasObject{container.NewBorder(nil, nil, nil, look.Chip(text, tone), look.Bold(v.Day+"　"+v.Outcome))}
		if v.Reason != "" {
			inside = append(inside, look.Text(v.Reason))
		}
		right.Add(look.Box(inside...))
	}
	var foot []fyne.CanvasObject
	if a.session.Role == "worker" {
		label, act := a.t("start"), func() { a.start(h.Task, id) }
		if h.Draft != uuid.Nil {
			label, act = a.t("go_on_short"), func() { a.resumeDraft(h.Draft) }
		}
		nobody := look.Big(a.t("nobody"), theme.CancelIcon(), func() { a.nobodySheet(h) })
		if a.class == narrow {
			foot = append(foot, container.NewGridWithColumns(2, nobody, look.Primary(label, nil, act)))
		} else {
			foot = append(foot, container.NewBorder(nil, nil, nobody, look.Primary(label, theme.NavigateNextIcon(), act)))
		}
	}
	body := fyne.CanvasObject(look.Split(0.42, 0.5, scroll(left), scroll(right)))
	if a.class != wide {
		body = scroll(container.NewVBox(left, right))
	}
	a.show(header{title: a.t("household"), under: h.Name + " · " + h.Village, back: back, again: func() { a.household(id, back, unmasked) }}, body, foot...)
}

// nobodySheet records in a second tap that nobody was met, and how.
func (a *App) nobodySheet(h *present.Household) {
	box := container.New(look.Equal(1))
	var shut func()
	for _, outcome := range present.NotMet {
		box.Add(look.Choice(a.t("outcome_"+outcome), false, func() {
			shut()
			a.nobody(h, outcome)
		}))
	}
	shut = a.pick(a.t("nobody_title"), box)
}

func (a *App) nobody(h *present.Household, outcome string) {
	t := h.Task
	if !h.Asked {
		list, err := a.session.Forms(a.ctx)
		if a.fail(err) {
			return
		}
		t = tasks.Task{Household: h.ID, Form: present.NewFound(nil, list).Form.ID}
	}
	v, err := a.session.Nobody(a.ctx, t, outcome)
	if a.fail(err) {
		return
	}
	a.visitAt(v, "", true)
	note := a.session.LeaveNote(v)
	a.sheet(a.t("leave_note_title"), container.NewVBox(look.Caption(a.t("leave_note_hint")), look.Banner(note, look.Calm)),
		choice{a.t("leave_note_copy"), true, func() { a.app.Clipboard().SetContent(note) }})
}

func daysOf(a *App, due string) (int, bool) { return a.session.DaysUntil(due) }

// state says what became of a visit.
func (a *App) state(v present.Past) (string, look.Tone) {
	switch v.State {
	case "accepted":
		return a.t("state_accepted"), look.Done
	case "returned":
		return a.t("state_returned"), look.Urgent
	}
	return a.t("state_signed"), look.Calm
}

// start begins the visit that a task asks for. Without a task the investigators
// found something themselves and choose the form.
func (a *App) start(t tasks.Task, household uuid.UUID) {
	if t.ID != uuid.Nil {
		a.begin(t)
		return
	}
	list, err := a.session.Forms(a.ctx)
	if a.fail(err) {
		return
	}
	if len(list) == 1 {
		a.begin(tasks.Task{Household: household, Form: list[0].ID})
		return
	}
	box := container.NewVBox()
	var shut func()
	for _, f := range list {
		box.Add(look.NewTile(look.Bold(f.Title), func() {
			shut()
			a.begin(tasks.Task{Household: household, Form: f.ID})
		}))
	}
	shut = a.pick(a.t("which_form"), box)
}

func (a *App) begin(t tasks.Task) {
	v, err := a.session.Desk().Start(a.ctx, t)
	if a.fail(err) {
		return
	}
	a.visitScreen(v)
}

func (a *App) resumeDraft(draft uuid.UUID) {
	v, err := a.session.Desk().Resume(a.ctx, draft)
	if a.fail(err) {
		return
	}
	a.visitScreen(v)
}
