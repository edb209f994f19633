// Package look is how the app appears: one daylight theme of few tokens, and the
// widgets that Fyne lacks for large fingers: tiles, chips, choice buttons, a
// signature pad. It knows no domain.
package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"ironfeet/assets/font"
)

// Tokens: ink on paper, one colour for what can be done, and three for what must
// be seen. All texts stand at 7:1 or better on their ground, for sunlight.
var (
	Paper   = color.NRGBA{0xf4, 0xf2, 0xec, 0xff}
	Card    = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	Ink     = color.NRGBA{0x16, 0x1b, 0x20, 0xff}
	Quiet   = color.NRGBA{0x47, 0x50, 0x59, 0xff}
	Line    = color.NRGBA{0xc9, 0xc6, 0xbd, 0xff}
	Action  = color.NRGBA{0x0b, 0x55, 0x4f, 0xff}
	Soft    = color.NRGBA{0xdc, 0xec, 0xe9, 0xff}
	Warn    = color.NRGBA{0x8a, 0x4b, 0x00, 0xff}
	WarnBg  = color.NRGBA{0xfd, 0xef, 0xd2, 0xff}
	Alarm   = color.NRGBA{0x97, 0x1b, 0x14, 0xff}
	AlarmBg = color.NRGBA{0xfb, 0xe2, 0xdf, 0xff}
	Good    = color.NRGBA{0x1a, 0x5c, 0x2a, 0xff}
	GoodBg  = color.NRGBA{0xdf, 0xf0, 0xe1, 0xff}
)

// Theme is the app's theme at a text size (18 in the field).
type Theme struct {
	text          float32
	base          fyne.Theme
	regular, bold fyne.Resource
}

// NewTheme makes the theme; text is the size of ordinary text, 14 to 32.
func NewTheme(text float32) *Theme {
	return &Theme{
		text: max(14, min(32, text)), base: theme.LightTheme(),
		regular: fyne.NewStaticResource("NotoSansSC-Regular.ttf", font.Regular),
		bold:    fyne.NewStaticResource("NotoSansSC-Bold.ttf", font.Bold),
	}
}

// Font gives Chinese in both weights.
func (t *Theme) Font(s fyne.TextStyle) fyne.Resource {
	switch {
	case s.Symbol:
		return t.base.Font(s)
	case s.Bold:
		return t.bold
	}
	return t.regular
}

// Icon delegates.
func (t *Theme) Icon(n fyne.ThemeIconName) fyne.Resource { return t.base.Icon(n) }

// Color maps Fyne's names to the tokens.
func (t *Theme) Color(n fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	switch n {
	case theme.ColorNameBackground:
		return Paper
	case theme.ColorNameForeground:
		return Ink
	case theme.ColorNamePrimary, theme.ColorNameHyperlink:
		return Action
	case theme.ColorNameForegroundOnPrimary:
		return Card
	case theme.ColorNameButton:
		return color.NRGBA{0xe7, 0xe3, 0xd8, 0xff}
	case theme.ColorNameInputBackground, theme.ColorNameOverlayBackground, theme.ColorNameMenuBackground:
		return Card
	case theme.ColorNameInputBorder:
		return Quiet
	case theme.ColorNamePlaceHolder, theme.ColorNameDisabled:
		return Quiet
	case theme.ColorNameDisabledButton:
		return color.NRGBA{0xe4, 0xe1, 0xd8, 0xff}
	case theme.ColorNameSeparator:
		return Line
	case theme.ColorNameHover, theme.ColorNamePressed, theme.ColorNameFocus, theme.ColorNameSelection:
		return color.NRGBA{0x0b, 0x55, 0x4f, 0x30}
	case theme.ColorNameError:
		return Alarm
	case theme.ColorNameWarning:
		return Warn
	case theme.ColorNameSuccess:
		return Good
	case theme.ColorNameScrollBar:
		return color.NRGBA{0x47, 0x50, 0x59, 0x90}
	}
	return t.base.Color(n, theme.VariantLight)
}

// Size gives room to fingers.
func (t *Theme) Size(n fyne.ThemeSizeName) float32 {
	switch n {
	case theme.SizeNameText:
		return t.text
	case theme.SizeNameHeadingText:
		return t.text * 1.5
	case theme.SizeNameSubHeadingText:
		return t.text * 1.2
	case theme.SizeNameCaptionText:
		return max(14, t.text*0.82)
	case theme.SizeNameInnerPadding:
		return t.text * 0.6
	case theme.SizeNamePadding:
		return 5
	case theme.SizeNameInputBorder:
		return 1.5
	case theme.SizeNameInputRadius, theme.SizeNameSelectionRadius:
		return 8
	case theme.SizeNameInlineIcon:
		return t.text * 1.3
	case theme.SizeNameScrollBar:
		return 14
	case theme.SizeNameScrollBarSmall:
		return 6
	}
	return t.base.Size(n)
}
