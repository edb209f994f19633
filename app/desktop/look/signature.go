package look

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/driver/mobile"
	"fyne.io/fyne/v2/widget"
)

// A Pad takes a signature drawn by a finger, a pen or the mouse.
type Pad struct {
	widget.BaseWidget
	OnChanged func()

	strokes [][]fyne.Position
	drawing bool
}

// NewPad makes an empty pad.
func NewPad() *Pad {
	p := &Pad{}
	p.ExtendBaseWidget(p)
	return p
}

// Dragged extends the stroke; the event starts late, so its first point is where
// the finger came from.
func (p *Pad) Dragged(e *fyne.DragEvent) {
	if !p.drawing {
		p.drawing = true
		p.strokes = append(p.strokes, []fyne.Position{e.Position.SubtractXY(e.Dragged.DX, e.Dragged.DY)})
	}
	last := len(p.strokes) - 1
	p.strokes[last] = append(p.strokes[last], e.Position)
	p.Refresh()
}

// DragEnd ends the stroke.
func (p *Pad) DragEnd() {
	p.drawing = false
	if p.OnChanged != nil {
		p.OnChanged()
	}
}

// TouchDown, TouchUp and TouchCancel let a scroll around the pad be.
func (p *Pad) TouchDown(*mobile.TouchEvent)   {}
func (p *Pad) TouchUp(*mobile.TouchEvent)     {}
func (p *Pad) TouchCancel(*mobile.TouchEvent) {}

// Cursor shows where one can draw.
func (p *Pad) Cursor() desktop.Cursor { return desktop.CrosshairCursor }

// Clear takes the drawing away.
func (p *Pad) Clear() {
	p.strokes = nil
	p.Refresh()
	if p.OnChanged != nil {
		p.OnChanged()
	}
}

// Blank says whether too little was drawn for a signature: an accidental touch is
// none.
func (p *Pad) Blank() bool {
	length := float32(0)
	for _, s := range p.strokes {
		for i := 1; i < len(s); i++ {
			length += float32(math.Hypot(float64(s[i].X-s[i-1].X), float64(s[i].Y-s[i-1].Y)))
		}
	}
	return length < 60
}

// Strokes are the strokes as they were drawn, each x, y, x, y …, in thousandths of
// the pad's width: a signature's own evidence, of which the PNG is a picture.
func (p *Pad) Strokes() [][]int {
	w := p.Size().Width
	if w < 1 {
		return nil
	}
	out := make([][]int, 0, len(p.strokes))
	for _, s := range p.strokes {
		line := make([]int, 0, 2*len(s))
		for _, at := range s {
			line = append(line, int(at.X/w*1000+0.5), int(at.Y/w*1000+0.5))
		}
		out = append(out, line)
	}
	return out
}

// PNG is the drawing, black on white, 900 pixels wide.
func (p *Pad) PNG() []byte {
	size := p.Size()
	if size.Width < 1 || size.Height < 1 {
		return nil
	}
	scale := 900 / size.Width
	img := image.NewGray(image.Rect(0, 0, 900, int(size.Height*scale)))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	p.draw(scale, func(x, y int) { img.SetGray(x, y, color.Gray{}) })
	var b bytes.Buffer
	if png.Encode(&b, img) != nil {
		return nil
	}
	return b.Bytes()
}

func (p *Pad) draw(scale float32, dot func(x, y int)) {
	radius := int(1.6*scale + 0.5)
	for _, s := range p.strokes {
		for i := 1; i < len(s); i++ {
			x0, y0, x1, y1 := s[i-1].X*scale, s[i-1].Y*scale, s[i].X*scale, s[i].Y*scale
			n := int(math.Hypot(float64(x1-x0), float64(y1-y0))) + 1
			for k := 0; k <= n; k++ {
				t := float32(k) / float32(n)
				x, y := int(x0+(x1-x0)*t), int(y0+(y1-y0)*t)
				for dy := -radius; dy <= radius; dy++ {
					for dx := -radius; dx <= radius; dx++ {
						if dx*dx+dy*dy <= radius*radius {
							dot(x+dx, y+dy)
						}
					}
				}
			}
		}
	}
}

// CreateRenderer draws the pad.
func (p *Pad) CreateRenderer() fyne.WidgetRenderer {
	ground := canvas.NewRectangle(Card)
	ground.CornerRadius, ground.StrokeColor, ground.StrokeWidth = 10, Quiet, 1.5
	line := canvas.NewLine(Line)
	ink := canvas.NewRaster(func(w, h int) image.Image {
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		if width := p.Size().Width; width > 0 {
			p.draw(float32(w)/width, func(x, y int) { img.SetNRGBA(x, y, Ink) })
		}
		return img
	})
	return &padRenderer{ground, line, ink}
}

type padRenderer struct {
	ground *canvas.Rectangle
	line   *canvas.Line
	ink    *canvas.Raster
}

func (r *padRenderer) Layout(s fyne.Size) {
	r.ground.Resize(s)
	r.ink.Resize(s)
	r.line.Position1, r.line.Position2 = fyne.NewPos(24, s.Height*0.78), fyne.NewPos(s.Width-24, s.Height*0.78)
}
func (r *padRenderer) MinSize() fyne.Size { return fyne.NewSize(280, 180) }
func (r *padRenderer) Refresh()           { r.ink.Refresh(); r.ground.Refresh() }
func (r *padRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.ground, r.line, r.ink}
}
func (r *padRenderer) Destroy() {}
