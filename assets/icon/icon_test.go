package icon

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Android cuts an adaptive icon by a mask of the launcher's: 108 dp wide, of which the
// circle of 66 dp in the middle always stays. The foot lies within it, and the ground
// reaches every edge.
func TestTheAdaptiveIconStandsUnderEveryMask(t *testing.T) {
	text, err := os.ReadFile("../../FyneApp.toml")
	require.NoError(t, err)
	layers := map[string]image.Image{}
	for _, m := range regexp.MustCompile(`(Foreground|Background|Monochrome) = "(.+)"`).FindAllStringSubmatch(string(text), -1) {
		f, err := os.Open(filepath.Join("../..", m[2]))
		require.NoError(t, err, m[1])
		defer f.Close()
		layers[m[1]], err = png.Decode(f)
		require.NoError(t, err, m[1])
		require.Equal(t, image.Rect(0, 0, 432, 432), layers[m[1]].Bounds(), m[1])
	}
	require.Len(t, layers, 3)
	const middle, radius = 216, 432 * 33 / 108
	for name, img := range layers {
		inked := 0
		for y := range 432 {
			for x := range 432 {
				_, _, _, a := img.At(x, y).RGBA()
				if name == "Background" {
					require.Equal(t, uint32(0xffff), a, "%d,%d", x, y)
					continue
				}
				if dx, dy := x-middle, y-middle; dx*dx+dy*dy > radius*radius {
					require.Zero(t, a, "%s: %d,%d may be cut off", name, x, y)
				} else if a > 0 {
					inked++
				}
			}
		}
		require.True(t, name == "Background" || inked > 10_000, "%s is empty", name)
	}
}
