// Package photo makes, of a picture as the camera wrote it, the copy that travels
// and the thumbnail that lists show.
//
//	original    what the camera wrote: any size, turned by a tag, with the place
//	copy        JPEG, long side at most 2048 px, at most 400 kB, upright, no metadata
//	thumbnail   JPEG within 240 × 180 px
//
// Time and place are read from the original's EXIF and handed out, so that they
// enter the record, where they are sealed, and are not left in a file that is
// passed on. A picture is read as a stream; only its pixels are ever in memory,
// once, as the brightness and colour planes of the JPEG itself.
//
// This package knows neither visits nor where pictures are kept.
package photo

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
)

// What a copy and a thumbnail may be.
const (
	LongSide    = 2048     // pixels
	CopyBytes   = 400_000  // of a copy
	ThumbWidth  = 240      // pixels
	ThumbHeight = 180      // pixels
	MaxPixels   = 64 << 20 // of an original (invariant 10)
	MaxSide     = 32_768   // pixels
)

// An Error says why a file cannot be taken as a photo.
type Error struct {
	Why           string // no_photo, too_many_pixels
	Width, Height int
	Err           error
}

func (e *Error) Error() string {
	if e.Why == "too_many_pixels" {
		return fmt.Sprintf("the picture has %d × %d pixels, at most %d million are read", e.Width, e.Height, MaxPixels>>20)
	}
	return fmt.Sprintf("not a JPEG or PNG picture that can be read: %v", e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *Error) Code() string { return "photo." + e.Why }

// A Copy is what is kept and sent of a photo.
type Copy struct {
	JPEG          []byte
	Width, Height int    // of JPEG
	Thumbnail     []byte // JPEG
	Taken         string // "2026-05-01T09:12:33+08:00", without the offset where the camera gave none; "" if unknown
	Place         *Place // nil if unknown
}

// Place is where a photo was taken: WGS 84, degrees.
type Place struct{ Latitude, Longitude float64 }

// Make reads a JPEG or PNG and makes its copy and its thumbnail. Transparent
// parts become white. The error is an *Error if the file is at fault.
func Make(r io.Reader) (Copy, error) {
	// Metadata stands before the picture; what was read for it is read again.
	head := make([]byte, headBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return Copy{}, fmt.Errorf("read the photo: %w", err)
	}
	head = head[:n]
	source := &reading{r: io.MultiReader(bytes.NewReader(head), r)}
	pixels, err := decode(head, source)
	if err != nil {
		if source.err != nil {
			return Copy{}, fmt.Errorf("read the photo: %w", source.err)
		}
		return Copy{}, err
	}
	meta := readMeta(head)
	small := turn(reduce(pixels, LongSide, LongSide), meta.orientation)
	out := Copy{Taken: meta.taken, Place: meta.place}
	if out.JPEG, small, err = fit(small, CopyBytes); err != nil {
		return Copy{}, err
	}
	out.Width, out.Height = small.Rect.Dx(), small.Rect.Dy()
	out.Thumbnail, err = encode(reduce(small, ThumbWidth, ThumbHeight), thumbQuality)
	return out, err
}

// Thumbnail makes the thumbnail of a copy, or of any upright picture.
func Thumbnail(r io.Reader) ([]byte, error) {
	head := make([]byte, headBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the photo: %w", err)
	}
	head = head[:n]
	pixels, err := decode(head, io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return nil, err
	}
	return encode(turn(reduce(pixels, ThumbWidth, ThumbHeight), readMeta(head).orientation), thumbQuality)
}

// headBytes is how far into a file metadata is looked for: an APP1 segment has at
// most 64 KiB, and cameras write a few before the picture.
const headBytes = 256 << 10

// reading remembers the reader's own failure, which is not the picture's.
type reading struct {
	r   io.Reader
	err error
}

func (s *reading) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

var (
	jpegMark = []byte{0xff, 0xd8}
	pngMark  = []byte("\x89PNG\r\n\x1a\n")
)

// decode reads the pixels; head is how the file begins.
func decode(head []byte, r io.Reader) (*image.YCbCr, error) {
	config, read := jpeg.DecodeConfig, jpeg.Decode
	switch {
	case bytes.HasPrefix(head, jpegMark):
	case bytes.HasPrefix(head, pngMark):
		config, read = png.DecodeConfig, png.Decode
	default:
		return nil, &Error{Why: "no_photo", Err: image.ErrFormat}
	}
	c, err := config(bytes.NewReader(head))
	if err != nil {
		return nil, &Error{Why: "no_photo", Err: err}
	}
	switch {
	case c.Width <= 0 || c.Height <= 0:
		return nil, &Error{Why: "no_photo", Err: errors.New("it has no pixels")}
	case c.Width > MaxSide || c.Height > MaxSide || c.Width*c.Height > MaxPixels:
		return nil, &Error{Why: "too_many_pixels", Width: c.Width, Height: c.Height}
	}
	img, err := read(r)
	if err != nil {
		return nil, &Error{Why: "no_photo", Err: err}
	}
	if planes, ok := img.(*image.YCbCr); ok {
		return planes, nil
	}
	return planesOf(img), nil
}

// planesOf turns any other picture into planes, over white.
func planesOf(img image.Image) *image.YCbCr {
	b := img.Bounds()
	out := image.NewYCbCr(image.Rect(0, 0, b.Dx(), b.Dy()), image.YCbCrSubsampleRatio444)
	for y := range b.Dy() {
		for x := range b.Dx() {
			r, g, bl, a := img.At(b.Min.X+x, b.Min.Y+y).RGBA() // multiplied by a
			white := 0xffff - a
			i := y*out.YStride + x
			out.Y[i], out.Cb[i], out.Cr[i] = color.RGBToYCbCr(uint8((r+white)>>8), uint8((g+white)>>8), uint8((bl+white)>>8))
		}
	}
	return out
}

const (
	copyQuality  = 82
	leastQuality = 46 // below it numbers on a meter or a card are no longer read
	thumbQuality = 75
)

// fit writes a picture in at most limit bytes: first at lower quality, then
// smaller. It returns the pixels that it wrote.
func fit(img *image.YCbCr, limit int) ([]byte, *image.YCbCr, error) {
	for {
		for quality := copyQuality; quality >= leastQuality; quality -= 12 {
			out, err := encode(img, quality)
			if err != nil || len(out) <= limit {
				return out, img, err
			}
		}
		side := max(img.Rect.Dx(), img.Rect.Dy()) * 3 / 4
		img = reduce(img, side, side)
	}
}

func encode(img *image.YCbCr, quality int) ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("write the photo: %w", err)
	}
	return b.Bytes(), nil
}
