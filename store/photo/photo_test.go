package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// corners is a picture whose four corners are red, green, blue and white, clockwise
// from the top left.
func corners(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{220, 30, 30, 255}
			switch {
			case x >= w/2 && y < h/2:
				c = color.RGBA{30, 200, 30, 255}
			case x >= w/2:
				c = color.RGBA{30, 30, 220, 255}
			case y >= h/2:
				c = color.RGBA{250, 250, 250, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func jpegOf(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}))
	return b.Bytes()
}

// named names what stands in each corner, clockwise from the top left.
func named(t *testing.T, b []byte) string {
	img, err := jpeg.Decode(bytes.NewReader(b))
	require.NoError(t, err)
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	said := ""
	for _, p := range []image.Point{{w / 4, h / 4}, {w * 3 / 4, h / 4}, {w * 3 / 4, h * 3 / 4}, {w / 4, h * 3 / 4}} {
		r, g, b, _ := img.At(p.X, p.Y).RGBA()
		switch {
		case r > 0xe000 && g > 0xe000:
			said += "w"
		case r > g && r > b:
			said += "r"
		case g > b:
			said += "g"
		default:
			said += "b"
		}
	}
	return said
}

// withEXIF puts an APP1 segment behind the mark of a JPEG (EXIF 2.32, §4.6).
func withEXIF(file []byte, orientation uint16, taken, offset string, lat, long [3]uint32, south, west bool) []byte {
	be := binary.BigEndian
	var values []byte // behind the directories
	type tag struct {
		id, kind uint16
		count    uint32
		value    []byte
	}
	directory := func(at uint32, tags []tag) []byte {
		out := be.AppendUint16(nil, uint16(len(tags)))
		behind := at + 2 + uint32(len(tags))*12 + 4
		values = nil
		for _, g := range tags {
			out = be.AppendUint32(be.AppendUint16(be.AppendUint16(out, g.id), g.kind), g.count)
			if len(g.value) <= 4 {
				out = append(out, append(g.value, 0, 0, 0, 0)[:4]...)
			} else {
				out = be.AppendUint32(out, behind+uint32(len(values)))
				values = append(values, g.value...)
			}
		}
		return append(append(out, 0, 0, 0, 0), values...)
	}
	ascii := func(s string) []byte { return append([]byte(s), 0) }
	degrees := func(d [3]uint32) (out []byte) {
		for _, v := range d {
			out = be.AppendUint32(be.AppendUint32(out, v), 1)
		}
		return out
	}
	ref := func(yes bool, a, b string) []byte {
		if yes {
			return ascii(a)
		}
		return ascii(b)
	}
	sub := []tag{{0x9003, 2, 20, ascii(taken)}}
	if offset != "" {
		sub = append(sub, tag{0x9011, 2, 7, ascii(offset)})
	}
	const ifd0 = 8
	sizeOf0 := uint32(2 + 3*12 + 4)
	exif := directory(ifd0+sizeOf0, sub)
	gpsAt := ifd0 + sizeOf0 + uint32(len(exif))
	gps := directory(gpsAt, []tag{
		{1, 2, 2, ref(south, "S", "N")}, {2, 5, 3, degrees(lat)}, {3, 2, 2, ref(west, "W", "E")}, {4, 5, 3, degrees(long)},
	})
	first := directory(ifd0, []tag{
		{0x0112, 3, 1, be.AppendUint16(nil, orientation)},
		{0x8769, 4, 1, be.AppendUint32(nil, ifd0+sizeOf0)},
		{0x8825, 4, 1, be.AppendUint32(nil, gpsAt)},
	})
	body := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08"), first...)
	body = append(append(body, exif...), gps...)
	segment := be.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	return append(append(append([]byte{}, file[:2]...), append(segment, body...)...), file[2:]...)
}

