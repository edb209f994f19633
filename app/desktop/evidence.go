package desktop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/device"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/assets/yunqi"
	"ironfeet/forms"
)

// shots brings pictures into a visit: from the camera, from files, dropped onto the
// window, or from a folder that a camera writes into. The work is the intake's.
type shots struct {
	app     *App
	view    *visitView
	intake  *present.Intake
	blurred map[string]bool // pictures that look blurred, by digest
	cancel  context.CancelFunc
	then    func() // what waits for the pictures
}

func newShots(a *App, x *visitView) *shots {
	s := &shots{app: a, view: x, blurred: map[string]bool{}}
	ctx, cancel := context.WithCancel(a.ctx)
	s.cancel = cancel
	s.intake = a.session.NewIntake(ctx, func(in present.Arrived) { a.post(func() { s.arrived(in) }) })
	if dir := a.settings.Watch; dir != "" {
		if folder, err := device.WatchFolder(dir); err == nil {
			go folder.Follow(ctx, 2*time.Second, func(names []string) { a.post(func() { s.files(names) }) })
		}
	}
	return s
}

// end stops what runs beside the screen: another one comes.
func (s *shots) end() {
	s.intake.Stop()
	s.cancel()
}

// state tells one drawing of a question's pictures from the next.
func (s *shots) state(path string) string {
	return fmt.Sprint(s.intake.Waiting(path), len(s.blurred))
}

// arrived puts a picture into its question.
func (s *shots) arrived(in present.Arrived) {
	a := s.app
	if a.session == nil || a.session.Office.Replica == nil {
		return
	}
	if in.Err != nil {
		if in.Name != "" {
			said, hint := a.say.Error(in.Err)
			a.tell(in.Name, strings.TrimSpace(said+" "+hint))
		} else {
			a.fail(in.Err)
		}
	} else if !a.fail(s.view.fill.Keep(a.ctx, in)) && in.Blurred {
		s.blurred[in.Photo.Digest.String()] = true
	}
	s.view.draw()
	if then := s.then; then != nil && s.intake.Waiting("") == 0 {
		s.then = nil
		then()
	}
}

// away leaves the visit as soon as no picture is on its way into it.
func (s *shots) away(then func()) {
	if s.intake.Waiting("") == 0 {
		then()
		return
	}
	shut := s.app.sheet(s.app.t("photo_busy"), look.Text(s.app.t("photo_wait", s.intake.Waiting(""))))
	s.then = func() {
		shut()
		then()
	}
}

// busy says whether the machine should not lock itself now.
func (s *shots) busy() bool { return !s.intake.Idle() }

// add takes one picture in.
func (s *shots) add(in present.Incoming) {
	if !s.intake.Add(in) {
		s.app.tell(s.app.t("sorry"), s.app.t("photos_waiting"))
	}
	s.view.draw()
}

// files takes pictures in that came without a question of their own.
func (s *shots) files(names []string) {
	for _, name := range names {
		path := s.view.fill.Target()
		if path == "" {
			s.app.tell(filepath.Base(name), s.app.t("photo_where"))
			return
		}
		s.add(present.Incoming{Path: path, Name: filepath.Base(name), Open: func() (io.ReadCloser, error) { return os.Open(name) }})
	}
}

// drop takes what is dropped onto the window.
func (s *shots) drop(_ fyne.Position, uris []fyne.URI) {
	var names []string
	for _, u := range uris {
		names = append(names, u.Path())
	}
	s.files(names)
}

