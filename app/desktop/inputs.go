package desktop

import (
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/mobile"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/forms"
)

// A fieldEntry asks a tablet for the keys that fit, and says that somebody is
// there.
type fieldEntry struct {
	widget.Entry
	numeric bool
}

// entry makes a place to type.
func (a *App) entry(numeric bool) *fieldEntry {
	e := &fieldEntry{numeric: numeric}
	e.ExtendBaseWidget(e)
	e.Wrapping = fyne.TextWrapOff
	e.Scroll = container.ScrollHorizontalOnly
	return e
}

// Keyboard is the keyboard that a tablet shows.
func (e *fieldEntry) Keyboard() mobile.KeyboardType {
	if e.numeric {
		return mobile.NumberKeyboard
	}
	if e.MultiLine {
		return mobile.DefaultKeyboard
	}
	return mobile.SingleLineKeyboard
}

// TypedRune notes that somebody is there.
func (e *fieldEntry) TypedRune(r rune) {
	look.Touched()
	e.Entry.TypedRune(r)
}

// hold binds an entry to the question: what is typed is the answer, and an answer
// from elsewhere shows in it.
func (q *question) hold(e *fieldEntry, clean func(string) string) {
	own := false
	e.OnChanged = func(text string) {
		if own {
			return
		}
		q.view.answer(q.node.Path, clean(text))
	}
	q.refresh = func(n forms.Node) {
		if clean(e.Text) == n.Value {
			return
		}
		own = true
		e.SetText(n.Value)
		own = false
	}
	if q.node.ReadOnly {
		e.Disable()
	}
}

func asTyped(s string) string { return s }

// typed is an answer that is typed; numbers bring the number keys up.
func (q *question) typed(n forms.Node) fyne.CanvasObject {
	numeric := n.Type == "integer" || n.Type == "decimal" || q.kind == present.KindDigits
	e := q.view.app.entry(numeric)
	if q.kind == present.KindLong {
		e.MultiLine, e.Wrapping, e.Scroll = true, fyne.TextWrapBreak, container.ScrollVerticalOnly
		e.SetMinRowsVisible(3)
	}
	e.Password = present.Masked(n)
	clean := asTyped
	if n.Type == "decimal" || n.Type == "integer" {
		clean = present.CleanNumber
	}
	if present.IsIdentity(q.view.fill.Visit, n) {
		clean = present.CleanIdentity
	}
	q.hold(e, clean)
	if numeric || present.IsIdentity(q.view.fill.Visit, n) {
		return q.withPad(e, n)
	}
	return e
}

// withPad puts the way to the large number keys beside an entry.
func (q *question) withPad(e *fieldEntry, n forms.Node) fyne.CanvasObject {
	if fyne.CurrentDevice().IsMobile() || n.ReadOnly {
		return e // the tablet's own keys come up
	}
	button := look.Big("123", theme.GridIcon(), func() {
		q.view.app.numberPad(firstNonEmpty(n.Label, n.Name), e.Text, present.PadKeys(n), func(s string) { e.SetText(s) })
	})
	if q.view.app.class == narrow {
		button.SetText("")
	}
	return container.NewBorder(nil, nil, nil, button, e)
}

// numberPad is a pad of keys as large as a thumb in a glove.
func (a *App) numberPad(title, value, keys string, take func(string)) {
	shown := look.Title(firstNonEmpty(value, " "))
	grid := container.New(look.Equal(3))
	set := func(s string) {
		value = s
		shown.Text = firstNonEmpty(s, " ")
		shown.Refresh()
	}
	for _, k := range keys {
		key := string(k)
		text := look.Title(key)
		grid.Add(look.Least(80, 64, look.NewTile(container.NewCenter(text), func() {
			if key == "⌫" {
				if r := []rune(value); len(r) > 0 {
					set(string(r[:len(r)-1]))
				}
				return
			}
			if len(value) < 24 {
				set(value + key)
			}
		})))
	}
	a.sheet(title, container.NewVBox(container.NewCenter(shown), grid), choice{a.t("ready"), true, func() { take(value) }})
}

// steps is a whole number with one less and one more beside it.
func (q *question) steps(n forms.Node) fyne.CanvasObject {
	e := q.view.app.entry(true)
	q.hold(e, present.CleanNumber)
	if n.ReadOnly {
		return e
	}
	key := func(label string, by int) fyne.CanvasObject {
		text := look.Title(label)
		return look.Least(56, 48, look.NewTile(container.NewCenter(text), func() { e.SetText(present.Step(e.Text, by)) }))
	}
	return container.NewBorder(nil, nil, key("−", -1), key("＋", 1), q.withPad(e, n))
}

// slider is a number within bounds.
func (q *question) slider(n forms.Node) fyne.CanvasObject {
	scale := present.ScaleOf(n)
	s := widget.NewSlider(scale.From, scale.To)
	s.Step = scale.Step
	said := look.Title("—")
	own := false
	s.OnChanged = func(f float64) {
		said.Text = scale.Format(f)
		said.Refresh()
	}
	s.OnChangeEnded = func(f float64) {
		if !own {
			q.view.answer(q.node.Path, scale.Format(f))
		}
	}
	q.refresh = func(n forms.Node) {
		said.Text = firstNonEmpty(n.Value, "—")
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && f != s.Value {
			own = true
			s.SetValue(f)
			own = false
		}
		said.Refresh()
	}
	ends := container.NewBorder(nil, nil, look.Small(scale.Format(scale.From)), look.Small(scale.Format(scale.To)), container.NewCenter(said))
	return container.NewVBox(ends, look.Least(120, 52, s))
}

// moment is a date, a month, a year, a time: a field for each part, so that no
// calendar has to be turned back for seventy years.
func (q *question) moment(n forms.Node) fyne.CanvasObject {
	a := q.view.app
	parts := present.PartsOf(q.kind)
	entries := make([]*fieldEntry, len(parts))
	own := false
	answer := func(string) {
		if own {
			return
		}
		texts := make([]string, len(entries))
		for i, e := range entries {
			texts[i] = strings.TrimSpace(e.Text)
		}
		if value, whole := present.Assemble(q.kind, texts); whole {
			q.view.answer(q.node.Path, value)
		}
	}
	row := container.New(rowWrap())
	for i, p := range parts {
		e := a.entry(true)
		e.SetPlaceHolder(p.Example)
		e.OnChanged = answer
		if n.ReadOnly {
			e.Disable()
		}
		entries[i] = e
		w := a.settings.Text * float32(len(p.Example)) * 0.62
		row.Add(container.NewHBox(look.Least(w+2*theme.Size(theme.SizeNameInnerPadding)+8, 48, e), container.NewCenter(look.Small(a.t("part_"+p.Name)))))
	}
	if !n.ReadOnly {
		label := a.t("today_date")
		if q.kind == present.KindTime || q.kind == present.KindDateTime {
			label = a.t("now_time")
		}
		row.Add(look.Big(label, nil, func() { q.view.answer(q.node.Path, present.Moment(q.kind, a.options.World.Now())) }))
	}
	q.refresh = func(n forms.Node) {
		texts := present.Disassemble(q.kind, n.Value)
		now := make([]string, len(entries))
		for i, e := range entries {
			now[i] = strings.TrimSpace(e.Text)
		}
		if value, whole := present.Assemble(q.kind, now); whole && value == n.Value || n.Value == "" && !whole {
			return // also while it is being typed
		}
		own = true
		for i, e := range entries {
			if e.Text != texts[i] {
				e.SetText(texts[i])
			}
		}
		own = false
	}
	return row
}