func TestACopyIsUprightSmallAndSaysNothing(t *testing.T) {
	upright := "rgbw"
	for orientation, file := range map[uint16]string{1: "rgbw", 2: "grwb", 3: "bwrg", 4: "wbgr", 5: "rwbg", 6: "gbwr", 7: "bgrw", 8: "wrgb"} {
		// The camera wrote the corners in this order; turned, they are upright.
		img := image.NewRGBA(image.Rect(0, 0, 3000, 1600))
		upside := corners(3000, 1600)
		order := map[byte]image.Point{'r': {0, 0}, 'g': {2999, 0}, 'b': {2999, 1599}, 'w': {0, 1599}}
		for y := range 1600 {
			for x := range 3000 {
				quarter := 0
				switch {
				case x >= 1500 && y < 800:
					quarter = 1
				case x >= 1500:
					quarter = 2
				case y >= 800:
					quarter = 3
				}
				p := order[file[quarter]]
				img.SetRGBA(x, y, upside.RGBAAt(p.X, p.Y))
			}
		}
		camera := withEXIF(jpegOf(t, img), orientation, "2026:05:01 09:12:33", "+08:00", [3]uint32{24, 30, 36}, [3]uint32{108, 6, 0}, false, false)
		c, err := Make(bytes.NewReader(camera))
		require.NoError(t, err)
		require.Equal(t, upright, named(t, c.JPEG), "orientation %d", orientation)
		require.Equal(t, upright, named(t, c.Thumbnail), "orientation %d", orientation)
		require.Equal(t, 2048, max(c.Width, c.Height))
		if orientation >= 5 {
			require.Greater(t, c.Height, c.Width)
		}
		require.Equal(t, "2026-05-01T09:12:33+08:00", c.Taken)
		require.InDelta(t, 24.51, c.Place.Latitude, 1e-6)
		require.InDelta(t, 108.1, c.Place.Longitude, 1e-6)
		require.NotContains(t, string(c.JPEG), "Exif")
		require.NotContains(t, string(c.JPEG), "2026:05:01")
		require.NotContains(t, string(c.Thumbnail), "Exif")
		box, err := jpeg.DecodeConfig(bytes.NewReader(c.Thumbnail))
		require.NoError(t, err)
		require.LessOrEqual(t, box.Width, ThumbWidth)
		require.LessOrEqual(t, box.Height, ThumbHeight)
		require.True(t, box.Width == ThumbWidth || box.Height == ThumbHeight)
	}
}

func TestACopyIsNeverTooLarge(t *testing.T) {
	noise := image.NewYCbCr(image.Rect(0, 0, 2600, 2600), image.YCbCrSubsampleRatio444)
	r := rand.New(rand.NewPCG(1, 1))
	for _, p := range [][]uint8{noise.Y, noise.Cb, noise.Cr} {
		for i := range p {
			p[i] = uint8(r.Uint32())
		}
	}
	c, err := Make(bytes.NewReader(jpegOf(t, noise)))
	require.NoError(t, err)
	require.LessOrEqual(t, len(c.JPEG), CopyBytes)
	require.LessOrEqual(t, max(c.Width, c.Height), LongSide)
	got, err := jpeg.DecodeConfig(bytes.NewReader(c.JPEG))
	require.NoError(t, err)
	require.Equal(t, [2]int{c.Width, c.Height}, [2]int{got.Width, got.Height})
}

func TestASmallPhotoKeepsItsSize(t *testing.T) {
	c, err := Make(bytes.NewReader(jpegOf(t, corners(641, 479))))
	require.NoError(t, err)
	require.Equal(t, [2]int{641, 479}, [2]int{c.Width, c.Height})
	require.Empty(t, c.Taken)
	require.Nil(t, c.Place)
}

