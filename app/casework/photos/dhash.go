// Package photos finds photos that were used twice: the same bytes by their
// digest, and the same picture, recompressed or scaled, by a perceptual hash.
//
// The hash is dHash: the picture is shrunk to 9 × 8 shades of grey, and each of
// the 64 bits says whether a place is brighter than its neighbour to the right. A
// recompressed photo is about 1 bit away, another one about 28. Whoever is told of
// a likeness is told how many bits; a person looks (it is a hint, no verdict).
package photos

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // photos
	_ "image/png"  // drawn signatures
	"math/bits"

	"ironfeet/app/casework/visit"
)

// A Hash is a photo's perceptual hash; 0 means that there is too little in the
// picture to tell it from another (a dark room, a lens cap).
type Hash uint64

// Distance is in how many of 64 places two pictures differ.
func (h Hash) Distance(o Hash) int { return bits.OnesCount64(uint64(h ^ o)) }

// least is the range of grey below which a picture shows nothing.
const least = 12

// HashOf is a picture's hash.
func HashOf(data []byte) (Hash, error) {
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0, fmt.Errorf("hash a photo: %w", err)
	}
	if config.Width*config.Height > visit.MaxPhotoPixels || config.Width < 9 || config.Height < 8 {
		return 0, nil
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return 0, fmt.Errorf("hash a photo: %w", err)
	}
	return hash(grey(img)), nil
}

const columns, rows = 9, 8

// grey is the mean brightness of each of 9 × 8 fields.
func grey(img image.Image) (mean [rows][columns]uint32) {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	ycc, _ := img.(*image.YCbCr)
	// Every fourth pixel of a large picture is enough for a mean of thousands.
	step := max(1, min(w/(columns*16), h/(rows*16)))
	for y := range rows {
		for x := range columns {
			x0, x1 := b.Min.X+x*w/columns, b.Min.X+(x+1)*w/columns
			y0, y1 := b.Min.Y+y*h/rows, b.Min.Y+(y+1)*h/rows
			var sum, n uint64
			for py := y0; py < y1; py += step {
				for px := x0; px < x1; px += step {
					if ycc != nil {
						sum += uint64(ycc.Y[ycc.YOffset(px, py)])
					} else {
						r, g, bl, _ := img.At(px, py).RGBA()
						sum += uint64((299*r + 587*g + 114*bl) / 1000 >> 8)
					}
					n++
				}
			}
			mean[y][x] = uint32(sum * 16 / max(n, 1)) // sixteenths: a mean is finer than a shade
		}
	}
	return mean
}

func hash(mean [rows][columns]uint32) Hash {
	low, high := mean[0][0], mean[0][0]
	var h Hash
	for y := range rows {
		for x := range columns {
			low, high = min(low, mean[y][x]), max(high, mean[y][x])
			if x+1 < columns && mean[y][x] > mean[y][x+1] {
				h |= 1 << (y*8 + x)
			}
		}
	}
	if high-low < least*16 || bits.OnesCount64(uint64(h)) < 4 || bits.OnesCount64(uint64(h)) > 60 {
		return 0
	}
	return h
}
