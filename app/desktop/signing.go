package desktop

import (
	"bytes"
	"io"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/device"
	"ironfeet/app/desktop/look"
	"ironfeet/store/vault"
)

// summaryScreen is read aloud before anybody signs: the answers in large letters,
// without what is for the office alone, without other families.
func (a *App) summaryScreen(v *visit.Visit) {
	a.inVisit(v.ID)
	a.class = a.widthNow()
	list := container.NewVBox(look.Banner(a.t("read_aloud"), look.Calm))
	problems := a.session.Problems(v)
	if len(problems) > 0 {
		box := container.NewVBox(look.Bold(a.t("missing_title", len(problems))))
		for _, p := range problems[:min(len(problems), 8)] {
			box.Add(a.problemTile(p, func() { a.visitAt(v, p.Path, true) }))
		}
		if len(problems) > 8 {
			box.Add(look.Big(a.t("missing_all"), theme.ListIcon(), func() {
				a.problemSheet(problems, func(path string) { a.visitAt(v, path, true) })
			}))
		}
		list.Add(look.Box(box))
	}
	for _, s := range a.session.Summary(v) {
		lines := container.New(look.Tight())
		for _, l := range s.Lines {
			value := look.Bold(orDash(l.Value))
			if a.class == narrow {
				lines.Add(look.Caption(l.Label))
				lines.Add(value)
				continue
			}
			lines.Add(container.New(look.Equal(2), look.Caption(l.Label), value))
		}
		list.Add(look.Box(look.Sub(s.Title), lines))
	}
	sign := look.Primary(a.t("to_sign"), theme.NavigateNextIcon(), func() { a.signScreen(v) })
	if len(problems) > 0 {
		sign.Disable()
		sign.SetText(a.t("to_sign_not", len(problems)))
	}
	a.show(header{title: a.t("summary"), under: v.Page.Household.Text("name"), back: func() { a.visitScreen(v) }, again: func() { a.summaryScreen(v) }},
		look.Middle(860, scroll(list)), sign)
}

// signScreen takes the householder's signature and the investigators' own.
func (a *App) signScreen(v *visit.Visit) {
	a.class = a.widthNow()
	household := container.NewVBox(look.Sub(a.t("householder")))
	if v.Outcome() == "completed" || v.Outcome() == "partial" {
		a.householder(v, household)
	} else {
		household.Add(look.Text(a.t("nobody_met")))
	}
	team := container.NewVBox(look.Sub(a.t("investigators")), look.Caption(a.t("investigators_hint")))
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
	reasons := v.WhyNotFinish()
	for _, r := range reasons {
		team.Add(look.Banner(a.say.Say(r.Code, r), look.Notice))
	}
	finish := look.Primary(a.t("finish"), theme.ConfirmIcon(), func() {
		if !a.fail(v.Finish(a.ctx)) {
			a.doneScreen(v)
		}
	})
	if len(reasons) > 0 {
		finish.Disable()
	}
	body := fyne.CanvasObject(look.Split(0.55, 0.58, scroll(household), scroll(team)))
	if a.class != wide {
		body = scroll(container.NewVBox(household, team))
	}
	a.show(header{title: a.t("signatures"), under: v.Page.Household.Text("name"), back: func() { a.summaryScreen(v) }, again: func() { a.signScreen(v) }}, body, finish)
}

// householder shows the signature that is there, or takes one.
func (a *App) householder(v *visit.Visit, box *fyne.Container) {
	s := v.Signature()
	if s.Mode == "" {
		a.signatureModes(v, box)
		return
	}
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
}

// signatureModes offers the ways of signing.
func (a *App) signatureModes(v *visit.Visit, box *fyne.Container) {
	form := container.NewVBox()
	tabs := container.New(rowWrap())
	var pick func(mode string)
	pick = func(mode string) {
		tabs.RemoveAll()
		for _, m := range []string{visit.Drawn, visit.Thumbprint, visit.Refused, visit.Proxy} {
			tabs.Add(look.Choice(a.t("mode_"+m), m == mode, func() { pick(m) }))
		}
		form.RemoveAll()
		for _, o := range a.signing(v, mode) {
			form.Add(o)
		}
		tabs.Refresh()
		form.Refresh()
	}
	pick(visit.Drawn)
	box.Add(tabs)
	box.Add(form)
}

