package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Text is a label that wraps where it must: Chinese has no spaces to wrap at.
func Text(s string) *widget.Label {
	l := widget.NewLabel(s)
	l.Wrapping = fyne.TextWrapBreak
	return l
}

// Bold is a bold label that wraps.
func Bold(s string) *widget.Label {
	l := Text(s)
	l.TextStyle.Bold = true
	return l
}

// Title is the largest text of a screen, on one line.
func Title(s string) *canvas.Text {
	t := canvas.NewText(s, Ink)
	t.TextStyle.Bold = true
	t.TextSize = theme.Size(theme.SizeNameHeadingText)
	return t
}

// Head is a title above labels, in line with their text.
func Head(s string) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(4, 0, theme.Size(theme.SizeNameInnerPadding), 0), Title(s))
}

// Caption is small quiet text that wraps.
func Caption(s string) *widget.Label {
	l := Text(s)
	l.SizeName = theme.SizeNameCaptionText
	l.Importance = widget.LowImportance
	return l
}

// Tone says how urgent a chip is; it never speaks by colour alone.
type Tone struct{ Ink, Ground color.Color }

// The tones.
var (
	Plain  = Tone{Quiet, color.NRGBA{0xe9, 0xe6, 0xdd, 0xff}}
	Calm   = Tone{Action, Soft}
	Urgent = Tone{Alarm, AlarmBg}
	Notice = Tone{Warn, WarnBg}
	Done   = Tone{Good, GoodBg}
	Loud   = Tone{Card, Alarm}
)

// Chip is a short word on a coloured ground.
func Chip(s string, t Tone) fyne.CanvasObject {
	text := canvas.NewText(s, t.Ink)
	text.TextSize = theme.Size(theme.SizeNameCaptionText)
	text.TextStyle.Bold = true
	ground := canvas.NewRectangle(t.Ground)
	ground.CornerRadius = 9
	return container.NewCenter(container.NewStack(ground, container.New(layout.NewCustomPaddedLayout(3, 3, 10, 10), text)))
}

// Box is a white card around something.
func Box(inside ...fyne.CanvasObject) *fyne.Container {
	ground := canvas.NewRectangle(Card)
	ground.CornerRadius = 12
	ground.StrokeColor, ground.StrokeWidth = Line, 1
	return container.NewStack(ground, container.New(layout.NewCustomPaddedLayout(10, 10, 14, 14), container.NewVBox(inside...)))
}

// Banner is a card in a tone, for what must be read.
func Banner(s string, t Tone) fyne.CanvasObject {
	ground := canvas.NewRectangle(t.Ground)
	ground.CornerRadius = 10
	ground.StrokeColor, ground.StrokeWidth = t.Ink, 1.5
	l := Text(s)
	return container.NewStack(ground, container.New(layout.NewCustomPaddedLayout(4, 4, 8, 8), l))
}

// Big makes a button as high as a thumb.
func Big(label string, icon fyne.Resource, tapped func()) *widget.Button {
	return widget.NewButtonWithIcon(label, icon, tapped)
}

// Primary is the one button of a screen that goes on.
func Primary(label string, icon fyne.Resource, tapped func()) *widget.Button {
	b := Big(label, icon, tapped)
	b.Importance = widget.HighImportance
	return b
}

// Least gives an object a least size.
func Least(w, h float32, o fyne.CanvasObject) fyne.CanvasObject {
	space := canvas.NewRectangle(color.Transparent)
	space.SetMinSize(fyne.NewSize(w, h))
	return container.NewStack(space, o)
}

// A Tile is a large area that can be tapped, or reached by Tab and pressed by
// Enter: a row of a list, a key of a number pad, a choice.
type Tile struct {
	widget.BaseWidget
	Content  fyne.CanvasObject
	OnTapped func()
	Chosen   bool
	Ground   color.Color // nil: the card's

	hovered, focused bool
}

// NewTile makes a tile around content.
func NewTile(content fyne.CanvasObject, tapped func()) *Tile {
	t := &Tile{Content: content, OnTapped: tapped}
	t.ExtendBaseWidget(t)
	return t
}

// Tapped, FocusGained and the others make the tile a button.
func (t *Tile) Tapped(*fyne.PointEvent) {
	if t.OnTapped != nil {
		t.OnTapped()
	}
}

func (t *Tile) FocusGained()     { t.focused = true; t.Refresh() }
func (t *Tile) FocusLost()       { t.focused = false; t.Refresh() }
func (t *Tile) TypedRune(r rune) {}
func (t *Tile) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter || e.Name == fyne.KeySpace {
		t.Tapped(nil)
	}
}
func (t *Tile) MouseIn(*desktop.MouseEvent)    { t.hovered = true; t.Refresh() }
func (t *Tile) MouseMoved(*desktop.MouseEvent) {}
func (t *Tile) MouseOut()                      { t.hovered = false; t.Refresh() }

