package desktop

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"ironfeet/app/desktop/look"
	"ironfeet/store"
)

// thumbsMost bounds the thumbnails that are held; a day's visits have fewer.
const thumbsMost = 300

// thumb shows a stored picture's thumbnail; while it is not here yet, it says so.
// Full pictures are never shown in lists: fifty would take half a gigabyte.
func (a *App) thumb(d store.Digest, w, h float32) fyne.CanvasObject {
	res, ok := a.thumbs[d]
	if !ok {
		data, err := a.session.Office.Replica.Thumbnail(a.ctx, d)
		if err != nil {
			return look.Least(w, h, look.Banner(a.t("photo_missing"), look.Plain))
		}
		if len(a.thumbs) >= thumbsMost {
			clear(a.thumbs)
		}
		res = fyne.NewStaticResource(d.String()+".jpg", data)
		a.thumbs[d] = res
	}
	img := canvas.NewImageFromResource(res)
	img.FillMode = canvas.ImageFillContain
	img.SetMinSize(fyne.NewSize(w, h))
	return img
}