// photos shows the pictures of a question and takes more.
func (q *question) photos(n forms.Node) fyne.CanvasObject {
	a, s := q.view.app, q.view.shots
	taken := q.view.fill.Visit.Photos()[n.Path]
	cells := container.New(rowWrap())
	for _, p := range taken {
		about := container.NewVBox(a.thumb(p.Digest, 200, 150))
		line := time.UnixMilli(p.Taken).In(a.options.World.Now().Location()).Format("15:04")
		if p.Place != "" {
			line += " · " + a.t("photo_placed")
		}
		if p.Original > p.Size {
			line += fmt.Sprintf(" · %d kB", p.Size/1000)
		}
		about.Add(container.NewCenter(look.Small(line)))
		if s.blurred[p.Digest.String()] {
			about.Add(look.Chip("⚠ "+a.t("photo_blurred"), look.Notice))
		}
		about.Add(look.Flat(a.t("photo_drop"), theme.DeleteIcon(), func() {
			a.ask(a.t("photo_drop"), a.t("photo_drop_ask"), a.t("photo_drop"), func() {
				a.fail(q.view.fill.Drop(a.ctx, n.Path, p.Digest))
				q.view.draw()
			})
		}))
		cells.Add(about)
	}
	for range s.intake.Waiting(n.Path) {
		cells.Add(look.Least(200, 150, look.Banner(a.t("photo_busy"), look.Plain)))
	}
	label := a.t("photo_camera")
	if len(taken) > 0 {
		label = a.t("photo_more")
	}
	buttons := container.New(rowWrap(),
		look.Big(label, theme.MediaPhotoIcon(), func() { a.cameraSheet(n.Label, func(jpeg []byte) { s.add(memory(n.Path, jpeg)) }) }),
		look.Big(a.t("photo_file"), theme.FolderOpenIcon(), func() {
			a.openFile(device.PictureNames, func(name string, open func() (io.ReadCloser, error)) {
				s.add(present.Incoming{Path: n.Path, Name: filepath.Base(name), Open: open})
			})
		}))
	if a.options.Demo {
		buttons.Add(look.Big(a.t("photo_demo"), theme.ColorPaletteIcon(), func() {
			s.add(memory(n.Path, yunqi.Photo(uint64(a.options.World.Now().UnixNano()), 1280, 960)))
		}))
	}
	if n.ReadOnly {
		return cells
	}
	if len(cells.Objects) == 0 {
		return buttons
	}
	return container.NewVBox(cells, buttons)
}

func memory(path string, picture []byte) present.Incoming {
	return present.Incoming{Path: path, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(picture)), nil }}
}

// drawing is a pad for a question that asks for a drawing or a signature.
func (q *question) drawing(n forms.Node) fyne.CanvasObject {
	a := q.view.app
	if taken := q.view.fill.Visit.Photos()[n.Path]; len(taken) > 0 {
		return container.NewVBox(container.NewHBox(a.thumb(taken[0].Digest, 320, 160)), container.NewHBox(look.Big(a.t("draw_again"), theme.ContentUndoIcon(), func() {
			a.fail(q.view.fill.Drop(a.ctx, n.Path, taken[0].Digest))
			q.view.draw()
		})))
	}
	pad := look.NewPad()
	use := look.Primary(a.t("draw_use"), theme.ConfirmIcon(), func() {
		a.fail(q.view.fill.KeepDrawing(a.ctx, n.Path, bytes.NewReader(pad.PNG())))
		q.view.draw()
	})
	use.Disable()
	pad.OnChanged = func() {
		if pad.Blank() {
			use.Disable()
		} else {
			use.Enable()
		}
	}
	return container.NewVBox(look.Least(280, 200, pad), container.NewHBox(look.Big(a.t("clear"), theme.ContentUndoIcon(), pad.Clear), use))
}

// file takes a sound, a film or a document from a file.
func (q *question) file(n forms.Node) fyne.CanvasObject {
	a := q.view.app
	box := container.NewVBox()
	for _, p := range q.view.fill.Visit.Photos()[n.Path] {
		box.Add(container.NewBorder(nil, nil, nil, look.Flat(a.t("photo_drop"), theme.DeleteIcon(), func() {
			a.fail(q.view.fill.Drop(a.ctx, n.Path, p.Digest))
			q.view.draw()
		}), look.Text(fmt.Sprintf("✓ %s · %d kB", p.Name, (p.Size+999)/1000))))
	}
	ends := map[string][]string{
		"audio": {".mp3", ".m4a", ".aac", ".amr", ".ogg", ".opus", ".wav", ".3gp"}, "video": {".mp4", ".mov", ".3gp", ".webm", ".mkv"},
	}[n.Type]
	box.Add(container.NewHBox(look.Big(a.t("file_"+n.Type), theme.FolderOpenIcon(), func() {
		a.openFile(ends, func(name string, open func() (io.ReadCloser, error)) {
			r, err := open()
			if a.fail(err) {
				return
			}
			defer r.Close()
			a.fail(q.view.fill.KeepFile(a.ctx, n.Path, name, r))
			q.view.draw()
		})
	})))
	return box
}

