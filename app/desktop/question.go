package desktop

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/driver/mobile"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/assets/yunqi"
	"ironfeet/forms"
)

func rowWrap() fyne.Layout { return layout.NewRowWrapLayoutWithCustomPadding(8, 8) }

// A question is one question on the screen: label, hint, what was said last time,
// the answer, and what is wrong with it.
type question struct {
	view  *visitView
	node  forms.Node
	box   fyne.CanvasObject
	inner *fyne.Container

	label, hint, message *widget.Label
	last                 *fyne.Container
	input                *fyne.Container
	entry                *widget.Entry // of typed answers
	drawn                string        // what the input was drawn for
	ground               *canvas.Rectangle
}

func newQuestion(x *visitView, n forms.Node) *question {
	q := &question{view: x, node: n, label: look.Bold(""), hint: look.Caption(""), message: look.Text(""), last: container.NewVBox(), input: container.NewVBox()}
	q.message.Importance = widget.DangerImportance
	indent := func(o fyne.CanvasObject) fyne.CanvasObject {
		return container.New(layout.NewCustomPaddedLayout(0, 0, theme.Size(theme.SizeNameInnerPadding)-2, 0), o)
	}
	q.inner = container.NewVBox(q.label, q.hint, indent(q.last), indent(q.input), q.message)
	q.ground = canvas.NewRectangle(look.Card)
	q.ground.CornerRadius, q.ground.StrokeColor, q.ground.StrokeWidth = 12, look.Line, 1
	q.box = container.NewStack(q.ground, container.New(layout.NewCustomPaddedLayout(8, 10, 12, 12), q.inner))
	return q
}

// show brings the question up to date.
func (q *question) show(n forms.Node) {
	q.node = n
	label := n.Label
	if n.Required {
		label += " *"
	}
	setText(q.label, label)
	setText(q.hint, n.Hint)
	visible(q.hint, n.Hint != "")
	q.showLast(n)
	wrong := !n.Valid && (q.view.strict || q.view.touched[n.Path])
	setText(q.message, q.wrong(n))
	visible(q.message, wrong)
	q.ground.StrokeColor, q.ground.StrokeWidth = color.Color(look.Line), 1
	if wrong {
		q.ground.StrokeColor, q.ground.StrokeWidth = look.Alarm, 2
	}
	q.ground.Refresh()
	q.showInput(n)
}

func setText(l *widget.Label, s string) {
	if l.Text != s {
		l.SetText(s)
	}
}

func visible(o fyne.CanvasObject, yes bool) {
	if yes {
		o.Show()
	} else {
		o.Hide()
	}
}

// wrong says what is the matter with an answer: the author's words, else ours.
func (q *question) wrong(n forms.Node) string {
	if n.Code == "answer.constraint" && n.Message != "" {
		return n.Message
	}
	if n.Code != "" {
		return q.view.app.t(n.Code)
	}
	return n.Message
}

// showLast offers the value of last time, to be confirmed by a tap, never taken
// over in silence.
func (q *question) showLast(n forms.Node) {
	q.last.RemoveAll()
	if n.Last == "" || n.Value != "" || n.ReadOnly {
		q.last.Hide()
		return
	}
	words := present.Words(n, n.Last)
	q.last.Add(container.NewHBox(look.Big(q.view.app.t("last", words), theme.HistoryIcon(), func() {
		q.view.touched[n.Path] = true
		if _, err := q.view.visit.Confirm(q.view.app.ctx, n.Path); !q.view.app.fail(err) {
			q.drawn = ""
			q.view.draw()
		}
	})))
	q.last.Show()
}

// showInput draws what takes the answer, when it must look otherwise than it does.
func (q *question) showInput(n forms.Node) {
	state := fmt.Sprint(n.Type, n.Appearance, n.ReadOnly, n.Choices)
	if q.entry == nil {
		state += n.Value
	}
	if q.drawn == state {
		return
	}
	q.drawn = state
	q.input.RemoveAll()
	switch n.Type {
	case "note":
	case "select_one", "select_multiple", "rank":
		q.input.Add(q.choices(n))
	case "image":
		q.input.Add(q.photo(n))
	case "acknowledge", "trigger":
		q.input.Add(look.Choice(q.view.app.t("acknowledge"), n.Value != "", func() { q.view.answer(n, "OK") }))
	default:
		q.input.Add(q.typed(n))
	}
}

