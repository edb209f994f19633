package desktop

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/device"
	"ironfeet/app/desktop/look"
)

// cameraSheet shows what the camera sees and takes one picture of it. Without a
// camera it says so, and what to do instead.
func (a *App) cameraSheet(title string, take func(jpeg []byte)) {
	ctx, cancel := context.WithCancel(a.ctx)
	path := a.settings.Camera
	size := a.size()
	shown := canvas.NewImageFromImage(image.NewGray(image.Rect(0, 0, 4, 3)))
	shown.FillMode = canvas.ImageFillContain
	shown.ScaleMode = canvas.ImageScaleFastest
	shown.SetMinSize(fyne.NewSize(min(640, size.Width-60), min(480, size.Height-220)))
	var last []byte
	var pop *widget.PopUp
	shut := func() {
		cancel()
		pop.Hide()
	}
	shoot := look.Primary(a.t("shoot"), theme.MediaPhotoIcon(), func() {
		if last == nil {
			return
		}
		frame := last
		shut()
		take(frame)
	})
	shoot.Disable()
	pop = widget.NewModalPopUp(container.NewBorder(look.Sub(title), container.NewGridWithColumns(2, look.Big(a.t("cancel"), nil, shut), shoot), nil, nil, shown), a.win.Canvas())
	pop.Show()
	go func() {
		camera, err := device.Open(path)
		if err != nil {
			a.post(func() {
				shut()
				a.fail(err)
			})
			return
		}
		defer camera.Close()
		for {
			frame, err := camera.Frame(ctx)
			if ctx.Err() != nil {
				return
			}
			var img image.Image
			if err == nil {
				img, err = jpeg.Decode(bytes.NewReader(frame))
			}
			if err != nil {
				a.post(func() {
					shut()
					a.fail(err)
				})
				return
			}
			fyne.DoAndWait(func() {
				last, shown.Image = frame, img
				shown.Refresh()
				shoot.Enable()
			})
		}
	}()
}
