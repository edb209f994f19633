// Package font holds Noto Sans CJK SC in two weights: all of GBK, the 8105 general
// standard characters (通用规范汉字表) and rare ones of names and places, as TrueType
// outlines, which the screens and the PDF writer both read (rebuild.py; SIL Open
// Font License, OFL.txt).
package font

import (
	_ "embed" // the fonts
	"strings"
	"sync"

	"golang.org/x/image/font/sfnt"
)

// Regular and Bold are TrueType fonts with the same characters.
var (
	//go:embed NotoSansSC-Regular.ttf
	Regular []byte
	//go:embed NotoSansSC-Bold.ttf
	Bold []byte
	// Rare lists characters of names and places that must be there.
	//go:embed rare.txt
	Rare string
	// General lists the general standard characters that GBK lacks.
	//go:embed general.txt
	General string
)

// cut is the regular font's table of characters. That the font parses is tested.
var cut = sync.OnceValue(func() *sfnt.Font {
	f, err := sfnt.Parse(Regular)
	if err != nil {
		panic("the embedded font: " + err.Error())
	}
	return f
})

// Missing are the characters of a text that the fonts cannot draw, each once: a
// name that holds one is to be photographed as it was written by hand, and a PDF
// must not leave it out in silence.
func Missing(text string) string {
	var lacking strings.Builder
	var b sfnt.Buffer
	for _, r := range text {
		if r == '\n' || r == '\r' || r == '\t' || strings.ContainsRune(lacking.String(), r) {
			continue
		}
		if i, err := cut().GlyphIndex(&b, r); err != nil || i == 0 {
			lacking.WriteRune(r)
		}
	}
	return lacking.String()
}