// choices are large words to tap; a second tap on a chosen one takes it back.
func (q *question) choices(n forms.Node) fyne.CanvasObject {
	box := container.New(rowWrap())
	chosen := []string{n.Value}
	if n.Type != "select_one" {
		chosen = strings.Fields(n.Value)
	}
	for _, c := range n.Choices {
		is := n.Value != "" && slices.Contains(chosen, c.Name)
		box.Add(look.Choice(c.Label, is, func() {
			value := c.Name
			switch {
			case n.Type == "select_one" && is:
				value = ""
			case n.Type != "select_one" && is:
				value = strings.Join(slices.DeleteFunc(slices.Clone(chosen), func(s string) bool { return s == c.Name }), " ")
			case n.Type != "select_one":
				value = strings.TrimSpace(n.Value + " " + c.Name)
			}
			q.view.answer(n, value)
		}))
	}
	return box
}

// typed is an answer that is typed; numbers bring the number keys up.
func (q *question) typed(n forms.Node) fyne.CanvasObject {
	numeric := n.Type == "integer" || n.Type == "decimal" || n.Type == "date" || strings.Contains(n.Appearance, "numbers")
	e := &fieldEntry{numeric: numeric}
	e.ExtendBaseWidget(e)
	if strings.Contains(n.Appearance, "multiline") {
		e.MultiLine, e.Wrapping = true, fyne.TextWrapBreak
		e.SetMinRowsVisible(3)
	}
	q.entry = &e.Entry
	e.SetText(n.Value)
	switch n.Type {
	case "date":
		e.SetPlaceHolder("2026-03-01")
	case "geopoint":
		e.SetPlaceHolder(q.view.app.t("geopoint"))
	}
	e.OnChanged = func(text string) {
		if n.Type == "integer" || n.Type == "decimal" || n.Type == "date" || n.Type == "geopoint" {
			text = strings.TrimSpace(text)
		}
		q.view.answer(q.node, text)
	}
	if n.ReadOnly {
		e.Disable()
	}
	if n.Type == "date" {
		today := look.Big(q.view.app.t("today_date"), nil, func() { e.SetText(q.view.app.options.World.Now().Format(time.DateOnly)) })
		return container.NewBorder(nil, nil, nil, today, e)
	}
	return e
}

// A fieldEntry asks a tablet for the keys that fit.
type fieldEntry struct {
	widget.Entry
	numeric bool
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

// photo shows the picture taken and takes another.
func (q *question) photo(n forms.Node) fyne.CanvasObject {
	a := q.view.app
	buttons := container.New(rowWrap())
	label := a.t("photo_take")
	if n.Value != "" {
		label = a.t("photo_again")
	}
	buttons.Add(look.Big(label, theme.MediaPhotoIcon(), func() {
		open := dialog.NewFileOpen(func(f fyne.URIReadCloser, err error) {
			if a.fail(err) || f == nil {
				return
			}
			defer f.Close()
			q.take(n, f)
		}, a.win)
		open.SetFilter(storage.NewExtensionFileFilter([]string{".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"}))
		open.Show()
	}))
	if a.options.Demo {
		buttons.Add(look.Big(a.t("photo_demo"), theme.ColorPaletteIcon(), func() {
			seed := uint64(a.options.World.Now().UnixNano())
			q.take(n, bytes.NewReader(yunqi.Photo(seed, 1280, 960)))
		}))
	}
	shots := container.NewHBox()
	for _, p := range q.view.visit.Photos()[n.Path] {
		shots.Add(a.thumb(p.Digest, 240, 180))
	}
	return container.NewVBox(shots, buttons)
}

func (q *question) take(n forms.Node, picture io.Reader) {
	q.view.touched[n.Path] = true
	if _, err := q.view.visit.AddPhoto(q.view.app.ctx, n.Path, picture); !q.view.app.fail(err) {
		q.drawn = ""
		q.view.draw()
	}
}
