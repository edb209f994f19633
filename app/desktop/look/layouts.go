package look

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
)

// Widths, at the usual text size, from which a screen has two columns, and from
// which it is no phone's. Larger text needs more.
const (
	Wide   = 1000
	Medium = 640
)

// isWide says whether two columns fit a width at the present text size.
func isWide(w float32) bool { return w*TextUsual/theme.Size(theme.SizeNameText) >= Wide }

// Middle keeps content in the middle of the screen, no wider than w.
func Middle(w float32, content fyne.CanvasObject) fyne.CanvasObject {
	return container.New(&middle{w * theme.Size(theme.SizeNameText) / TextUsual}, content)
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

type split struct{ share, above float32 }

func (s *split) Layout(o []fyne.CanvasObject, size fyne.Size) {
	if !isWide(size.Width) {
		// No higher than its content, where that is known.
		h := size.Height * s.above
		if scrolled, ok := o[0].(*container.Scroll); ok {
			h = min(h, scrolled.Content.MinSize().Height+4)
		}
		o[0].Move(fyne.NewPos(0, 0))
		o[0].Resize(fyne.NewSize(size.Width, h))
		o[1].Move(fyne.NewPos(0, h+6))
		o[1].Resize(fyne.NewSize(size.Width, size.Height-h-6))
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
	return fyne.NewSize(min(max(a.Width, b.Width), 300), min(a.Height, 120)+min(b.Height, 120))
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

// Tight stacks labels without the gaps that their own padding makes between them.
func Tight() fyne.Layout { return tight{1.1} }

// Tighter is Tight for the lines of a bar, which has no height to give away.
func Tighter() fyne.Layout { return tight{1.75} }

type tight struct{ share float32 }

// overlap is how far two labels' paddings may lie over each other.
func (t tight) overlap() float32 { return theme.Size(theme.SizeNameInnerPadding) * t.share }

func (t tight) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	y := float32(0)
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		o.Resize(fyne.NewSize(size.Width, o.MinSize().Height)) // it wraps now
		h := o.MinSize().Height
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(size.Width, h))
		y += h - t.overlap()
	}
}

func (t tight) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		m := o.MinSize()
		if s.Height > 0 {
			s.Height -= t.overlap()
		}
		s.Width = max(s.Width, m.Width)
		s.Height += m.Height
	}
	return s
}

// Inside gives its content the width there is, whatever it would like.
func Inside() fyne.Layout { return inside{} }

type inside struct{}

func (inside) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Move(fyne.Position{})
		o.Resize(size)
	}
}

func (inside) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var h float32
	for _, o := range objects {
		h = max(h, o.MinSize().Height)
	}
	return fyne.NewSize(100, h)
}

// MiddleHeight keeps content in the middle of the height.
func MiddleHeight() fyne.Layout { return middleHeight{} }

type middleHeight struct{}

func (middleHeight) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		h := o.MinSize().Height
		o.Resize(fyne.NewSize(size.Width, h))
		o.Move(fyne.NewPos(0, (size.Height-h)/2))
	}
}

func (middleHeight) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, o := range objects {
		s = s.Max(o.MinSize())
	}
	return s
}

// Equal lays its parts out in so many columns of one width, each row as high as its
// highest part.
func Equal(columns int) fyne.Layout { return &equal{columns: max(1, columns)} }

type equal struct{ columns int }

const equalGap = 8

func (e *equal) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	w := (size.Width - equalGap*float32(e.columns-1)) / float32(e.columns)
	y := float32(0)
	for row := 0; row < len(objects); row += e.columns {
		line := objects[row:min(row+e.columns, len(objects))]
		var h float32
		for _, o := range line {
			h = max(h, o.MinSize().Height)
		}
		for i, o := range line {
			o.Move(fyne.NewPos(float32(i)*(w+equalGap), y))
			o.Resize(fyne.NewSize(w, h))
		}
		y += h + equalGap
	}
}

func (e *equal) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for row := 0; row < len(objects); row += e.columns {
		var h float32
		for _, o := range objects[row:min(row+e.columns, len(objects))] {
			m := o.MinSize()
			h = max(h, m.Height)
			s.Width = max(s.Width, min(m.Width, 120))
		}
		s.Height += h + equalGap
	}
	s.Width = s.Width*float32(e.columns) + equalGap*float32(e.columns-1)
	s.Height = max(0, s.Height-equalGap)
	return s
}

// Room is about how wide the content of the present screen is: what a flow takes for
// its width until it has been laid out once. The app sets it with each screen.
var Room float32 = 700

// Flow lays its parts out in rows as wide as there is room for.
func Flow() fyne.Layout { return &flow{} }

type flow struct{ width float32 }

const flowGap = 8

func (f *flow) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	f.width = size.Width
	f.place(objects, size.Width, true)
}

// place lays out, or only measures how high it would become.
func (f *flow) place(objects []fyne.CanvasObject, width float32, move bool) (height float32) {
	x, y, row := float32(0), float32(0), float32(0)
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		m := o.MinSize()
		w := min(m.Width, max(width, 40))
		if x > 0 && x+w > width+0.5 {
			x, y, row = 0, y+row+flowGap, 0
		}
		if move {
			o.Move(fyne.NewPos(x, y))
			o.Resize(fyne.NewSize(w, m.Height))
		}
		x += w + flowGap
		row = max(row, m.Height)
	}
	return y + row
}

func (f *flow) MinSize(objects []fyne.CanvasObject) fyne.Size {
	w := f.width
	if w <= 0 {
		w = Room
	}
	var least float32
	for _, o := range objects {
		least = max(least, min(o.MinSize().Width, 120))
	}
	return fyne.NewSize(least, f.place(objects, w, false))
}
