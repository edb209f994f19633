package photos

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/draw"
	"pgregory.net/rapid"

	"ironfeet/assets/yunqi"
	"ironfeet/store"
)

// scene paints a picture of large random fields: like a photo, it has light and
// dark places, and no two are alike.
func scene(seed uint64, w, h int) image.Image {
	r := rand.New(rand.NewPCG(seed, 3))
	small := image.NewRGBA(image.Rect(0, 0, 12, 9))
	for i := range small.Pix {
		small.Pix[i] = uint8(r.IntN(256))
	}
	for y := range 9 {
		for x := range 12 {
			c := small.RGBAAt(x, y)
			c.A = 255
			small.SetRGBA(x, y, c)
		}
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(out, out.Bounds(), small, small.Bounds(), draw.Src, nil)
	return out
}

func jpegOf(t testing.TB, img image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}))
	return b.Bytes()
}

func hashed(t testing.TB, data []byte) Hash {
	t.Helper()
	h, err := HashOf(data)
	require.NoError(t, err)
	return h
}

func TestTheSamePictureAgain(t *testing.T) {
	var others []Hash
	for other := range uint64(8) {
		others = append(others, hashed(t, jpegOf(t, scene(other, 320, 240), 90)))
	}
	for seed := range uint64(8) {
		img := scene(seed, 320, 240)
		first := hashed(t, jpegOf(t, img, 90))
		require.NotZero(t, first)
		require.LessOrEqual(t, first.Distance(hashed(t, jpegOf(t, img, 35))), 3, "recompressed")
		half := image.NewRGBA(image.Rect(0, 0, 160, 120))
		draw.ApproxBiLinear.Scale(half, half.Bounds(), img, img.Bounds(), draw.Src, nil)
		require.LessOrEqual(t, first.Distance(hashed(t, jpegOf(t, half, 80))), 3, "scaled")
		for other, h := range others {
			if other != int(seed) {
				require.Greater(t, first.Distance(h), MaxBits, "another picture")
			}
		}
	}
}

func TestPicturesThatShowNothing(t *testing.T) {
	dark := image.NewGray(image.Rect(0, 0, 640, 480))
	for i := range dark.Pix {
		dark.Pix[i] = uint8(20 + i%3)
	}
	require.Zero(t, hashed(t, jpegOf(t, dark, 90)), "a lens cap")
	sky := image.NewGray(image.Rect(0, 0, 640, 480))
	for y := range 480 {
		for x := range 640 {
			sky.SetGray(x, y, color.Gray{uint8(x * 255 / 640)})
		}
	}
	require.Zero(t, hashed(t, jpegOf(t, sky, 90)), "one slope")
	require.Zero(t, hashed(t, jpegOf(t, scene(1, 8, 6), 90)), "smaller than the hash")
	_, err := HashOf([]byte("no picture"))
	require.Error(t, err)
	a := &Album{hashes: map[store.Digest]Hash{}, dirty: map[byte]bool{}}
	a.Add(store.DigestOf([]byte("a")), 0)
	a.Add(store.DigestOf([]byte("b")), 0)
	require.Empty(t, a.Likes(store.DigestOf([]byte("a"))), "nothing resembles nothing")
}

// The bands find what comparing with everything finds, no more and no less.
func TestTheBandsMissNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := &Album{hashes: map[store.Digest]Hash{}, dirty: map[byte]bool{}}
		base := rapid.Uint64Range(1, 1<<63).Draw(t, "base")
		var all []store.Digest
		for i, flips := range rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 63), 0, 12), 1, 30).Draw(t, "others") {
			h := base
			for _, f := range flips {
				h ^= 1 << f
			}
			d := store.DigestOf(binary.BigEndian.AppendUint64(nil, uint64(i)))
			if i%2 == 0 { // some before the bands are made, some after
				a.Add(d, Hash(h))
				a.Likes(d)
			} else {
				a.Add(d, Hash(h))
			}
			all = append(all, d)
		}
		for _, d := range all {
			var want []store.Digest
			for _, o := range all {
				if o != d && a.hashes[d] != 0 && a.hashes[o] != 0 && a.hashes[d].Distance(a.hashes[o]) <= MaxBits {
					want = append(want, o)
				}
			}
			var got []store.Digest
			for _, l := range a.Likes(d) {
				got = append(got, l.Photo)
			}
			if len(got) != len(want) {
				t.Fatalf("found %d, want %d", len(got), len(want))
			}
			for _, o := range want {
				if !slices.Contains(got, o) {
					t.Fatalf("%s was missed", o)
				}
			}
		}
	})
}

func FuzzHashOf(f *testing.F) {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, scene(1, 64, 48), nil)
	f.Add(b.Bytes())
	f.Add(yunqi.Signature(1)[:200])
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = HashOf(data) })
}

// BenchmarkSearch100000Photos is one photo laid beside a hundred thousand: the
// limit is 50 ms.
func BenchmarkSearch100000Photos(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	a := &Album{hashes: map[store.Digest]Hash{}, dirty: map[byte]bool{}}
	var digests []store.Digest
	for i := range 100_000 {
		d := store.DigestOf(fmt.Append(nil, i))
		a.Add(d, Hash(r.Uint64()))
		digests = append(digests, d)
	}
	a.Likes(digests[0])
	b.ResetTimer()
	for i := range b.N {
		a.Likes(digests[i%len(digests)])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50e6, "of_50ms")
}

func BenchmarkHashOfAPhoto(b *testing.B) {
	data := jpegOf(b, scene(1, 2048, 1536), 80)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := HashOf(data); err != nil {
			b.Fatal(err)
		}
	}
}
