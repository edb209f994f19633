package device

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // pictures of codes
	_ "image/png"  // pictures of codes
	"io"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// A CodeError says why a picture gave no code.
type CodeError struct {
	Why string // no_picture, no_code
	Err error
}

func (e *CodeError) Error() string {
	return fmt.Sprintf("read a code from a picture: %s: %v", e.Why, e.Err)
}
func (e *CodeError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *CodeError) Code() string { return "device.code_" + e.Why }

// Limits of a picture of a code.
const (
	maxCodeBytes  = 20 << 20
	maxCodePixels = 40_000_000
)

// ReadCode reads the QR code or barcode in a picture.
func ReadCode(r io.Reader) (text string, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxCodeBytes+1))
	if err != nil {
		return "", &CodeError{"no_picture", err}
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || int64(c.Width)*int64(c.Height) > maxCodePixels || len(data) > maxCodeBytes {
		return "", &CodeError{"no_picture", err}
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return "", &CodeError{"no_picture", err}
	}
	defer func() { // the reader is of 2021 and indexes by what the picture says
		if p := recover(); p != nil {
			text, err = "", &CodeError{"no_code", fmt.Errorf("%v", p)}
		}
	}()
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	var last error
	for _, reader := range []gozxing.Reader{qrcode.NewQRCodeReader(), oned.NewCode128Reader(), oned.NewEAN13Reader(), oned.NewCode39Reader(), oned.NewITFReader()} {
		for _, binarise := range []func(gozxing.LuminanceSource) gozxing.Binarizer{gozxing.NewHybridBinarizer, gozxing.NewGlobalHistgramBinarizer} {
			bitmap, err := gozxing.NewBinaryBitmap(binarise(gozxing.NewLuminanceSourceFromImage(img)))
			if err != nil {
				return "", &CodeError{"no_picture", err}
			}
			result, err := reader.Decode(bitmap, hints)
			if err == nil {
				return result.GetText(), nil
			}
			last = err
		}
	}
	return "", &CodeError{"no_code", last}
}
