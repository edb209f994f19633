package desktop

import (
	"context"
	"io"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/casework/office"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/app/practice"
	"ironfeet/store/vault"
	"ironfeet/sync/exchange"
)

// unlockScreen asks who is there.
func (a *App) unlockScreen() {
	a.resume = nil
	a.lock()
	people, err := present.People(a.options.World, a.options.Dir)
	if present.NotEnrolled(err) {
		a.joinScreen()
		return
	}
	a.class = a.widthNow()
	list := container.NewVBox(look.Head(a.t("who")), look.Caption(a.t("who_hint")))
	for _, p := range people {
		name := look.Bold(p.Name)
		list.Add(look.NewTile(container.NewBorder(nil, nil, widget.NewIcon(theme.AccountIcon()), widget.NewIcon(theme.NavigateNextIcon()), name), func() { a.pinScreen(p) }))
	}
	a.show(header{title: a.t("title"), under: a.t("subtitle"), again: a.unlockScreen, right: []fyne.CanvasObject{
		action(a.t("settings"), theme.SettingsIcon(), func() { a.settingsScreen(a.unlockScreen) }),
	}}, look.Middle(620, scroll(list)))
	a.fail(err)
}

// pinScreen takes the PIN: keys large enough for gloves, or the keyboard.
func (a *App) pinScreen(p vault.PersonInfo) {
	resume := a.resume
	pin := ""
	dots := widget.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	said := look.Text("")
	said.Alignment = fyne.TextAlignCenter
	said.Importance = widget.DangerImportance
	draw := func() {
		dots.SetText(strings.Repeat("●  ", len(pin)) + strings.Repeat("○  ", max(0, 6-len(pin))))
	}
	draw()
	busy := false
	enter := func() {
		if busy {
			return
		}
		busy = true
		session, err := present.Unlock(a.ctx, a.options.World, a.options.Dir, p, pin, a.say)
		busy = false
		if err != nil {
			pin = ""
			draw()
			text, hint := a.say.Error(err)
			look.SetText(said, strings.TrimSpace(text+" "+hint))
			return
		}
		a.enter(session)
		if resume != nil { // the lock had come down in the middle of a visit
			resume()
		}
	}
	digit := func(d string) {
		if len(pin) < 16 {
			pin += d
		}
		draw()
	}
	rub := func() {
		if pin != "" {
			pin = pin[:len(pin)-1]
		}
		draw()
	}
	keys := container.NewGridWithColumns(3)
	key := func(label string, tapped func()) *look.Tile {
		text := look.Title(label)
		text.Alignment = fyne.TextAlignCenter
		t := look.NewTile(container.NewCenter(text), tapped)
		keys.Add(look.Least(84, 64, t))
		return t
	}
	for _, d := range strings.Split("123456789", "") {
		key(d, func() { digit(d) })
	}
	key("⌫", rub)
	key("0", func() { digit("0") })
	ok := key("✓", enter)
	ok.Chosen = true
	ok.Refresh()
	a.class = a.widthNow()
	column := container.NewVBox(look.Head(p.Name), look.Caption(a.t("pin")), dots, keys, said, look.Flat(a.t("forgot"), theme.QuestionIcon(), func() { a.recoverScreen(p) }))
	if a.options.Demo {
		column.Add(look.Banner(a.t("demo_pin", practice.PIN), look.Notice))
	}
	a.show(header{title: a.t("title"), back: a.unlockScreen, again: func() { a.resume = resume; a.pinScreen(p) }}, look.Middle(460, scroll(column)))
	for i, name := range []fyne.KeyName{fyne.Key0, fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4, fyne.Key5, fyne.Key6, fyne.Key7, fyne.Key8, fyne.Key9} {
		a.keys[name] = func() { digit(string(rune('0' + i))) }
	}
	a.keys[fyne.KeyBackspace] = rub
	a.keys[fyne.KeyReturn], a.keys[fyne.KeyEnter] = enter, enter
}

// enter begins a person's work.
func (a *App) enter(session *present.Session) {
	a.session = session
	a.touch()
	a.keep()
	a.home()
}

// joinScreen enrols a machine that has no data yet: by a code that is typed, a file
// that holds it, or a picture of its QR code.
func (a *App) joinScreen() {
	code := widget.NewMultiLineEntry()
	code.Wrapping = fyne.TextWrapBreak
	code.SetPlaceHolder(a.t("code_place"))
	code.SetMinRowsVisible(3)
	people := container.NewVBox()
	var next *widget.Button
	inquire := func() {
		next.Disable()
		text := strings.TrimSpace(code.Text)
		go func() {
			invited, err := office.Look(a.ctx, a.options.World, text)
			a.post(func() {
				next.Enable()
				if !a.fail(err) {
					a.joinPeople(people, text, invited)
				}
			})
		}()
	}
	next = look.Primary(a.t("join_look"), theme.SearchIcon(), inquire)
	a.class = a.widthNow()
	take := func(text string) { code.SetText(text) }
	a.show(header{title: a.t("title"), under: a.t("subtitle"), again: nil, right: []fyne.CanvasObject{
		action(a.t("settings"), theme.SettingsIcon(), func() { a.settingsScreen(a.unlockScreen) }),
	}}, look.Middle(680, scroll(container.NewVBox(
		look.Head(a.t("join")), look.Text(a.t("join_hint")), code,
		container.New(rowWrap(), look.Big(a.t("join_file"), theme.FolderOpenIcon(), func() { a.invitationFile(take) })), a.codeButtons(take), next, people))))
}

// invitationFile takes the code from a file: text, or a picture of the QR code.
func (a *App) invitationFile(take func(string)) {
	a.openFile([]string{".txt", ".png", ".jpg", ".jpeg", ".invitation"}, func(name string, open func() (io.ReadCloser, error)) {
		text, err := present.InvitationFrom(name, open)
		if !a.fail(err) {
			take(text)
		}
	})
}

// joinPeople asks every person for a PIN and enrols.
func (a *App) joinPeople(box *fyne.Container, code string, invited exchange.Invited) {
	box.RemoveAll()
	box.Add(look.Box(look.Bold(a.t("join_for", invited.County)), look.Text(invited.Name+"  "+strings.Join(invited.Scope, "、"))))
	pins := make([]*widget.Entry, len(invited.People))
	for i, p := range invited.People {
		pins[i] = widget.NewPasswordEntry()
		pins[i].SetPlaceHolder(a.t("pin_new"))
		box.Add(look.Box(look.Bold(p.Name), pins[i]))
	}
	said := look.Caption("")
	var join *widget.Button
	join = look.Primary(a.t("join_do"), theme.ConfirmIcon(), func() {
		join.Disable()
		look.SetText(said, a.t("join_busy"))
		texts := map[string]string{}
		for i, p := range invited.People {
			texts[p.ID.String()] = pins[i].Text
		}
		go func() {
			err := joined(a.ctx, a.options, code, texts)
			a.post(func() {
				join.Enable()
				look.SetText(said, "")
				if !a.fail(err) {
					a.unlockScreen()
				}
			})
		}()
	})
	box.Add(join)
	box.Add(said)
}

// joined enrols and fetches the first day's work.
func joined(ctx context.Context, o Options, code string, pins map[string]string) error {
	of, err := office.Join(ctx, o.World, o.Dir, code, func(g exchange.Guest) (string, error) { return pins[g.ID.String()], nil })
	if err != nil {
		return err
	}
	_, err = of.Client().Sync(ctx, nil)
	if closed := of.Close(); err == nil {
		err = closed
	}
	return err
}
