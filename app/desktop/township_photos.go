package desktop

import (
	"bytes"
	"image"
	"io"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present/clerk"
	"ironfeet/store"
)

// photoView shows a visit's photos large, one at a time or beside the one that it
// resembles.
type photoView struct {
	*reviewView
	at      int
	zoom    float32 // 1: the whole picture
	compare bool
	panes   []*container.Scroll
}

// zooms are the steps of + and -.
const zoomStep, zoomMost = 1.5, 8

func (v *reviewView) photos(i int) {
	if len(v.page.Photos) == 0 {
		return
	}
	x := &photoView{reviewView: v, at: i, zoom: 1}
	x.compare = x.now().Like != (store.Digest{}) && x.now().Like != x.now().Digest
	x.show()
}

func (x *photoView) now() clerk.Photo { return x.page.Photos[x.at] }

func (x *photoView) show() {
	p := x.now()
	x.panes = nil
	body := x.pane(p.Digest)
	if x.compare && p.Like != (store.Digest{}) {
		other := container.NewBorder(look.Caption(x.say("photo_other", p.Of)), nil, nil, nil, x.pane(p.Like))
		body = container.NewGridWithColumns(2, body, other)
	}
	under := p.Hint
	back := func() { x.reviewView.show() }
	compare := look.Big(x.say("compare"), theme.ViewFullScreenIcon(), x.toggle)
	if p.Like == (store.Digest{}) { // it resembles none
		compare.Disable()
	}
	bar := container.NewGridWithColumns(5, look.Big("←", nil, func() { x.step(-1) }), look.Big("−", theme.ZoomOutIcon(), func() { x.scale(1 / zoomStep) }),
		look.Big("+", theme.ZoomInIcon(), func() { x.scale(zoomStep) }), compare, look.Big("→", nil, func() { x.step(1) }))
	x.App.show(x.head(x.say("photo_of", x.at+1, len(x.page.Photos), p.Label, p.When), under, back, x.show), body, bar)
	next, last := func() { x.step(1) }, func() { x.step(-1) }
	x.keysOf(map[fyne.KeyName]func(){
		fyne.KeyRight: next, fyne.KeyN: next, fyne.KeyJ: next, fyne.KeySpace: next, fyne.KeyLeft: last, fyne.KeyP: last, fyne.KeyK: last,
		fyne.KeyPlus: func() { x.scale(zoomStep) }, fyne.KeyEqual: func() { x.scale(zoomStep) }, fyne.KeyMinus: func() { x.scale(1 / zoomStep) },
		fyne.Key0: func() { x.zoom = 1; x.scale(1) }, fyne.KeyC: x.toggle,
		fyne.KeyUp: func() { x.pan(-1) }, fyne.KeyDown: func() { x.pan(1) },
	}, map[rune]func(){'?': func() { x.help("help_photos") }})
}

func (x *photoView) step(by int) {
	x.at = (x.at + by + len(x.page.Photos)) % len(x.page.Photos)
	x.zoom, x.compare = 1, false
	x.show()
}

func (x *photoView) toggle() {
	if x.now().Like != (store.Digest{}) {
		x.compare = !x.compare
		x.show()
	}
}

// pane shows a picture that scrolls both ways when it is enlarged.
func (x *photoView) pane(d store.Digest) fyne.CanvasObject {
	img, err := x.full(d)
	if err != nil {
		return container.NewCenter(look.Banner(x.t("photo_missing"), look.Plain))
	}
	picture := canvas.NewImageFromImage(img)
	picture.FillMode, picture.ScaleMode = canvas.ImageFillContain, canvas.ImageScaleSmooth
	pane := container.NewScroll(picture)
	x.panes = append(x.panes, pane)
	return pane
}

// scale enlarges what is shown around its middle.
func (x *photoView) scale(by float32) {
	x.zoom = max(1, min(zoomMost, x.zoom*by))
	for _, pane := range x.panes {
		size := pane.Size()
		picture := pane.Content.(*canvas.Image)
		old := pane.Content.Size()
		middle := fyne.NewPos((pane.Offset.X+size.Width/2)/max(old.Width, 1), (pane.Offset.Y+size.Height/2)/max(old.Height, 1))
		picture.SetMinSize(fyne.NewSize(size.Width*x.zoom, size.Height*x.zoom))
		if x.zoom == 1 {
			picture.SetMinSize(fyne.NewSize(0, 0))
		}
		pane.Refresh()
		pane.Offset = fyne.NewPos(max(0, middle.X*size.Width*x.zoom-size.Width/2), max(0, middle.Y*size.Height*x.zoom-size.Height/2))
		pane.Refresh()
	}
}

func (x *photoView) pan(by float32) {
	for _, pane := range x.panes {
		pane.Offset.Y = max(0, pane.Offset.Y+by*80)
		pane.Refresh()
	}
}

// full reads a picture in its own size.
func (x *photoView) full(d store.Digest) (image.Image, error) {
	r, _, err := x.session.Office.Replica.OpenBlob(x.ctx, d)
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
	img, _, err := image.Decode(bytes.NewReader(data))
	return img, err
}
