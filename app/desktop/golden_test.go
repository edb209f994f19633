package desktop

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"fyne.io/fyne/v2"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

// capture draws what is on the screen, as it stands after the layout has come to
// rest: wrapped labels know their height only after the first.
func (h *hand) capture() image.Image {
	h.t.Helper()
	size := h.app.win.Canvas().Size()
	h.app.win.Resize(size.AddWidthHeight(1, 0))
	h.app.win.Resize(size)
	img := h.app.win.Canvas().Capture()
	require.Equal(h.t, int(size.Width), img.Bounds().Dx())
	return img
}

func (h *hand) file(name string) string {
	size := h.app.win.Canvas().Size()
	return fmt.Sprintf("%s-%dx%d.png", name, int(size.Width), int(size.Height))
}

// picture keeps what is on the screen, for people to look at, where
// IRONFEET_PICTURES names a folder; everywhere it proves that the screen draws.
func (h *hand) picture(name string) {
	h.t.Helper()
	img := h.capture()
	require.Greater(h.t, colours(img), 2, "the screen is blank")
	h.keep(name, img)
}

func (h *hand) keep(name string, img image.Image) {
	if dir := os.Getenv("IRONFEET_PICTURES"); dir != "" {
		path := filepath.Join(dir, h.file(name))
		require.NoError(h.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(h.t, os.WriteFile(path, encoded(h.t, img), 0o644))
	}
}

func colours(img image.Image) int {
	seen := map[uint32]bool{}
	for x := 0; x < img.Bounds().Dx(); x += 7 {
		for y := 0; y < img.Bounds().Dy(); y += 7 {
			r, g, b, _ := img.At(x, y).RGBA()
			seen[r>>12<<8|g>>12<<4|b>>12] = true
		}
	}
	return len(seen)
}

// encoded is a PNG of few colours: screens have some hundreds, and a picture of 64
// kB becomes one of 25.
func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, few(img)))
	return b.Bytes()
}

// few is the picture with a palette: its own colours if there are no more than 256,
// else rounded as little as it takes; a screen with a photo stays as it is.
func few(img image.Image) image.Image {
	for _, steps := range []int{1, 6, 10} {
		if p := paletted(img, steps); p != nil {
			return p
		}
	}
	return img
}

func paletted(img image.Image, steps int) image.Image {
	b := img.Bounds()
	index := map[color.NRGBA]uint8{}
	var palette color.Palette
	round := func(v uint8) uint8 { return uint8(min(255, (int(v)+steps/2)/steps*steps)) }
	out := image.NewPaletted(b, nil)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			c = color.NRGBA{round(c.R), round(c.G), round(c.B), 255}
			i, ok := index[c]
			if !ok {
				if len(palette) == 256 {
					return nil
				}
				i = uint8(len(palette))
				index[c] = i
				palette = append(palette, c)
			}
			out.Pix[(y-b.Min.Y)*out.Stride+x-b.Min.X] = i
		}
	}
	out.Palette = palette
	return out
}

// Golden pictures may differ in how an edge is smoothed, not in what is where: a
// pixel counts as other from this difference of a channel on, and this share of
// pixels may be other.
const (
	otherFrom  = 48
	otherShare = 0.002
)

//	what is on the screen with the picture kept in testdata, or keeps
//
// it with -update (make golden).
func (h *hand) golden(name string) {
	h.t.Helper()
	img := h.capture()
	require.Greater(h.t, colours(img), 2, "the screen is blank")
	h.keep(name, img)
	path := filepath.Join("testdata", "golden", h.file(name))
	if *update {
		require.NoError(h.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(h.t, os.WriteFile(path, encoded(h.t, img), 0o644))
		return
	}
	data, err := os.ReadFile(path)
	require.NoError(h.t, err, "no golden picture; make golden writes it, look at it before you commit")
	want, err := png.Decode(bytes.NewReader(data))
	require.NoError(h.t, err)
	share := differing(want, img)
	if share > otherShare {
		got := filepath.Join(os.TempDir(), "ironfeet-"+filepath.Base(h.file(name)))
		_ = os.WriteFile(got, encoded(h.t, img), 0o644)
		require.Fail(h.t, "the screen looks otherwise", "%s: %.2f %% of it; see %s, and make golden if it is meant", path, share*100, got)
	}
}

func differing(a, b image.Image) float64 {
	if a.Bounds().Size() != b.Bounds().Size() {
		return 1
	}
	count := 0
	size := a.Bounds().Size()
	for y := range size.Y {
		for x := range size.X {
			r, g, bl, _ := a.At(a.Bounds().Min.X+x, a.Bounds().Min.Y+y).RGBA()
			r2, g2, bl2, _ := b.At(b.Bounds().Min.X+x, b.Bounds().Min.Y+y).RGBA()
			if apart(r, r2) || apart(g, g2) || apart(bl, bl2) {
				count++
			}
		}
	}
	return float64(count) / float64(size.X*size.Y)
}

func apart(a, b uint32) bool { return max(a, b)-min(a, b) > otherFrom<<8 }

func TestADifferenceIsSeen(t *testing.T) {
	a := image.NewGray(image.Rect(0, 0, 100, 100))
	b := image.NewGray(image.Rect(0, 0, 100, 100))
	require.Zero(t, differing(a, b))
	for x := range 100 {
		b.SetGray(x, 50, color.Gray{200})
	}
	require.InDelta(t, 0.01, differing(a, b), 1e-9)
	require.Greater(t, differing(a, b), otherShare)
	require.Equal(t, 1.0, differing(a, image.NewGray(image.Rect(0, 0, 100, 99))))
}

// pictured are the sizes that screens are designed for.
var pictured = []fyne.Size{{Width: 1280, Height: 800}, {Width: 800, Height: 1280}, {Width: 412, Height: 915}}
