// Package look is how the app appears: one theme of few tokens in three lights, and
// the widgets that Fyne lacks for large fingers: tiles, chips, choices, a number
// pad, a signature pad. It knows no domain.
package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"ironfeet/assets/font"
)

// A Mode is the light that the app is read in.
type Mode string

// The modes: paper indoors, black on white in the sun, and at night.
const (
	Light    Mode = "light"
	Daylight Mode = "daylight"
	Dark     Mode = "dark"
)

// Modes in the order in which they are offered.
var Modes = []Mode{Light, Daylight, Dark}

// Tokens: ink on paper, one colour for what can be done, and three for what must
// be seen, each with its ground. Texts stand at 7:1 or better on theirs (WCAG AAA;
// a test computes it), for sunlight. Use sets them.
var (
	Paper, Card, Ink, Quiet, Line          color.NRGBA
	Action, OnAction, Soft                 color.NRGBA // Soft: the ground of what is chosen
	Warn, WarnBg, Alarm, AlarmBg           color.NRGBA
	Good, GoodBg, Key, Bar, OnBar, OnBarLo color.NRGBA // Key: of buttons; Bar: above a screen
	Stroke                                 float32     // of borders
)

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 0xff}
}

// Use takes the tokens of a mode; what is drawn afterwards has them.
func Use(m Mode) {
	switch m {
	case Daylight:
		Paper, Card, Ink, Quiet, Line = rgb(0xffffff), rgb(0xffffff), rgb(0x000000), rgb(0x222222), rgb(0x444444)
		Action, OnAction, Soft = rgb(0x003d38), rgb(0xffffff), rgb(0xcdeee8)
		Warn, WarnBg, Alarm, AlarmBg = rgb(0x5c2f00), rgb(0xffe9b8), rgb(0x7a0a05), rgb(0xffd9d5)
		Good, GoodBg, Key, Bar, OnBar, OnBarLo = rgb(0x00401a), rgb(0xcdf2d5), rgb(0xe6e6e6), rgb(0x003d38), rgb(0xffffff), rgb(0xe4fffb)
		Stroke = 2
	case Dark:
		Paper, Card, Ink, Quiet, Line = rgb(0x12161a), rgb(0x1b2126), rgb(0xf3f5f4), rgb(0xc3cacf), rgb(0x4a545c)
		Action, OnAction, Soft = rgb(0x7fd6c8), rgb(0x05211e), rgb(0x17403b)
		Warn, WarnBg, Alarm, AlarmBg = rgb(0xffd08a), rgb(0x3a2a10), rgb(0xffb4ab), rgb(0x421713)
		Good, GoodBg, Key, Bar, OnBar, OnBarLo = rgb(0x9be0a8), rgb(0x14351c), rgb(0x2b333a), rgb(0x0c3a36), rgb(0xffffff), rgb(0xc9ebe5)
		Stroke = 1
	default:
		Paper, Card, Ink, Quiet, Line = rgb(0xf4f2ec), rgb(0xffffff), rgb(0x161b20), rgb(0x434b53), rgb(0xc9c6bd)
		Action, OnAction, Soft = rgb(0x0b554f), rgb(0xffffff), rgb(0xdcece9)
		Warn, WarnBg, Alarm, AlarmBg = rgb(0x6e3c00), rgb(0xfdefd2), rgb(0x8a1812), rgb(0xfbe2df)
		Good, GoodBg, Key, Bar, OnBar, OnBarLo = rgb(0x17522a), rgb(0xdff0e1), rgb(0xe7e3d8), rgb(0x0b554f), rgb(0xffffff), rgb(0xdcece9)
		Stroke = 1
	}
	Plain, Calm = Tone{Quiet, Key}, Tone{Action, Soft}
	Urgent, Notice, Done = Tone{Alarm, AlarmBg}, Tone{Warn, WarnBg}, Tone{Good, GoodBg}
	Loud = Tone{Card, Alarm}
}

func init() { Use(Light) }

// Names of colours beyond Fyne's.
const (
	ColorOnBar   fyne.ThemeColorName = "ironfeet-on-bar"
	ColorOnBarLo fyne.ThemeColorName = "ironfeet-on-bar-low"
)

// The sizes of ordinary text: what the field uses, and the bounds.
const (
	TextUsual = 18
	TextLeast = 18
	TextMost  = 28
)

// Theme is the app's theme at a text size.
type Theme struct {
	text          float32
	mode          Mode
	base          fyne.Theme
	regular, bold fyne.Resource
}

// NewTheme makes the theme and takes its mode's tokens; text is the size of
// ordinary text.
func NewTheme(text float32, m Mode) *Theme {
	Use(m)
	return &Theme{
		text: max(TextLeast, min(TextMost, text)), mode: m, base: theme.DefaultTheme(),
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
		return OnAction
	case theme.ColorNameButton:
		return Key
	case theme.ColorNameInputBackground, theme.ColorNameOverlayBackground, theme.ColorNameMenuBackground, theme.ColorNameHeaderBackground:
		return Card
	case theme.ColorNameInputBorder, theme.ColorNamePlaceHolder, theme.ColorNameDisabled:
		return Quiet
	case theme.ColorNameDisabledButton:
		return Key
	case theme.ColorNameSeparator:
		return Line
	case theme.ColorNameHover, theme.ColorNamePressed, theme.ColorNameFocus, theme.ColorNameSelection:
		c := Action
		c.A = 0x30
		return c
	case theme.ColorNameError:
		return Alarm
	case theme.ColorNameWarning:
		return Warn
	case theme.ColorNameSuccess:
		return Good
	case theme.ColorNameScrollBar:
		c := Quiet
		c.A = 0x90
		return c
	case theme.ColorNameScrollBarBackground:
		return color.Transparent
	case theme.ColorNameShadow:
		return color.NRGBA{0, 0, 0, 0x28}
	case ColorOnBar:
		return OnBar
	case ColorOnBarLo:
		return OnBarLo
	}
	variant := theme.VariantLight
	if t.mode == Dark {
		variant = theme.VariantDark
	}
	return t.base.Color(n, variant)
}

// Size gives room to fingers.
func (t *Theme) Size(n fyne.ThemeSizeName) float32 {
	switch n {
	case theme.SizeNameText:
		return t.text
	case theme.SizeNameHeadingText:
		return t.text * 1.4
	case theme.SizeNameSubHeadingText:
		return t.text * 1.2
	case theme.SizeNameCaptionText:
		return max(16, t.text*0.85)
	case theme.SizeNameInnerPadding:
		return t.text * 0.6
	case theme.SizeNamePadding:
		return 6
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