func TestTransparentPartsBecomeWhite(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 300, 200))
	for x := range 150 {
		for y := range 200 {
			img.SetNRGBA(x, y, color.NRGBA{0, 0, 0, 255})
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	c, err := Make(&b)
	require.NoError(t, err)
	back, err := jpeg.Decode(bytes.NewReader(c.JPEG))
	require.NoError(t, err)
	dark, _, _, _ := back.At(40, 100).RGBA()
	light, _, _, _ := back.At(260, 100).RGBA()
	require.Less(t, dark, uint32(0x1000))
	require.Greater(t, light, uint32(0xf000))
}

func TestWhatIsNoPhotoIsRefused(t *testing.T) {
	good := jpegOf(t, corners(640, 480))
	huge := append([]byte{}, good...)
	at := bytes.Index(huge, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(huge[at+5:], 32_000)
	binary.BigEndian.PutUint16(huge[at+7:], 32_000)
	for name, test := range map[string]struct {
		file []byte
		why  string
	}{
		"nothing":            {nil, "no_photo"},
		"a text":             {[]byte("这不是照片"), "no_photo"},
		"half a photo":       {good[:len(good)/2], "no_photo"},
		"more pixels":        {huge, "too_many_pixels"},
		"only the beginning": {good[:4], "no_photo"},
	} {
		_, err := Make(bytes.NewReader(test.file))
		var e *Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, test.why, e.Why, name)
		require.Equal(t, "photo."+test.why, e.Code())
	}
	broken := errors.New("the card was pulled out")
	_, err := Make(io.MultiReader(bytes.NewReader(good[:2000]), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken, "the reader's fault is not the photo's")
}

// Averaging areas agrees with the same done slowly in floating point.
func TestAveragingAreas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := plane{width: rapid.IntRange(1, 60).Draw(t, "w"), height: rapid.IntRange(1, 40).Draw(t, "h")}
		from.stride = from.width + 3
		from.pix = make([]uint8, from.stride*from.height)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for i := range from.pix {
			from.pix[i] = uint8(r.Uint32())
		}
		to := plane{width: rapid.IntRange(1, from.width).Draw(t, "to w"), height: rapid.IntRange(1, from.height).Draw(t, "to h")}
		to.stride = to.width
		to.pix = make([]uint8, to.stride*to.height)
		average(to, from)
		sx, sy := float64(from.width)/float64(to.width), float64(from.height)/float64(to.height)
		for y := range to.height {
			for x := range to.width {
				var sum float64
				for v := range from.height {
					for u := range from.width {
						w := math.Min(float64(u+1), float64(x+1)*sx) - math.Max(float64(u), float64(x)*sx)
						h := math.Min(float64(v+1), float64(y+1)*sy) - math.Max(float64(v), float64(y)*sy)
						if w > 0 && h > 0 {
							sum += w * h * float64(from.pix[v*from.stride+u])
						}
					}
				}
				if got, want := float64(to.pix[y*to.stride+x]), sum/(sx*sy); math.Abs(got-want) > 1.5 {
					t.Fatalf("pixel %d,%d is %v, should be %v", x, y, got, want)
				}
			}
		}
	})
}

func FuzzMake(f *testing.F) {
	small := jpegOf(f, corners(40, 30))
	f.Add(small)
	f.Add(withEXIF(small, 6, "2026:05:01 09:12:33", "", [3]uint32{24, 30, 36}, [3]uint32{108, 6, 0}, true, true))
	var b bytes.Buffer
	require.NoError(f, png.Encode(&b, corners(20, 20)))
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		if c, err := jpeg.DecodeConfig(bytes.NewReader(file)); err == nil && c.Width*c.Height > 1<<20 {
			return // slow, not wrong
		}
		if c, err := png.DecodeConfig(bytes.NewReader(file)); err == nil && c.Width*c.Height > 1<<20 {
			return
		}
		c, err := Make(bytes.NewReader(file))
		if err != nil {
			return
		}
		if len(c.JPEG) > CopyBytes || c.Width > LongSide || c.Height > LongSide {
			t.Fatalf("%d bytes, %d × %d", len(c.JPEG), c.Width, c.Height)
		}
	})
}

// BenchmarkTakeAPhoto is what a worker waits for after the camera: copy and
// thumbnail of 12 million pixels. The limit is decoding them.
func BenchmarkTakeAPhoto(b *testing.B) {
	img := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = uint8(i/7 + i/4000)
	}
	file := jpegOf(b, img)
	b.Run("decode only", func(b *testing.B) {
		for b.Loop() {
			_, err := jpeg.Decode(bytes.NewReader(file))
			require.NoError(b, err)
		}
	})
	b.Run("copy and thumbnail", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := Make(bytes.NewReader(file))
			require.NoError(b, err)
		}
	})
}
