package desktop

import (
	"bytes"
	"image"
	"image/jpeg"
	_ "image/png" // drawn signatures
	"io"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"golang.org/x/image/draw"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/look"
	"ironfeet/store"
)

// thumbSide is the long side of a thumbnail: pictures are decoded once, small ones
// are shown, since fifty full ones would take half a gigabyte.
const thumbSide = 480

// thumb shows a stored picture; while it is not here yet, it says so.
func (a *App) thumb(d store.Digest, w, h float32) fyne.CanvasObject {
	res, ok := a.thumbs[d]
	if !ok {
		data, err := a.small(d)
		if err != nil {
			return look.Least(w, h, look.Banner(a.t("photo_missing"), look.Plain))
		}
		res = fyne.NewStaticResource(d.String()+".jpg", data)
		a.thumbs[d] = res
	}
	img := canvas.NewImageFromResource(res)
	img.FillMode = canvas.ImageFillContain
	img.SetMinSize(fyne.NewSize(w, h))
	return img
}

// small reads a stored picture and shrinks it.
func (a *App) small(d store.Digest) ([]byte, error) {
	r, _, err := a.session.Office.Replica.OpenBlob(a.ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, visit.MaxPhotoBytes))
	if err != nil {
		return nil, err
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if config.Width*config.Height > visit.MaxPhotoPixels {
		return nil, image.ErrFormat
	}
	full, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	size := full.Bounds().Size()
	scale := float64(thumbSide) / float64(max(size.X, size.Y, 1))
	if scale > 1 {
		scale = 1
	}
	out := image.NewRGBA(image.Rect(0, 0, max(1, int(float64(size.X)*scale)), max(1, int(float64(size.Y)*scale))))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src) // drawings are transparent
	draw.ApproxBiLinear.Scale(out, out.Bounds(), full, full.Bounds(), draw.Over, nil)
	var b bytes.Buffer
	err = jpeg.Encode(&b, out, &jpeg.Options{Quality: 85})
	return b.Bytes(), err
}
