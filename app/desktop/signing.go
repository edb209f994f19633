package desktop

import (
	"bytes"
	"io"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/store/vault"
)

// summaryScreen is read aloud before anybody signs: the answers in large letters,
// without what is for the office alone.
func (a *App) summaryScreen(v *visit.Visit) {
	list := container.NewVBox(look.Banner(a.t("read_aloud"), look.Calm))
	if problems := v.Entry.Problems(); len(problems) > 0 {
		box := container.NewVBox(look.Bold(a.t("missing_title", len(problems))))
		for _, p := range problems[:min(len(problems), 8)] {
			n, _ := v.Entry.Node(p.Path)
			box.Add(look.NewTile(container.NewBorder(nil, nil, nil, widget.NewIcon(theme.NavigateNextIcon()), look.Text(orDash(n.Label))),
				func() { a.visitAt(v, p.Path, true) }))
		}
		list.Add(look.Box(box))
	}
	for _, s := range present.Summary(v) {
		lines := []fyne.CanvasObject{look.Bold(s.Title)}
		for _, l := range s.Lines {
			label, value := look.Caption(l.Label), look.Bold(l.Value)
			lines = append(lines, container.NewGridWithColumns(2, label, value))
		}
		list.Add(look.Box(lines...))
	}
	sign := look.Primary(a.t("to_sign"), theme.NavigateNextIcon(), func() { a.signScreen(v) })
	if reasons := v.Entry.Problems(); len(reasons) > 0 {
		sign.Disable()
	}
	a.show(header{title: a.t("summary"), under: v.Page.Household.Text("name"), back: func() { a.visitScreen(v) }}, look.Middle(860, scroll(list)), sign)
}

// signScreen takes the householder's signature and the investigators' own.
func (a *App) signScreen(v *visit.Visit) {
	household := container.NewVBox(look.Bold(a.t("householder")))
	if v.Outcome() == "completed" || v.Outcome() == "partial" {
		a.householder(v, household)
	} else {
		household.Add(look.Text(a.t("nobody_met")))
	}
	team := container.NewVBox(look.Bold(a.t("investigators")), look.Caption(a.t("investigators_hint")))
	for _, p := range a.session.Colleagues() {
		if slices.Contains(v.Attested(), p.ID) {
			team.Add(look.Box(container.NewBorder(nil, nil, nil, look.Chip(a.t("attested"), look.Done), look.Bold(p.Name))))
			continue
		}
		button := look.Big(a.t("attest"), theme.ConfirmIcon(), func() { a.attest(v, p) })
		if len(v.WhyNotAttest()) > 0 {
			button.Disable()
		}
		team.Add(look.Box(container.NewBorder(nil, nil, nil, button, look.Bold(p.Name))))
	}
	var why []fyne.CanvasObject
	reasons := v.WhyNotFinish()
	for _, r := range reasons {
		why = append(why, look.Banner(a.say.Say(r.Code, r), look.Notice))
	}
	team.Add(container.NewVBox(why...))
	finish := look.Primary(a.t("finish"), theme.ConfirmIcon(), func() {
		if !a.fail(v.Finish(a.ctx)) {
			a.doneScreen(v)
		}
	})
	if len(reasons) > 0 {
		finish.Disable()
	}
	a.show(header{title: a.t("signatures"), under: v.Page.Household.Text("name"), back: func() { a.summaryScreen(v) }},
		look.Split(0.55, 0.58, scroll(household), scroll(team)), finish)
}

// householder shows the signature that is there, or takes one.
func (a *App) householder(v *visit.Visit, box *fyne.Container) {
	if s := v.Signature(); s.Mode != "" {
		signed := container.NewVBox(container.NewHBox(look.Chip(a.t("mode_"+s.Mode), look.Done)))
		if s.Size > 0 {
			signed.Add(a.thumb(s.Digest, 320, 160))
		}
		for _, text := range []string{s.Signer, s.Witness, s.Reason} {
			if text != "" {
				signed.Add(look.Text(text))
			}
		}
		signed.Add(container.NewHBox(look.Big(a.t("sign_again"), theme.ContentUndoIcon(), func() {
			box.Objects = box.Objects[:1]
			a.signatureModes(v, box)
			box.Refresh()
		})))
		box.Add(look.Box(signed))
		return
	}
	a.signatureModes(v, box)
}