// signing is what one way of signing asks for.
func (a *App) signing(v *visit.Visit, mode string) []fyne.CanvasObject {
	signer := a.entry(false)
	signer.SetPlaceHolder(a.t("signer"))
	signer.SetText(v.Page.Household.Text("name"))
	witness := a.entry(false)
	witness.SetPlaceHolder(a.t("witness"))
	reason := widget.NewMultiLineEntry()
	reason.Wrapping = fyne.TextWrapBreak
	reason.SetPlaceHolder(a.t("refusal"))
	sign := func(s visit.Signature, picture io.Reader) {
		s.Mode, s.Signer = mode, signer.Text
		if !a.fail(a.session.Sign(a.ctx, v, s, picture)) {
			a.signScreen(v)
		}
	}
	switch mode {
	case visit.Refused:
		return []fyne.CanvasObject{look.Caption(a.t("refused_hint")), reason,
			look.Primary(a.t("record_refusal"), theme.ConfirmIcon(), func() { sign(visit.Signature{Reason: reason.Text}, nil) })}
	case visit.Thumbprint:
		return []fyne.CanvasObject{look.Caption(a.t("thumbprint_hint")), signer, witness, container.New(rowWrap(),
			look.Primary(a.t("photo_camera"), theme.MediaPhotoIcon(), func() {
				a.cameraSheet(a.t("mode_"+mode), func(jpeg []byte) { sign(visit.Signature{Witness: witness.Text}, bytes.NewReader(jpeg)) })
			}),
			look.Big(a.t("photo_file"), theme.FolderOpenIcon(), func() {
				a.openFile(device.PictureNames, func(_ string, open func() (io.ReadCloser, error)) {
					r, err := open()
					if a.fail(err) {
						return
					}
					defer r.Close()
					sign(visit.Signature{Witness: witness.Text}, r)
				})
			}))}
	}
	pad := look.NewPad()
	use := look.Primary(a.t("use_signature"), theme.ConfirmIcon(), func() {
		sign(visit.Signature{Reason: reason.Text, Strokes: pad.Strokes()}, bytes.NewReader(pad.PNG()))
	})
	use.Disable()
	pad.OnChanged = func() {
		if pad.Blank() {
			use.Disable()
		} else {
			use.Enable()
		}
	}
	objects := []fyne.CanvasObject{signer, look.Least(280, 230, pad),
		container.New(rowWrap(), look.Big(a.t("clear"), theme.ContentUndoIcon(), pad.Clear), use)}
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
	act := func() {
		key, err := a.session.Key(p.ID, pin.Text)
		if err == nil {
			err = v.Attest(a.ctx, p.ID, key)
		}
		if !a.fail(err) {
			a.signScreen(v)
		}
	}
	content := container.NewVBox(look.Text(a.t("attest_text", p.Name)), pin)
	if !fyne.CurrentDevice().IsMobile() {
		keys := container.New(look.Equal(6))
		for _, k := range "1234567890⌫" {
			keys.Add(look.NewTile(container.NewCenter(look.Title(string(k))), func() {
				if k != '⌫' {
					pin.SetText(pin.Text + string(k))
				} else if n := len(pin.Text); n > 0 {
					pin.SetText(pin.Text[:n-1])
				}
			}))
		}
		content.Add(keys)
	}
	shut := a.sheet(p.Name, content, choice{a.t("attest"), true, act})
	pin.OnSubmitted = func(string) {
		shut()
		act()
	}
	a.win.Canvas().Focus(pin)
}

// doneScreen says that the visit is signed, locked and safe, and what is next.
func (a *App) doneScreen(v *visit.Visit) {
	a.resume = nil
	a.class = a.widthNow()
	a.session.Wake()
	text := container.NewVBox(
		look.Head("✓  "+a.t("done")), look.Text(a.t("done_text", v.Page.Household.Text("name"), len(v.Attested()), v.Shots())))
	if a.options.Demo {
		text.Add(look.Caption(v.ID.String()))
	}
	text.Add(gap(1, 10))
	next, ok, err := a.session.Next(a.ctx, v.Page.Household.ID)
	if err == nil && ok {
		text.Add(look.Bold(a.t("next_task")))
		text.Add(a.taskRow(next))
	}
	text.Add(look.Primary(a.t("to_today"), theme.HomeIcon(), a.home))
	if !v.IsFound() {
		text.Add(look.Big(a.t("to_household"), theme.AccountIcon(), func() { a.householdScreen(v.Page.Household.ID, a.home) }))
	}
	text.Add(look.Big(a.t("sync_open"), theme.ViewRefreshIcon(), a.syncScreen))
	a.show(header{title: a.t("done"), under: v.Page.Household.Text("name"), again: func() { a.doneScreen(v) }}, look.Middle(680, scroll(container.NewVBox(look.Box(text)))))
}
