package look

import (
	"image/color"
	"math"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	"github.com/stretchr/testify/require"
)

// contrast is that of WCAG 2.2, 1 to 21.
func contrast(a, b color.NRGBA) float64 {
	light := func(c color.NRGBA) float64 {
		f := func(v uint8) float64 {
			s := float64(v) / 255
			if s <= 0.04045 {
				return s / 12.92
			}
			return math.Pow((s+0.055)/1.055, 2.4)
		}
		return 0.2126*f(c.R) + 0.7152*f(c.G) + 0.0722*f(c.B)
	}
	x, y := light(a), light(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestTextsCanBeReadInTheSun(t *testing.T) { // domain.md §7 (4)
	t.Cleanup(func() { Use(Light) })
	for _, mode := range Modes {
		Use(mode)
		for name, pair := range map[string][2]color.NRGBA{
			"ink on paper": {Ink, Paper}, "ink on card": {Ink, Card}, "ink on what is chosen": {Ink, Soft}, "ink on a button": {Ink, Key},
			"quiet on card": {Quiet, Card}, "quiet on paper": {Quiet, Paper}, "action": {OnAction, Action}, "bar": {OnBar, Bar}, "bar's second line": {OnBarLo, Bar},
			"warning": {Warn, WarnBg}, "alarm": {Alarm, AlarmBg}, "good": {Good, GoodBg}, "alarm on card": {Alarm, Card}, "good on card": {Good, Card},
			"ink on warning": {Ink, WarnBg}, "ink on alarm": {Ink, AlarmBg}, "ink on good": {Ink, GoodBg},
		} {
			require.GreaterOrEqual(t, contrast(pair[0], pair[1]), 7.0, "%s: %s", mode, name)
		}
	}
}

func TestTextSizesHaveBounds(t *testing.T) {
	require.EqualValues(t, 18, NewTheme(3, Light).Size(theme.SizeNameText))
	require.EqualValues(t, 28, NewTheme(300, Light).Size(theme.SizeNameText))
}

func TestLinesBreakAsChineseDoes(t *testing.T) {
	test.NewApp().Settings().SetTheme(NewTheme(18, Light))
	for _, s := range []string{
		"从来没有，以后也不会有，问过两次都这样说", "（虚构）的一段“话”，后面还有：更多。", "Never, and never will; asked twice and said so both times", "无", "",
		"一个没有空格的verylongwordthatfitsnowhere在中间",
	} {
		lines := Break(s, 150, 18, fyne.TextStyle{})
		require.Equal(t, strings.ReplaceAll(s, " ", ""), strings.ReplaceAll(strings.Join(lines, ""), " ", ""), "nothing is lost")
		for i, l := range lines {
			require.LessOrEqual(t, fyne.MeasureText(l, 18, fyne.TextStyle{}).Width, float32(150), l)
			if r := []rune(l); i > 0 && len(r) > 0 {
				require.NotContains(t, notFirst, string(r[0]), "%q begins with a mark", l)
			}
		}
	}
}

func TestASignatureKeepsItsStrokes(t *testing.T) {
	test.NewApp().Settings().SetTheme(NewTheme(18, Light))
	p := NewPad()
	p.Resize(fyne.NewSize(500, 200))
	require.True(t, p.Blank())
	for i := range 20 {
		p.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(float32(50+i*10), 100)}, Dragged: fyne.Delta{DX: 10}})
	}
	p.DragEnd()
	require.False(t, p.Blank())
	strokes := p.Strokes()
	require.Len(t, strokes, 1)
	require.Equal(t, []int{80, 200, 100, 200}, strokes[0][:4], "in thousandths of the width")
	require.NotEmpty(t, p.PNG())
	p.Clear()
	require.Empty(t, p.Strokes())
}