// code is a barcode or QR code: typed, or read from a picture of it.
func (q *question) code(n forms.Node) fyne.CanvasObject {
	a := q.view.app
	e := a.entry(false)
	q.hold(e, asTyped)
	return container.NewVBox(e, a.codeButtons(func(text string) { e.SetText(text) }))
}

// codeButtons read a code by the camera or from a picture's file.
func (a *App) codeButtons(take func(text string)) fyne.CanvasObject {
	read := func(r io.Reader) {
		text, err := device.ReadCode(r)
		if !a.fail(err) {
			take(text)
		}
	}
	return container.New(rowWrap(),
		look.Big(a.t("code_camera"), theme.MediaPhotoIcon(), func() {
			a.cameraSheet(a.t("code_camera"), func(jpeg []byte) { read(bytes.NewReader(jpeg)) })
		}),
		look.Big(a.t("code_file"), theme.FolderOpenIcon(), func() {
			a.openFile([]string{".png", ".jpg", ".jpeg"}, func(_ string, open func() (io.ReadCloser, error)) {
				r, err := open()
				if a.fail(err) {
					return
				}
				defer r.Close()
				read(r)
			})
		}))
}

// place is a position: by the receiver, from a photo of this visit, or typed.
func (q *question) place(n forms.Node) fyne.CanvasObject {
	a := q.view.app
	e := a.entry(false)
	e.SetPlaceHolder(a.t("geopoint"))
	q.hold(e, strings.TrimSpace)
	if n.ReadOnly {
		return e
	}
	locate := look.Big(a.t("locate"), theme.SearchIcon(), nil)
	locate.OnTapped = func() {
		look.Touched()
		locate.Disable()
		locate.SetText(a.t("locating"))
		ctx, cancel := context.WithTimeout(a.ctx, 20*time.Second)
		go func() {
			p, err := device.Locate(ctx, a.settings.GPSD)
			cancel()
			a.post(func() {
				locate.Enable()
				locate.SetText(a.t("locate"))
				if !a.fail(err) {
					e.SetText(p.Text())
				}
			})
		}()
	}
	buttons := container.New(rowWrap(), locate)
	if place := q.view.fill.PlaceOfPhotos(); place != "" {
		buttons.Add(look.Big(a.t("locate_photo"), theme.MediaPhotoIcon(), func() { e.SetText(place) }))
	}
	return container.NewVBox(e, buttons)
}

// trace is a row of positions: a way walked, the bounds of a field.
func (q *question) trace(n forms.Node) fyne.CanvasObject {
	a := q.view.app
	e := a.entry(false)
	e.MultiLine, e.Wrapping = true, fyne.TextWrapBreak
	e.SetMinRowsVisible(2)
	e.SetPlaceHolder(a.t("trace"))
	q.hold(e, strings.TrimSpace)
	add := look.Big(a.t("trace_add"), theme.ContentAddIcon(), nil)
	add.OnTapped = func() {
		look.Touched()
		add.Disable()
		ctx, cancel := context.WithTimeout(a.ctx, 20*time.Second)
		go func() {
			p, err := device.Locate(ctx, a.settings.GPSD)
			cancel()
			a.post(func() {
				add.Enable()
				if !a.fail(err) {
					e.SetText(strings.Trim(q.node.Value+"; "+p.Text(), "; "))
				}
			})
		}()
	}
	return container.NewVBox(e, container.NewHBox(add))
}

// slotSheet is the checklist of the visit's pictures.
func (x *visitView) slotSheet() {
	a := x.app
	box := container.NewVBox()
	var shut func()
	for _, s := range present.Slots(x.fill.Visit) {
		mark, tone := "○", look.Plain
		switch {
		case len(s.Photos) > 0:
			mark, tone = a.t("slot_n", len(s.Photos)), look.Done
		case s.Excused:
			mark, tone = a.t("excuse_"+visit.Impossible), look.Notice
		case s.Required:
			mark, tone = a.t("answer.required"), look.Urgent
		}
		box.Add(look.NewTile(container.NewBorder(nil, nil, nil, look.Chip(mark, tone), look.Text(s.Label)), func() {
			shut()
			x.goTo(s.Path)
			x.showQuestion(s.Path)
		}))
	}
	if len(box.Objects) == 0 {
		box.Add(look.Text(a.t("slot_none")))
	}
	shut = a.pick(a.t("slots"), box)
}
