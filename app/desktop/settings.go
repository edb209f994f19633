package desktop

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"

	"ironfeet/app/desktop/device"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
)

// settingsScreen is how the screens are: every change shows at once and is kept.
func (a *App) settingsScreen(back func()) {
	s := a.settings
	change := func(set func(*present.Settings)) func() {
		return func() {
			next := a.settings
			set(&next)
			a.fail(present.WriteSettings(a.options.World, a.options.Dir, next))
			a.apply(next)
			a.settingsScreen(back)
		}
	}
	a.class = a.widthNow()
	part := func(title string, choices ...fyne.CanvasObject) fyne.CanvasObject {
		return look.Box(look.Bold(title), container.New(rowWrap(), choices...))
	}
	var sizes, modes, langs, locks []fyne.CanvasObject
	for text := float32(look.TextLeast); text <= look.TextMost; text += 2 {
		sizes = append(sizes, look.Choice(fmt.Sprint(text), s.Text == text, change(func(n *present.Settings) { n.Text = text })))
	}
	for _, m := range look.Modes {
		modes = append(modes, look.Choice(a.t("mode_"+string(m)), s.Mode == string(m), change(func(n *present.Settings) { n.Mode = string(m) })))
	}
	for _, lang := range []string{"zh", "en"} {
		langs = append(langs, look.Choice(a.t("lang_"+lang), s.Lang == lang, change(func(n *present.Settings) { n.Lang = lang })))
	}
	for _, minutes := range present.LockChoices {
		locks = append(locks, look.Choice(a.t("minutes", minutes), s.LockMinutes == minutes, change(func(n *present.Settings) { n.LockMinutes = minutes })))
	}
	list := container.NewVBox(part(a.t("set_text"), sizes...), part(a.t("set_mode"), modes...), part(a.t("set_lang"), langs...), part(a.t("set_lock"), locks...))
	keep := func(byHand bool) func() {
		return change(func(n *present.Settings) { n.ByHand = byHand })
	}
	list.Add(part(a.t("set_keep"), look.Choice(a.t("keep_yes"), !s.ByHand, keep(false)), look.Choice(a.t("keep_no"), s.ByHand, keep(true))))
	if a.session != nil {
		list.Add(a.deviceSettings(change))
		if n, err := a.session.Looks(a.ctx); err == nil {
			list.Add(look.Caption(a.t("looks", n)))
		}
	}
	a.show(header{title: a.t("settings"), back: back, again: func() { a.settingsScreen(back) }}, look.Middle(820, scroll(list)))
}

// deviceSettings are where pictures and positions come from.
func (a *App) deviceSettings(change func(func(*present.Settings)) func()) fyne.CanvasObject {
	s := a.settings
	cameras := []fyne.CanvasObject{look.Choice(a.t("camera_first"), s.Camera == "", change(func(n *present.Settings) { n.Camera = "" }))}
	for _, name := range device.Cameras("/dev") {
		cameras = append(cameras, look.Choice(name, s.Camera == name, change(func(n *present.Settings) { n.Camera = name })))
	}
	watched := a.t("watch_none")
	if s.Watch != "" {
		watched = s.Watch
	}
	folder := container.New(rowWrap(), look.Big(a.t("watch_choose"), theme.FolderOpenIcon(), func() {
		open := dialog.NewFolderOpen(func(d fyne.ListableURI, err error) {
			if a.fail(err) || d == nil {
				return
			}
			change(func(n *present.Settings) { n.Watch = d.Path() })()
		}, a.win)
		open.Show()
	}))
	if s.Watch != "" {
		folder.Add(look.Big(a.t("watch_stop"), theme.CancelIcon(), change(func(n *present.Settings) { n.Watch = "" })))
	}
	return look.Box(look.Bold(a.t("set_camera")), container.New(rowWrap(), cameras...), look.Bold(a.t("set_watch")), look.Caption(watched), folder)
}
