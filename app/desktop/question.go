package desktop

import (
	"fmt"
	"image/color"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/forms"
)

// A question is one question on the screen: label, hint, what was said last time,
// the answer, what it means, and what is wrong with it.
type question struct {
	view *visitView
	node forms.Node
	kind present.Kind
	box  fyne.CanvasObject

	label, hint, reading, message *widget.Label
	beside, last, excuse, input   *fyne.Container
	besideIn                      fyne.CanvasObject // hidden where nothing stands beside the question
	ground                        *canvas.Rectangle
	drawn, shown                  string             // what the input, and what stands beside the question, was drawn for
	refresh                       func(n forms.Node) // brings an input that stays up to date
}

func newQuestion(x *visitView, n forms.Node) *question {
	q := &question{
		view: x, node: n, kind: present.KindOf(n), label: look.Bold(""), hint: look.Caption(""), reading: look.Text(""), message: look.Bold(""),
		beside: container.NewVBox(), last: container.NewVBox(), excuse: container.NewVBox(), input: container.NewVBox(),
	}
	q.message.Importance = widget.DangerImportance
	q.reading.Importance = widget.SuccessImportance
	head := fyne.CanvasObject(q.label)
	if q.canBeExcused() {
		head = container.NewBorder(nil, nil, nil, container.New(&atTop{}, look.Link(x.app.t("excuse"), q.excuseSheet)), q.label)
	}
	inner := container.New(look.Tight(), head, q.hint)
	q.besideIn = indent(q.beside)
	q.besideIn.Hide()
	q.ground = canvas.NewRectangle(look.Card)
	q.ground.CornerRadius, q.ground.StrokeColor, q.ground.StrokeWidth = 12, look.Line, look.Stroke
	q.box = container.NewStack(q.ground, container.New(layout.NewCustomPaddedLayout(2, 8, 8, 8),
		container.New(layout.NewCustomPaddedVBoxLayout(2), inner, q.besideIn, indent(q.last), indent(q.excuse), indent(q.input), q.reading, q.message)))
	if q.kind == present.KindNote {
		q.ground.FillColor, q.ground.StrokeWidth = look.Soft, 0
	}
	return q
}

// atTop keeps a button at the top of a higher line.
type atTop struct{}

func (*atTop) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Resize(fyne.NewSize(size.Width, o[0].MinSize().Height))
	o[0].Move(fyne.Position{})
}
func (*atTop) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(o[0].MinSize().Width, 44)
}

func (q *question) canBeExcused() bool {
	switch q.kind {
	case present.KindNote, present.KindConfirmed, present.KindHeadings:
		return false
	}
	return !q.node.ReadOnly
}

// show brings the question up to date.
func (q *question) show(n forms.Node) {
	q.node = n
	a, f := q.view.app, q.view.fill
	label := n.Label
	if label == "" {
		label = n.Name
	}
	if n.Required {
		label += "  *"
	}
	look.SetText(q.label, label)
	hint := n.Hint
	if n.Guidance != "" {
		hint = firstNonEmpty(hint+"\n"+n.Guidance, n.Guidance)
	}
	look.SetText(q.hint, hint)
	visible(q.hint, hint != "")
	if shown := n.Image + "|" + n.Audio + "|" + n.Video; shown != q.shown {
		q.shown = shown
		q.beside.RemoveAll()
		m := q.media(n)
		if m != nil {
			q.beside.Add(m)
		}
		visible(q.besideIn, m != nil)
	}
	q.showLast(n)
	q.showExcuse(n)

	wrong := f.Wrong(n)
	reading, soft := a.session.Reading(f.Visit, n), false
	if present.IsIdentity(f.Visit, n) {
		id := a.session.Identity(f.Visit, n)
		if id.Wrong && n.Value != "" {
			wrong = id.Said // more precise than the form's own words
		} else {
			reading, soft = id.Said, id.Soft
		}
	}
	if missing := a.session.Glyphless(n.Value); missing != "" && reading == "" {
		reading, soft = a.t("glyphs_missing", missing), true
	}
	q.reading.Importance = widget.SuccessImportance
	if soft {
		q.reading.Importance = widget.WarningImportance
	}
	look.SetText(q.reading, reading)
	visible(q.reading, reading != "")
	for _, fault := range f.Visit.FaultsAt(n.Path) { // why the township sent it back, at the very question
		wrong = strings.TrimSpace(a.t("returned_why", fault.Text) + "\n" + wrong)
	}
	if wrong != "" {
		wrong = "⚠ " + wrong
	}
	look.SetText(q.message, wrong)
	visible(q.message, wrong != "")
	if q.kind != present.KindNote {
		stroke, thick := color.Color(look.Line), look.Stroke
		if wrong != "" {
			stroke, thick = look.Alarm, 2.5
		}
		if q.ground.StrokeColor != stroke || q.ground.StrokeWidth != thick {
			q.ground.StrokeColor, q.ground.StrokeWidth = stroke, thick
			q.ground.Refresh()
		}
	}
	q.showInput(n)
}

func visible(o fyne.CanvasObject, yes bool) {
	switch {
	case yes && !o.Visible():
		o.Show()
	case !yes && o.Visible():
		o.Hide()
	}
}

