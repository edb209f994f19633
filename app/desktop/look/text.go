package look

import (
	"image/color"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Text is a label that wraps where it must: Chinese has no spaces to wrap at, and
// a word of another language is not torn.
func Text(s string) *widget.Label {
	l := widget.NewLabel(s)
	l.Wrapping = wrapping(s)
	return l
}

func wrapping(s string) fyne.TextWrap {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return fyne.TextWrapBreak
	}
	return fyne.TextWrapWord
}

// Bold is a bold label that wraps.
func Bold(s string) *widget.Label {
	l := Text(s)
	l.TextStyle.Bold = true
	return l
}

// SetText changes a label's text, if it is another.
func SetText(l *widget.Label, s string) {
	if l.Text != s {
		l.Wrapping = wrapping(s)
		l.SetText(s)
	}
}

// Title is the largest text of a screen, on one line.
func Title(s string) *canvas.Text {
	t := canvas.NewText(s, Ink)
	t.TextStyle.Bold = true
	t.TextSize = theme.Size(theme.SizeNameHeadingText)
	return t
}

// Head is a title that wraps, in line with the labels below it.
func Head(s string) fyne.CanvasObject {
	l := Bold(s)
	l.SizeName = theme.SizeNameHeadingText
	return l
}

// Sub is the title of a part of a screen.
func Sub(s string) *widget.Label {
	l := Bold(s)
	l.SizeName = theme.SizeNameSubHeadingText
	return l
}

// Caption is small quiet text that wraps.
func Caption(s string) *widget.Label {
	l := Text(s)
	l.SizeName = theme.SizeNameCaptionText
	l.Importance = widget.LowImportance
	return l
}

// Small is small quiet text on one line.
func Small(s string) *canvas.Text {
	t := canvas.NewText(s, Quiet)
	t.TextSize = theme.Size(theme.SizeNameCaptionText)
	return t
}

// OneLine is text that ends in … where there is no room, so that it never makes a
// window wider.
func OneLine(s string, size fyne.ThemeSizeName, ink fyne.ThemeColorName, bold bool) *widget.RichText {
	t := widget.NewRichText(&widget.TextSegment{Text: s, Style: widget.RichTextStyle{
		SizeName: size, ColorName: ink, Inline: true, TextStyle: fyne.TextStyle{Bold: bold},
	}})
	t.Truncation = fyne.TextTruncateEllipsis
	return t
}

// notFirst are marks that do not begin a line, notLast those that do not end one.
const (
	notFirst = "，。、；：？！）】》」”’%…,.;:?!)]"
	notLast  = "（【《「“‘([¥"
)

// Break parts a text into lines no wider than width: between hanzi anywhere, but
// never before a mark that closes or after one that opens, and never in a word.
func Break(s string, width, size float32, style fyne.TextStyle) []string {
	fits := func(s string) bool { return fyne.MeasureText(s, size, style).Width <= width }
	if fits(s) {
		return []string{s}
	}
	var lines []string
	line := ""
	for _, part := range pieces(s) {
		switch {
		case line == "":
			line = strings.TrimLeft(part, " ")
		case fits(line + strings.TrimRight(part, " ")):
			line += part
		default:
			lines = append(lines, strings.TrimRight(line, " "))
			line = strings.TrimLeft(part, " ")
		}
		for !fits(line) && len([]rune(line)) > 1 { // one piece alone is too wide
			r := []rune(line)
			n := len(r) - 1
			for n > 1 && !fits(string(r[:n])) {
				n--
			}
			lines = append(lines, string(r[:n]))
			line = string(r[n:])
		}
	}
	return append(lines, line)
}

// pieces parts a text where a line may end.
func pieces(s string) []string {
	var out []string
	runes := []rune(s)
	start := 0
	for i := 1; i < len(runes); i++ {
		before, after := runes[i-1], runes[i]
		wide := before > 0x2e7f || after > 0x2e7f
		if before != ' ' && !wide || strings.ContainsRune(notFirst, after) || strings.ContainsRune(notLast, before) {
			continue
		}
		out = append(out, string(runes[start:i]))
		start = i
	}
	return append(out, string(runes[start:]))
}

// Lines are texts of one ink below each other, without the space between labels.
func Lines(lines []string, ink color.Color, size float32, style fyne.TextStyle, align fyne.TextAlign) fyne.CanvasObject {
	box := container.New(layout.NewCustomPaddedVBoxLayout(0))
	for _, s := range lines {
		t := canvas.NewText(s, ink)
		t.TextSize, t.TextStyle, t.Alignment = size, style, align
		box.Add(t)
	}
	return box
}