// signatureModes offers the ways of signing.
func (a *App) signatureModes(v *visit.Visit, box *fyne.Container) {
	var modes []string
	codes := map[string]string{}
	for _, mode := range []string{visit.Drawn, visit.Thumbprint, visit.Refused, visit.Proxy} {
		modes = append(modes, a.t("mode_"+mode))
		codes[a.t("mode_"+mode)] = mode
	}
	form := container.NewVBox()
	tabs := container.New(rowWrap())
	var pick func(mode string)
	pick = func(mode string) {
		tabs.RemoveAll()
		for _, m := range modes {
			tabs.Add(look.Choice(m, codes[m] == mode, func() { pick(codes[m]) }))
		}
		form.RemoveAll()
		for _, o := range a.signing(v, mode) {
			form.Add(o)
		}
	}
	pick(visit.Drawn)
	box.Add(tabs)
	box.Add(form)
}

// signing is what one way of signing asks for.
func (a *App) signing(v *visit.Visit, mode string) []fyne.CanvasObject {
	signer := widget.NewEntry()
	signer.SetPlaceHolder(a.t("signer"))
	signer.SetText(v.Page.Household.Text("name"))
	witness := widget.NewEntry()
	witness.SetPlaceHolder(a.t("witness"))
	reason := widget.NewMultiLineEntry()
	reason.SetPlaceHolder(a.t("refusal"))
	sign := func(s visit.Signature, picture io.Reader) {
		s.Mode, s.Signer = mode, signer.Text
		if !a.fail(v.Sign(a.ctx, s, picture)) {
			a.signScreen(v)
		}
	}
	switch mode {
	case visit.Refused:
		return []fyne.CanvasObject{look.Caption(a.t("refused_hint")), reason,
			look.Primary(a.t("record_refusal"), theme.ConfirmIcon(), func() { sign(visit.Signature{Reason: reason.Text}, nil) })}
	case visit.Thumbprint:
		return []fyne.CanvasObject{signer, witness, look.Big(a.t("photo_take"), theme.MediaPhotoIcon(), func() {
			open := dialog.NewFileOpen(func(f fyne.URIReadCloser, err error) {
				if a.fail(err) || f == nil {
					return
				}
				defer f.Close()
				sign(visit.Signature{Witness: witness.Text}, f)
			}, a.win)
			open.SetFilter(storage.NewExtensionFileFilter([]string{".jpg", ".jpeg", ".png"}))
			open.Show()
		})}
	}
	pad := look.NewPad()
	use := look.Primary(a.t("use_signature"), theme.ConfirmIcon(), func() { sign(visit.Signature{Reason: reason.Text}, bytes.NewReader(pad.PNG())) })
	use.Disable()
	pad.OnChanged = func() {
		if pad.Blank() {
			use.Disable()
		} else {
			use.Enable()
		}
	}
	objects := []fyne.CanvasObject{signer, look.Least(300, 230, pad),
		container.NewGridWithColumns(2, look.Big(a.t("clear"), theme.ContentUndoIcon(), pad.Clear), use)}
	if mode == visit.Proxy {
		reason.SetPlaceHolder(a.t("proxy_reason"))
		objects = append([]fyne.CanvasObject{reason}, objects...)
	}
	return objects
}

// attest asks one investigator for the own PIN: the signature is that person's.
func (a *App) attest(v *visit.Visit, p vault.PersonInfo) {
	pin := widget.NewPasswordEntry()
	pin.SetPlaceHolder(a.t("pin"))
	said := look.Text(a.t("attest_text", p.Name))
	var d *dialog.ConfirmDialog
	act := func() {
		key, err := a.session.Key(p.ID, pin.Text)
		if err == nil {
			err = v.Attest(a.ctx, p.ID, key)
		}
		if !a.fail(err) {
			a.signScreen(v)
		}
	}
	pin.OnSubmitted = func(string) {
		d.Hide()
		act()
	}
	d = dialog.NewCustomConfirm(p.Name, a.t("attest"), a.t("cancel"), look.Least(420, 120, container.NewVBox(said, pin)), func(ok bool) {
		if ok {
			act()
		}
	}, a.win)
	d.Show()
	a.win.Canvas().Focus(pin)
}

// doneScreen says that the visit is signed, locked and safe, and what is next.
func (a *App) doneScreen(v *visit.Visit) {
	text := container.NewVBox(
		centred(look.Title("✓  "+a.t("done"))), look.Text(a.t("done_text", v.Page.Household.Text("name"), len(v.Attested()), v.Shots())))
	if a.options.Demo {
		text.Add(look.Caption(v.ID.String()))
	}
	text.Add(gap(1, 16))
	text.Add(look.Primary(a.t("to_today"), theme.HomeIcon(), a.home))
	text.Add(look.Big(a.t("to_household"), theme.AccountIcon(), func() { a.householdScreen(v.Page.Household.ID, a.home) }))
	text.Add(look.Big(a.t("sync_open"), theme.ViewRefreshIcon(), a.syncScreen))
	a.show(header{title: a.t("done"), under: v.Page.Household.Text("name")}, look.Middle(620, scroll(container.NewVBox(look.Box(text)))))
}