// CreateRenderer draws the tile.
func (t *Tile) CreateRenderer() fyne.WidgetRenderer {
	r := &tileRenderer{tile: t, ground: canvas.NewRectangle(Card)}
	r.ground.CornerRadius = 12
	r.inner = container.New(layout.NewCustomPaddedLayout(8, 8, 12, 12), t.Content)
	r.Refresh()
	return r
}

type tileRenderer struct {
	tile   *Tile
	ground *canvas.Rectangle
	inner  *fyne.Container
}

func (r *tileRenderer) Layout(s fyne.Size) {
	r.ground.Resize(s)
	r.inner.Resize(s)
}

func (r *tileRenderer) MinSize() fyne.Size {
	return r.inner.MinSize().Max(fyne.NewSize(48, 52))
}

func (r *tileRenderer) Refresh() {
	t := r.tile
	r.ground.FillColor, r.ground.StrokeColor, r.ground.StrokeWidth = Card, Line, 1
	if t.Ground != nil {
		r.ground.FillColor = t.Ground
	}
	if t.Chosen {
		r.ground.FillColor, r.ground.StrokeColor, r.ground.StrokeWidth = Soft, Action, 2.5
	}
	if t.hovered {
		r.ground.StrokeColor = Action
	}
	if t.focused {
		r.ground.StrokeColor, r.ground.StrokeWidth = Action, 3
	}
	r.ground.Refresh()
	r.inner.Objects[0] = t.Content
	r.inner.Refresh()
}

func (r *tileRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.ground, r.inner} }
func (r *tileRenderer) Destroy()                     {}

// Choice is a tile with one word, chosen or not; the mark says so besides the
// colour.
func Choice(label string, chosen bool, tapped func()) *Tile {
	text := canvas.NewText(mark(chosen)+label, Ink)
	text.TextSize = theme.Size(theme.SizeNameText)
	text.TextStyle.Bold = chosen
	t := NewTile(container.NewCenter(text), tapped)
	t.Chosen = chosen
	return t
}

func mark(chosen bool) string {
	if chosen {
		return "✓ "
	}
	return ""
}

// Middle keeps content in the middle of the screen, no wider than w.
func Middle(w float32, content fyne.CanvasObject) fyne.CanvasObject {
	return container.New(&middle{w}, content)
}

type middle struct{ width float32 }

func (m *middle) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	w := min(m.width, size.Width)
	for _, o := range objects {
		o.Resize(fyne.NewSize(w, size.Height))
		o.Move(fyne.NewPos((size.Width-w)/2, 0))
	}
}

func (m *middle) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, o := range objects {
		s = s.Max(o.MinSize())
	}
	return fyne.NewSize(min(s.Width, m.width), s.Height)
}

// Split puts two parts side by side where there is room, left with its share of
// the width; else one above the other, the first with the share above of the
// height.
func Split(share, above float32, left, right fyne.CanvasObject) fyne.CanvasObject {
	return container.New(&split{share, above}, left, right)
}

// Wide is the width from which a screen has two columns.
const Wide = 1000

type split struct{ share, above float32 }

func (s *split) Layout(o []fyne.CanvasObject, size fyne.Size) {
	if size.Width < Wide {
		// No higher than its content, where that is known.
		h := size.Height * s.above
		if scrolled, ok := o[0].(*container.Scroll); ok {
			h = min(h, scrolled.Content.MinSize().Height+4)
		}
		o[0].Move(fyne.NewPos(0, 0))
		o[0].Resize(fyne.NewSize(size.Width, h))
		o[1].Move(fyne.NewPos(0, h+10))
		o[1].Resize(fyne.NewSize(size.Width, size.Height-h-10))
		return
	}
	w := size.Width * s.share
	o[0].Move(fyne.NewPos(0, 0))
	o[0].Resize(fyne.NewSize(w-6, size.Height))
	o[1].Move(fyne.NewPos(w+6, 0))
	o[1].Resize(fyne.NewSize(size.Width-w-6, size.Height))
}

func (s *split) MinSize(o []fyne.CanvasObject) fyne.Size {
	a, b := o[0].MinSize(), o[1].MinSize()
	return fyne.NewSize(max(a.Width, b.Width), min(a.Height, 120)+min(b.Height, 120))
}

// Strip lays its parts out one below the other where it is narrow, beside each
// other in rows where it is wide.
func Strip() fyne.Layout {
	return &strip{below: layout.NewVBoxLayout(), beside: layout.NewRowWrapLayoutWithCustomPadding(6, 6)}
}

type strip struct {
	below, beside fyne.Layout
	width         float32 // as of the last layout
}

// stripWide is the width from which a strip has rows.
const stripWide = 520

func (s *strip) now() fyne.Layout {
	if s.width < stripWide {
		return s.below
	}
	return s.beside
}

func (s *strip) Layout(o []fyne.CanvasObject, size fyne.Size) {
	s.width = size.Width
	s.now().Layout(o, size)
}

func (s *strip) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(120, s.now().MinSize(o).Height)
}

// Small is small quiet text on one line.
func Small(s string) *canvas.Text {
	t := canvas.NewText(s, Quiet)
	t.TextSize = theme.Size(theme.SizeNameCaptionText)
	return t
}
