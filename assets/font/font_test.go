package font

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// names are characters that people have in their names and that cheap fonts lack;
// the last three are not even in GBK.
const names = "堃喆珺赟玥䶮㐂𠮷"

// gbk is every character of the encoding in which departments send their lists.
func gbk(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for high := 0x81; high <= 0xfe; high++ {
		for low := 0x40; low <= 0xfe; low++ {
			out, err := simplifiedchinese.GBK.NewDecoder().Bytes([]byte{byte(high), byte(low)})
			require.NoError(t, err)
			if r := bytes.Runes(out); len(r) == 1 && r[0] != '\ufffd' && !(r[0] >= 0xe000 && r[0] <= 0xf8ff) {
				all.WriteRune(r[0])
			}
		}
	}
	return all.String()
}

func TestEveryCharacterOfANameCanBeDrawn(t *testing.T) {
	all := gbk(t)
	require.Greater(t, len([]rune(all)), 21_000)
	for _, test := range []struct{ name, text, lacking string }{
		{"rare characters of names", names, ""},
		{"all of GBK but one sign that Noto does not have", all, "≒"},
		{"the general standard characters that GBK lacks", strings.TrimSpace(General), ""},
		{"characters of names and places of the border", strings.TrimSpace(Rare), ""},
		{"Latin, digits and signs", "Yunqi 459921 ≤ 8 MB ✓ → ●○ ⚠ ㎡ 　", ""},
		{"what is lacking is said once", "張𰻝麵𰻝", "𰻝"},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.lacking, Missing(test.text)) })
	}
}

// A character in the table whose outline is empty or the box of .notdef would be a
// lie, so the outlines themselves are looked at, in both weights.
func TestRareCharactersHaveOutlinesOfTheirOwn(t *testing.T) {
	for weight, data := range map[string][]byte{"regular": Regular, "bold": Bold} {
		f, err := sfnt.Parse(data)
		require.NoError(t, err)
		var b sfnt.Buffer
		draw := func(i sfnt.GlyphIndex) (s sfnt.Segments) {
			segments, err := f.LoadGlyph(&b, i, fixed.I(20), nil)
			require.NoError(t, err)
			return append(s, segments...)
		}
		box := draw(0)
		require.NotEmpty(t, box)
		seen := map[string]rune{}
		for _, r := range names + strings.TrimSpace(General) + strings.TrimSpace(Rare) {
			i, err := f.GlyphIndex(&b, r)
			require.NoError(t, err)
			require.NotZero(t, i, "%s lacks %c", weight, r)
			outline := draw(i)
			require.Greater(t, len(outline), 4, "%s: %c is blank", weight, r)
			require.NotEqual(t, box, outline, "%s: %c is a box", weight, r)
			key := fmt.Sprint(len(outline), outline.Bounds())
			if other, twice := seen[key]; twice && other != r {
				j, _ := f.GlyphIndex(&b, other)
				require.NotEqual(t, draw(j), outline, "%s: %c looks like %c", weight, r, other)
			}
			seen[key] = r
		}
	}
}

func TestTheFontsServeScreenAndPaper(t *testing.T) {
	for _, data := range [][]byte{Regular, Bold} {
		require.Equal(t, []byte{0, 1, 0, 0}, data[:4], "TrueType: the PDF writer reads nothing else")
		require.Contains(t, string(data[:512]), "glyf")
		require.NotContains(t, string(data[:512]), "CFF ")
		require.Less(t, len(data), 8<<20, "the program carries it")
	}
}