// showLast offers the value of last time, to be confirmed by a tap, never taken
// over in silence.
func (q *question) showLast(n forms.Node) {
	if !q.view.fill.Unconfirmed(n) {
		q.last.RemoveAll()
		q.last.Hide()
		return
	}
	a := q.view.app
	words := a.session.LastTime(q.view.fill.Visit, n)
	q.last.Objects = []fyne.CanvasObject{container.NewHBox(look.ChoiceIn(look.Soft, a.t("last", words), q.view.width, func() {
		if !a.fail(q.view.fill.Confirm(a.ctx, n.Path)) {
			q.view.draw()
		}
	}))}
	q.last.Show()
	q.last.Refresh()
}

// showExcuse says why there is no answer, where somebody said so.
func (q *question) showExcuse(n forms.Node) {
	x, excused := q.view.fill.Visit.Excused(n.Path)
	if !excused {
		q.excuse.RemoveAll()
		q.excuse.Hide()
		q.input.Show()
		return
	}
	a := q.view.app
	q.excuse.Objects = []fyne.CanvasObject{
		look.Banner(a.t("excuse_"+x.Why)+"："+x.Reason, look.Notice),
		container.NewHBox(look.Big(a.t("excuse_back"), theme.ContentUndoIcon(), func() {
			if !a.fail(q.view.fill.Unexcuse(a.ctx, n.Path)) {
				q.view.draw()
			}
		})),
	}
	q.excuse.Show()
	q.excuse.Refresh()
	q.input.Hide()
}

// excuseSheet asks why there is no answer: a kind of reason, and a word about it
// that is tapped or typed.
func (q *question) excuseSheet() {
	a, n := q.view.app, q.node
	why := visit.Unknown
	if q.kind == present.KindPhotos {
		why = visit.Impossible
	}
	reason := a.entry(false)
	reason.SetPlaceHolder(a.t("excuse_reason"))
	whys, quick := container.New(rowWrap()), container.New(rowWrap())
	var draw func()
	draw = func() {
		whys.RemoveAll()
		for _, w := range visit.Excuses {
			whys.Add(look.Choice(a.t("excuse_"+w), w == why, func() { why = w; draw() }))
		}
		quick.RemoveAll()
		for i := 1; ; i++ {
			key := fmt.Sprintf("excuse_%s_%d", why, i)
			if !a.say.Has("app." + key) {
				break
			}
			quick.Add(look.Choice(a.t(key), false, func() { reason.SetText(a.t(key)) }))
		}
		whys.Refresh()
		quick.Refresh()
	}
	draw()
	a.sheet(a.t("excuse_title", firstNonEmpty(n.Label, n.Name)), container.NewVBox(whys, reason, quick), choice{a.t("excuse_do"), true, func() {
		if !a.fail(q.view.fill.Excuse(a.ctx, n.Path, why, reason.Text)) {
			q.drawn = ""
			q.view.draw()
		}
	}})
}

// showInput draws what takes the answer, when it must look otherwise than it does.
func (q *question) showInput(n forms.Node) {
	state := fmt.Sprint(n.ReadOnly, len(n.Choices), n.Choices)
	if q.refresh == nil || q.kind == present.KindPhotos || q.kind == present.KindDrawing || q.kind == present.KindFile {
		state += n.Value
		for _, p := range q.view.fill.Visit.Photos()[n.Path] {
			state += p.Digest.String()
		}
		state += q.view.shots.state(n.Path)
	}
	if q.drawn == state {
		if q.refresh != nil {
			q.refresh(n)
		}
		return
	}
	q.drawn, q.refresh = state, nil
	q.input.RemoveAll()
	if in := q.inputFor(n); in != nil {
		q.input.Add(in)
		if q.refresh != nil { // it stays, whatever the value
			q.drawn = fmt.Sprint(n.ReadOnly, len(n.Choices), n.Choices)
			q.refresh(n)
		}
	}
}

// inputFor draws the input of a question's kind.
func (q *question) inputFor(n forms.Node) fyne.CanvasObject {
	switch q.kind {
	case present.KindNote:
		return nil
	case present.KindChoices:
		return q.choices(n)
	case present.KindSearch:
		return q.searched(n)
	case present.KindLikert:
		return q.likert(n)
	case present.KindHeadings:
		return q.headings(n)
	case present.KindRow:
		return q.tableRow(n)
	case present.KindRank:
		return q.rank(n)
	case present.KindInteger:
		return q.steps(n)
	case present.KindRange:
		return q.slider(n)
	case present.KindDate, present.KindMonth, present.KindYear, present.KindTime, present.KindDateTime:
		return q.moment(n)
	case present.KindPhotos:
		return q.photos(n)
	case present.KindDrawing:
		return q.drawing(n)
	case present.KindFile:
		return q.file(n)
	case present.KindCode:
		return q.code(n)
	case present.KindPlace:
		return q.place(n)
	case present.KindTrace:
		return q.trace(n)
	case present.KindConfirmed:
		return container.NewHBox(look.Choice(q.view.app.t("acknowledge"), n.Value != "", func() {
			value := "OK"
			if q.node.Value != "" {
				value = ""
			}
			q.view.answer(n.Path, value)
		}))
	}
	return q.typed(n)
}
