package desktop

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
)

// repeat shows the instances of a repeat: as cards, on a wide screen as a table of
// all; and above an open instance the others to go to.
func (x *visitView) repeat() []fyne.CanvasObject {
	a, f := x.app, x.fill
	cards := f.Cards()
	add := func() fyne.CanvasObject {
		return look.Big(a.t("add"), theme.ContentAddIcon(), func() {
			if !a.fail(f.Add(a.ctx, f.Page.Path)) {
				x.goTo(f.Instance)
			}
		})
	}
	if f.Instance != "" {
		tabs := container.New(rowWrap())
		tabs.Add(look.Choice("☰", false, func() { x.goTo(f.Page.Path) }))
		for _, c := range cards {
			name := c.Title
			if first, _, ok := cut(name); ok {
				name = first
			}
			tabs.Add(look.ChoiceWithin(fmt.Sprintf("%d %s", c.Number, name), c.Path == f.Instance, x.width, func() { x.goTo(c.Path) }))
		}
		objects := []fyne.CanvasObject{tabs}
		for _, c := range cards {
			if c.Path == f.Instance {
				objects = append(objects, look.Sub(fmt.Sprintf("%d　%s", c.Number, c.Title)))
			}
		}
		if f.Page.CanAdd {
			objects = append(objects, container.New(rowWrap(), add(), look.Flat(a.t("remove"), theme.DeleteIcon(), func() { x.remove(f.Instance) })))
		}
		return objects
	}
	var objects []fyne.CanvasObject
	if len(cards) == 0 {
		objects = append(objects, look.Caption(a.t("none_yet")))
	} else if a.class == wide {
		objects = append(objects, x.table(f.Table()))
	} else {
		for _, c := range cards {
			objects = append(objects, x.card(c))
		}
	}
	if f.Page.CanAdd {
		objects = append(objects, container.NewHBox(add()))
	}
	return objects
}

// cut takes the first part of a card's title.
func cut(title string) (first, rest string, ok bool) {
	for i, r := range title {
		if r == '·' {
			return title[:i-1], title[i:], i > 0
		}
	}
	return title, "", false
}

func (x *visitView) remove(instance string) {
	a := x.app
	a.ask(a.t("remove"), a.t("remove_ask"), a.t("remove"), func() {
		if !a.fail(x.fill.Remove(a.ctx, instance)) {
			x.asked = map[string]*question{}
			x.draw()
		}
	})
}

// card is one instance with its name and what is left in it.
func (x *visitView) card(c present.Card) fyne.CanvasObject {
	chip := look.Chip("✓", look.Done)
	if c.Missing > 0 {
		chip = look.Chip(x.app.t("n_left", c.Missing), look.Notice)
	} else if c.Answered == 0 {
		chip = container.NewHBox()
	}
	return look.NewTile(container.NewBorder(nil, nil, nil, container.NewHBox(chip, widget.NewIcon(theme.NavigateNextIcon())),
		look.Bold(fmt.Sprintf("%d　%s", c.Number, orDash(c.Title)))), func() { x.goTo(c.Path) })
}

// table shows all instances side by side, a row each; a tap opens one.
func (x *visitView) table(t present.Table) fyne.CanvasObject {
	columns := len(t.Columns) + 1
	grid := &columned{weights: make([]float32, columns)}
	grid.weights[0] = 0.35
	for i, c := range t.Columns { // by what stands in it
		longest := len([]rune(c)) * 2
		for _, r := range t.Rows {
			longest = max(longest, fitting(r.Cells[i]))
		}
		grid.weights[i+1] = min(2.2, max(0.8, float32(longest)/10))
	}
	head := container.New(grid)
	head.Add(look.Caption("#"))
	for _, c := range t.Columns {
		head.Add(look.Caption(c))
	}
	rows := container.NewVBox(container.New(layout.NewCustomPaddedLayout(0, 0, 12, 12), head))
	for _, r := range t.Rows {
		line := container.New(grid)
		line.Add(look.Bold(fmt.Sprint(r.Number)))
		for i, cell := range r.Cells {
			l := look.Text(cell)
			switch {
			case r.Wrong[i]:
				l.SetText(firstNonEmpty(cell, "＿＿") + " ⚠")
				l.Importance = widget.WarningImportance
			case cell == "":
				l.SetText("—")
			}
			if i == 0 {
				l.TextStyle.Bold = true
			}
			line.Add(l)
		}
		rows.Add(look.NewTile(line, func() { x.goTo(r.Path) }))
	}
	ground := canvas.NewRectangle(look.Card)
	ground.CornerRadius = 12
	return container.NewStack(ground, container.New(layout.NewCustomPaddedLayout(6, 10, 8, 8), rows))
}

// fitting is how many half-width letters a text takes.
func fitting(s string) (n int) {
	for _, r := range s {
		n++
		if r > 0x2e7f {
			n++
		}
	}
	return n
}

// columned lays parts out in columns of given weights.
type columned struct{ weights []float32 }

func (c *columned) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var sum float32
	for _, w := range c.weights {
		sum += w
	}
	at := float32(0)
	for i, o := range objects {
		w := size.Width * c.weights[i] / sum
		o.Move(fyne.NewPos(at, 0))
		o.Resize(fyne.NewSize(w, size.Height))
		at += w
	}
}

func (c *columned) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var h float32
	for _, o := range objects {
		h = max(h, o.MinSize().Height)
	}
	return fyne.NewSize(200, h)
}
