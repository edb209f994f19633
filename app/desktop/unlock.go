package desktop

import (
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
	a.lock()
	people, err := present.People(a.options.World, a.options.Dir)
	if present.NotEnrolled(err) {
		a.joinScreen()
		return
	}
	list := container.NewVBox(look.Title(a.t("who")), look.Caption(a.t("who_hint")))
	for _, p := range people {
		name := look.Bold(p.Name)
		list.Add(look.NewTile(container.NewBorder(nil, nil, widget.NewIcon(theme.AccountIcon()), widget.NewIcon(theme.NavigateNextIcon()), name), func() { a.pinScreen(p) }))
	}
	a.show(header{title: a.t("title"), under: a.t("subtitle")}, look.Middle(620, scroll(list)))
	a.fail(err)
}

// pinScreen takes the PIN: keys large enough for gloves, or the keyboard.
func (a *App) pinScreen(p vault.PersonInfo) {
	pin := ""
	dots := widget.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	said := look.Text("")
	said.Alignment = fyne.TextAlignCenter
	said.Importance = widget.DangerImportance
	draw := func() {
		dots.SetText(strings.Repeat("●  ", len(pin)) + strings.Repeat("○  ", max(0, 6-len(pin))))
	}
	draw()
	enter := func() {
		session, err := present.Unlock(a.ctx, a.options.World, a.options.Dir, p, pin, a.say)
		if err != nil {
			pin = ""
			draw()
			text, hint := a.say.Error(err)
			said.SetText(strings.TrimSpace(text + " " + hint))
			return
		}
		a.session = session
		a.home()
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
		keys.Add(look.Least(96, 68, t))
		return t
	}
	for _, d := range strings.Split("123456789", "") {
		key(d, func() { digit(d) })
	}
	key("⌫", rub)
	key("0", func() { digit("0") })
	key("✓", enter).Chosen = true
	column := container.NewVBox(centred(look.Title(p.Name)), centred(look.Small(a.t("pin"))), dots, keys, said)
	if a.options.Demo {
		column.Add(look.Banner(a.t("demo_pin", practice.PIN), look.Notice))
	}
	a.show(header{title: a.t("title"), back: a.unlockScreen}, look.Middle(460, scroll(column)))
	for i, name := range []fyne.KeyName{fyne.Key0, fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4, fyne.Key5, fyne.Key6, fyne.Key7, fyne.Key8, fyne.Key9} {
		a.keys[name] = func() { digit(string(rune('0' + i))) }
	}
	a.keys[fyne.KeyBackspace] = rub
	a.keys[fyne.KeyReturn], a.keys[fyne.KeyEnter] = enter, enter
}

func centred(o fyne.CanvasObject) fyne.CanvasObject { return container.NewCenter(o) }

// joinScreen enrols a machine that has no data yet.
func (a *App) joinScreen() {
	code := widget.NewMultiLineEntry()
	code.Wrapping = fyne.TextWrapBreak
	code.SetPlaceHolder(a.t("code_place"))
	code.SetMinRowsVisible(3)
	people := container.NewVBox()
	var inquire func()
	next := look.Primary(a.t("join_look"), theme.SearchIcon(), func() { inquire() })
	inquire = func() {
		next.Disable()
		text := strings.TrimSpace(code.Text)
		go func() {
			invited, err := office.Look(a.ctx, a.options.World, text)
			fyne.Do(func() {
				next.Enable()
				if !a.fail(err) {
					a.joinPeople(people, text, invited)
				}
			})
		}()
	}
	a.show(header{title: a.t("title"), under: a.t("subtitle")}, look.Middle(640, scroll(container.NewVBox(
		look.Title(a.t("join")), look.Text(a.t("join_hint")), code, next, people))))
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
	var join *widget.Button
	join = look.Primary(a.t("join_do"), theme.ConfirmIcon(), func() {
		join.Disable()
		texts := map[string]string{}
		for i, p := range invited.People {
			texts[p.ID.String()] = pins[i].Text
		}
		go func() {
			of, err := office.Join(a.ctx, a.options.World, a.options.Dir, code, func(g exchange.Guest) (string, error) { return texts[g.ID.String()], nil })
			if err == nil {
				_, err = of.Client().Sync(a.ctx, nil)
				if closed := of.Close(); err == nil {
					err = closed
				}
			}
			fyne.Do(func() {
				join.Enable()
				if !a.fail(err) {
					a.unlockScreen()
				}
			})
		}()
	})
	box.Add(join)
}
