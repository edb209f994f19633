package export

import (
	"strings"
	"unicode/utf8"
)

// MaskID hides the birth date and sequence of an ID number: 459921********0013
// (domain.md §1). Anything shorter than ten characters is hidden whole.
func MaskID(s string) string { return keepEnds(s, 6, 4) }

// MaskPhone keeps three digits at the front and four at the end: 138****5678.
func MaskPhone(s string) string { return keepEnds(s, 3, 4) }

// MaskName keeps the first character: 韦**.
func MaskName(s string) string {
	if s == "" {
		return ""
	}
	_, n := utf8.DecodeRuneInString(s)
	return s[:n] + "**"
}

// maskBirth keeps the year.
func maskBirth(s string) string {
	if len(s) < 4 {
		return strings.Repeat("*", utf8.RuneCountInString(s))
	}
	return s[:4] + "-**-**"
}

func keepEnds(s string, front, back int) string {
	r := []rune(s)
	if len(r) < front+back {
		return strings.Repeat("*", len(r))
	}
	return string(r[:front]) + strings.Repeat("*", len(r)-front-back) + string(r[len(r)-back:])
}
