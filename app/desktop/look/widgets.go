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

// Tone says how urgent a chip is; it never speaks by colour alone.
type Tone struct{ Ink, Ground color.Color }

// The tones; Use sets them.
var Plain, Calm, Urgent, Notice, Done, Loud Tone

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
	ground.StrokeColor, ground.StrokeWidth = Line, Stroke
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

// Touched is called whenever a finger does something; the app's lock waits for it.
var Touched = func() {}

func noticed(tapped func()) func() {
	return func() {
		Touched()
		if tapped != nil {
			tapped()
		}
	}
}

// Big makes a button as high as a thumb.
func Big(label string, icon fyne.Resource, tapped func()) *widget.Button {
	return widget.NewButtonWithIcon(label, icon, noticed(tapped))
}

// Flat is a button without a ground, for what is seldom needed.
func Flat(label string, icon fyne.Resource, tapped func()) *widget.Button {
	b := Big(label, icon, tapped)
	b.Importance = widget.LowImportance
	return b
}

// Link is quiet text that can be tapped, for what is there on every line and seldom
// needed.
func Link(label string, tapped func()) *Tile {
	t := NewTile(container.NewCenter(Small(label)), tapped)
	t.Bare = true
	return t
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
	Bare     bool        // without a border

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
	Touched()
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
	r.inner = container.New(layout.NewCustomPaddedLayout(8, 8, tilePad, tilePad), t.Content)
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
	r.ground.FillColor, r.ground.StrokeColor, r.ground.StrokeWidth = Card, Line, Stroke
	if t.Ground != nil {
		r.ground.FillColor = t.Ground
	}
	if t.Chosen {
		r.ground.FillColor, r.ground.StrokeColor, r.ground.StrokeWidth = Soft, Action, 2.5
	}
	if t.Bare {
		r.ground.StrokeWidth, r.ground.CornerRadius = 0, 0
		if t.Ground == nil {
			r.ground.FillColor = color.Transparent
		}
	}
	if t.hovered && !t.Bare {
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
	return ChoiceWithin(label, chosen, 0, tapped)
}

// ChoiceWithin is a choice no wider than width (0: as wide as it is).
func ChoiceWithin(label string, chosen bool, width float32, tapped func()) *Tile {
	size, style := theme.Size(theme.SizeNameText), fyne.TextStyle{Bold: chosen}
	lines := []string{mark(chosen) + label}
	if width > 0 {
		lines = Break(lines[0], width-2*tilePad, size, style)
	}
	t := NewTile(container.NewCenter(Lines(lines, Ink, size, style, fyne.TextAlignCenter)), tapped)
	t.Chosen = chosen
	return t
}

// ChoiceIn is a choice on a ground of its own.
func ChoiceIn(ground color.Color, label string, width float32, tapped func()) *Tile {
	t := ChoiceWithin(label, false, width, tapped)
	t.Ground = ground
	return t
}

// tilePad is the space beside a tile's content.
const tilePad = 12

func mark(chosen bool) string {
	if chosen {
		return "✓ "
	}
	return ""
}
