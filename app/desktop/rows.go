package desktop

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
)

// row is a tile of a title, a line below, and a chip.
func (a *App) row(title, under string, chip fyne.CanvasObject, ground color.Color, tapped func()) *look.Tile {
	texts := container.New(look.Tight(), look.Bold(title))
	if a.class == narrow {
		texts.Add(container.New(layout.NewCustomPaddedLayout(2, 6, theme.Size(theme.SizeNameInnerPadding), 0), container.NewHBox(chip)))
	}
	if under != "" {
		texts.Add(look.Caption(under))
	}
	end := container.NewHBox(widget.NewIcon(theme.NavigateNextIcon()))
	if a.class != narrow {
		end.Objects = append([]fyne.CanvasObject{chip}, end.Objects...)
	}
	t := look.NewTile(container.NewBorder(nil, nil, nil, end, texts), tapped)
	t.Ground = ground
	return t
}

// due says in words and tone when something is due.
func (a *App) due(days int, dated bool) (string, look.Tone) {
	switch {
	case !dated:
		return a.t("no_due"), look.Plain
	case days < 0:
		return a.t("overdue", -days), look.Urgent
	case days == 0:
		return a.t("due_today"), look.Urgent
	case days <= 7:
		return a.t("due_in", days), look.Notice
	}
	return a.t("due_in", days), look.Plain
}

func toneIf(alarm bool) color.Color {
	if alarm {
		return look.Alarm
	}
	return look.Ink
}

func number(n, under string, ink color.Color) fyne.CanvasObject {
	big := look.Title(n)
	big.Color, big.Alignment = ink, fyne.TextAlignCenter
	small := look.Small(under)
	small.Alignment = fyne.TextAlignCenter
	return container.NewVBox(big, small)
}

func orDash(s string) string {
	if s == "" {
		return "—"
	}
	return s
}

// pair is a label beside its value.
func pair(label, value string) fyne.CanvasObject {
	return container.New(&columned{[]float32{2, 3}}, look.Caption(label), look.Text(orDash(value)))
}

func centred(o fyne.CanvasObject) fyne.CanvasObject { return container.NewCenter(o) }

func rowWrap() fyne.Layout { return look.Flow() }

// indent brings something in line with the text of labels.
func indent(o fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(0, 0, theme.Size(theme.SizeNameInnerPadding)-2, 0), o)
}
