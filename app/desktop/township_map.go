package desktop

import (
	"fmt"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present/clerk"
)

// drawMap draws the places of a village's visits around this one, north up, with a
// scale. There are no tiles without a network, and none are needed to see that a
// door lies where the others do.
func drawMap(m clerk.Map, north string) fyne.CanvasObject {
	reach := 200
	for _, p := range m.Points {
		reach = max(reach, int(math.Hypot(float64(p.East), float64(p.North))*1.15))
	}
	scale := niceScale(reach)
	layout := &mapLayout{reach: float32(reach), scale: scale}
	ground := canvas.NewRectangle(look.Paper)
	ground.CornerRadius, ground.StrokeColor, ground.StrokeWidth = 8, look.Line, 1
	objects := []fyne.CanvasObject{ground}
	for _, p := range m.Points {
		dot := canvas.NewCircle(look.Quiet)
		size := float32(7)
		switch p.Kind {
		case "this":
			dot.FillColor, size = look.Alarm, 15
			dot.StrokeColor, dot.StrokeWidth = look.Card, 2
		case "home":
			dot.FillColor, size = look.Action, 11
		case "middle":
			dot.FillColor, dot.StrokeColor, dot.StrokeWidth = color.Transparent, look.Quiet, 2
			size = 17
		}
		layout.points = append(layout.points, mapPoint{float32(p.East), float32(-p.North), size})
		objects = append(objects, dot)
	}
	bar := canvas.NewRectangle(look.Ink)
	text := caption(scaleWords(scale), look.Ink, false)
	up := caption("↑ "+north, look.Quiet, false)
	return container.New(layout, append(objects, bar, text, up)...)
}

func scaleWords(m int) string {
	if m >= 1000 {
		return fmt.Sprintf("%d km", m/1000)
	}
	return fmt.Sprintf("%d m", m)
}

// niceScale is a round length of about a third of the map.
func niceScale(reach int) int {
	for _, n := range []int{50, 100, 200, 500, 1000, 2000, 5000} {
		if n*3 >= reach {
			return n
		}
	}
	return 10_000
}

type mapPoint struct{ x, y, size float32 }

type mapLayout struct {
	reach  float32 // metres from the middle to the nearer edge
	scale  int
	points []mapPoint
}

func (m *mapLayout) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Resize(size)
	per := min(size.Width, size.Height) / 2 / m.reach
	for i, p := range m.points {
		x, y := size.Width/2+p.x*per, size.Height/2+p.y*per
		o[i+1].Resize(fyne.NewSize(p.size, p.size))
		o[i+1].Move(fyne.NewPos(x-p.size/2, y-p.size/2))
	}
	rest := o[len(m.points)+1:]
	rest[0].Resize(fyne.NewSize(float32(m.scale)*per, 3))
	rest[0].Move(fyne.NewPos(12, size.Height-12))
	rest[1].Resize(rest[1].MinSize())
	rest[1].Move(fyne.NewPos(12, size.Height-14-rest[1].MinSize().Height))
	rest[2].Resize(rest[2].MinSize())
	rest[2].Move(fyne.NewPos(size.Width-rest[2].MinSize().Width-10, 6))
}

func (m *mapLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(240, 190) }
