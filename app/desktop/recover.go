package desktop

import (
	"bytes"
	"image/png"
	"io"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

// recoverScreen takes a person who forgot the PIN to a new one: a request for the
// county, its answer, the new PIN.
func (a *App) recoverScreen(p vault.PersonInfo) {
	ask, err := present.AskRecovery(a.options.World, a.options.Dir, p)
	if !a.fail(err) {
		a.recoverWith(p, ask)
	}
}

func (a *App) recoverWith(p vault.PersonInfo, ask present.Recovery) {
	a.class = a.widthNow()
	picture := canvas.NewImageFromReader(bytes.NewReader(ask.Picture), "recovery.png")
	picture.FillMode, picture.ScaleMode = canvas.ImageFillContain, canvas.ImageScalePixels
	if c, err := png.DecodeConfig(bytes.NewReader(ask.Picture)); err == nil { // as it is: a code that is squeezed is hard to scan
		picture.SetMinSize(fyne.NewSize(float32(c.Width), float32(c.Height)))
	}
	told := look.Caption("")
	told.Hide()
	tell := func(text string) {
		look.SetText(told, text)
		told.Show()
	}
	request := look.Box(look.Sub(a.t("recover_ask")), look.Head(a.t("recover_check", ask.Check[:3], ask.Check[3:])), look.Text(a.t("recover_check_hint")),
		container.New(rowWrap(),
			look.Big(a.t("recover_save"), theme.DocumentSaveIcon(), func() {
				a.folder(func(to place) {
					name := a.t("recover_name", strings.Map(plainName, p.Name))
					err := to.put(a.options, name, func(path string) error { return world.WriteFile(a.options.World.Disk, path, []byte(ask.Request)) })
					if !a.fail(err) {
						tell(a.t("recover_saved", name))
					}
				})
			}),
			look.Big(a.t("recover_copy"), theme.ContentCopyIcon(), func() {
				a.app.Clipboard().SetContent(ask.Request)
				tell(a.t("recover_copied"))
			})), told, look.Caption(a.t("recover_scan")), container.NewCenter(picture))

	answer := widget.NewMultiLineEntry()
	answer.Wrapping = fyne.TextWrapBreak
	answer.SetMinRowsVisible(4)
	answer.SetPlaceHolder(a.t("recover_answer_place"))
	file := look.Big(a.t("recover_file"), theme.FolderOpenIcon(), func() {
		a.openFile([]string{".txt", ".png", ".jpg", ".jpeg"}, func(name string, open func() (io.ReadCloser, error)) {
			text, err := present.AnswerFrom(name, open)
			if !a.fail(err) {
				answer.SetText(text)
			}
		})
	})

	pin, again := widget.NewPasswordEntry(), widget.NewPasswordEntry()
	pin.SetPlaceHolder(a.t("recover_pin"))
	again.SetPlaceHolder(a.t("recover_twice"))
	do := look.Primary(a.t("recover_do"), theme.ConfirmIcon(), func() {
		session, err := present.Recover(a.ctx, a.options.World, a.options.Dir, p, answer.Text, pin.Text, again.Text, a.say)
		if a.fail(err) {
			return
		}
		a.enter(session)
		a.tell(a.t("recover_done"), a.t("recover_done_text"))
	})
	a.show(header{title: a.t("recover"), under: p.Name, back: func() { a.pinScreen(p) }}, look.Middle(680, scroll(container.NewVBox(
		look.Text(a.t("recover_lead")), request,
		look.Box(look.Sub(a.t("recover_answer")), answer, container.New(rowWrap(), file)),
		look.Box(look.Sub(a.t("recover_new")), pin, again)))), do)
}
