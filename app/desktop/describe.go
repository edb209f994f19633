package desktop

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
)

// A Thing is something on the screen that can be tapped, typed into or read, and
// where it is. Fyne has no accessibility tree; whoever drives the program from
// outside (make test-app) reads this instead of guessing at coordinates.
type Thing struct {
	Kind     string  `json:"kind"` // button, tile, row, entry, select, pad, text
	Text     string  `json:"text"`
	X        float32 `json:"x"` // its middle, in points
	Y        float32 `json:"y"`
	Disabled bool    `json:"disabled,omitempty"`
	Chosen   bool    `json:"chosen,omitempty"` // the row on which the keyboard stands
}

// A Description is all of a screen.
type Description struct {
	Width  float32 `json:"width"`
	Height float32 `json:"height"`
	Things []Thing `json:"things"`
}

// Describe lists what is on the screen, the topmost layer alone.
func (a *App) Describe() Description {
	c := a.win.Canvas()
	d := Description{Width: c.Size().Width, Height: c.Size().Height}
	if top := c.Overlays().Top(); top != nil {
		a.describe(top, &d)
	} else {
		a.describe(c.Content(), &d)
	}
	return d
}

func (a *App) describe(o fyne.CanvasObject, d *Description) {
	if o == nil || !o.Visible() {
		return
	}
	add := func(kind, text string, disabled bool) {
		at := a.app.Driver().AbsolutePositionForObject(o)
		size := o.Size()
		d.Things = append(d.Things, Thing{Kind: kind, Text: text, X: at.X + size.Width/2, Y: at.Y + size.Height/2, Disabled: disabled})
	}
	switch o := o.(type) {
	case *fyne.Container:
		for _, in := range o.Objects {
			a.describe(in, d)
		}
	case *container.Scroll:
		a.describe(o.Content, d)
	case *widget.PopUp:
		a.describe(o.Content, d)
	case *look.Tile:
		add("tile", strings.Join(spoken(o.Content, nil), " "), o.OnTapped == nil)
		a.describe(o.Content, d)
	case *look.Pad:
		add("pad", "", false)
	case *widget.Button:
		add("button", o.Text, o.Disabled())
	case *keyList:
		for _, row := range o.drawn() {
			at := a.app.Driver().AbsolutePositionForObject(row)
			d.Things = append(d.Things, Thing{Kind: "row", Text: row.said(), X: at.X + row.Size().Width/2, Y: at.Y + row.Size().Height/2, Chosen: row.here})
		}
	case *widget.Select:
		add("select", o.Selected, o.Disabled())
	case *searchEntry:
		add("entry", typedIn(&o.Entry), o.Disabled())
	case *sheetEntry:
		add("entry", typedIn(&o.Entry), o.Disabled())
	case *fieldEntry:
		add("entry", typedIn(&o.Entry), o.Disabled())
	case *widget.Entry:
		add("entry", typedIn(o), o.Disabled())
	case *widget.Label:
		add("text", o.Text, false)
	case *widget.RichText:
		add("text", o.String(), false)
	case *canvas.Text:
		add("text", o.Text, false)
	}
}

// typedIn is what stands in an entry, or its hint; a PIN is told by its length only.
func typedIn(e *widget.Entry) string {
	if e.Password && e.Text != "" {
		return strings.Repeat("•", len(e.Text))
	}
	return firstNonEmpty(e.Text, e.PlaceHolder)
}

// spoken are the words inside something.
func spoken(o fyne.CanvasObject, words []string) []string {
	switch o := o.(type) {
	case *fyne.Container:
		for _, in := range o.Objects {
			words = spoken(in, words)
		}
	case *widget.Label:
		words = append(words, o.Text)
	case *widget.RichText:
		words = append(words, o.String())
	case *canvas.Text:
		words = append(words, o.Text)
	}
	return words
}

// describing writes the description to a file, whole, whenever it has changed.
func (a *App) describing(file string, ended <-chan struct{}) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		var text []byte
		fyne.DoAndWait(func() { text, _ = json.Marshal(a.Describe()) })
		if string(text) == last || len(text) == 0 {
			continue
		}
		last = string(text)
		if os.WriteFile(file+".new", text, 0o600) == nil {
			_ = os.Rename(file+".new", file)
		}
	}
}
