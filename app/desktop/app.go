// Package desktop draws the app: unlock, today, household, visit, summary,
// signatures, done; the township's inbox, review and conflicts; sync and settings.
// It decides nothing: package present prepares, package casework decides.
package desktop

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/device"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/app/words"
	"ironfeet/assets/icon"
	"ironfeet/store"
	"ironfeet/store/world"
)

// Options of the app. What is zero comes from the folder's settings.
type Options struct {
	World    world.World
	Dir      string // this machine's data folder
	Lang     string // zh or en
	TextSize float32
	Mode     look.Mode
	Demo     bool   // practice: the PIN is shown, photos can be painted
	Describe string // file to describe the screen in, for whoever drives the program from outside
	Keep     bool   // sync in the background while somebody is at work
}

// App is the app with its one window. It belongs to the main goroutine.
type App struct {
	options  Options
	settings present.Settings
	app      fyne.App
	win      fyne.Window
	say      *words.Speaker
	ctx      context.Context
	session  *present.Session
	thumbs   map[store.Digest]fyne.Resource
	keys     map[fyne.KeyName]func() // of the screen that is shown
	lies     *widget.PopUp           // the sheet that was laid over it last

	again    func()    // draws the screen that is shown once more: the window turned, the text grew
	class    width     // for which it was drawn
	laid     fyne.Size // of the window, as of the last layout
	dropped  func(fyne.Position, []fyne.URI)
	leave    func() // of the screen that is shown, when another one comes
	busy     func() bool
	visiting *visitView // the visit that is on the screen, nil if none is
	touched  time.Time
	machine  func() present.Machine
	standing func() present.Standing
	resume   func()    // where an automatic lock interrupted somebody
	town     *township // the reviewer's desk, once it was opened

	pickers  pickers
	openURL  func(*url.URL) error   // by the system's own program for it
	post     func(func())           // has something done on the screen's goroutine
	kept     func(present.Standing) // of the screen that is shown: the background got on
	arrived  func()                 // of the screen that is shown: something came that it may show
	news     int                    // of the background, as far as the screen shows it
	networks string                 // through which the machine could reach somebody, last time it was looked
}

// New makes the app and shows who can unlock it.
func New(a fyne.App, o Options) *App {
	s := present.ReadSettings(o.World, o.Dir)
	if o.Lang != "" {
		s.Lang = o.Lang
	}
	if o.TextSize != 0 {
		s.Text = o.TextSize
	}
	if o.Mode != "" {
		s.Mode = string(o.Mode)
	}
	x := &App{options: o, app: a, ctx: context.Background(), thumbs: map[store.Digest]fyne.Resource{}, post: fyne.Do, openURL: a.OpenURL}
	a.SetIcon(fyne.NewStaticResource("ironfeet.png", icon.PNG))
	x.win = a.NewWindow("")
	x.apply(s)
	x.win.SetPadded(false)
	x.win.Resize(fyne.NewSize(1280, 800))
	x.win.CenterOnScreen()
	x.win.SetMaster()
	x.win.SetOnClosed(x.lock)
	x.win.Canvas().SetOnTypedKey(func(e *fyne.KeyEvent) {
		x.touch()
		x.typed(e.Name)
	})
	x.win.SetOnDropped(func(at fyne.Position, files []fyne.URI) {
		x.touch()
		if x.dropped != nil {
			x.dropped(at, files)
		}
	})
	look.Touched = x.touch
	x.machine = func() present.Machine { return present.MachineOf(device.Battery("/sys"), o.Dir) }
	x.standing = func() present.Standing { return x.session.Standing() }
	x.touch()
	x.unlockScreen()
	return x
}

// typed is a key that nothing has the focus for: the screen's, unless something lies
// over the screen. Nobody must accept a visit behind a sheet.
func (a *App) typed(key fyne.KeyName) {
	if top := a.win.Canvas().Overlays().Top(); top != nil {
		if a.lies != nil && top == fyne.CanvasObject(a.lies) && key == fyne.KeyEscape {
			a.lies.Hide()
		}
		return
	}
	if act := a.keys[key]; act != nil {
		act()
	}
}

// focus gives something the keyboard, after the key that asked for it: that key's
// letter would be typed into it.
func (a *App) focus(o fyne.Focusable) { fyne.Do(func() { a.win.Canvas().Focus(o) }) }

// apply takes settings: theme, text, language.
func (a *App) apply(s present.Settings) {
	a.settings = s
	a.options.Lang = s.Lang // what screens ask
	a.say = words.In(s.Lang)
	a.app.Settings().SetTheme(look.NewTheme(s.Text, look.Mode(s.Mode)))
	a.win.SetTitle(a.t("title"))
	if a.session != nil {
		a.session.Say = a.say
		a.keep()
	}
}

// Run shows the window until it is closed, and locks it when nobody touches it.
func (a *App) Run() {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				fyne.Do(a.everyMoment)
			}
		}
	}()
	if a.options.Describe != "" {
		go a.describing(a.options.Describe, ended)
	}
	a.win.ShowAndRun()
}

// lock closes the data folder; what was answered is saved already.
func (a *App) lock() {
	if a.leave != nil {
		a.leave()
		a.leave = nil
	}
	if a.session != nil {
		_ = a.session.Close() // answers are durable: nothing is lost by what fails here
		a.session = nil
	}
	a.thumbs, a.lies = map[store.Digest]fyne.Resource{}, nil // nothing of anybody stays in memory
	a.town, a.kept, a.arrived = nil, nil, nil
}

// t says a sentence of the app.
func (a *App) t(key string, parts ...any) string { return present.T(a.say, key, parts...) }

// A header is the bar above a screen.
type header struct {
	title, under string
	back         func()
	right        []fyne.CanvasObject
	again        func() // draws the screen once more, as it stands
	leave        func() // another screen comes
	visiting     *visitView
	busy         func() bool // something is being finished: the machine must not lock itself
	kept         func(present.Standing)
	arrived      func() // draws it once more with what came in, where that disturbs nobody
}

// show puts a screen into the window.
func (a *App) show(h header, body fyne.CanvasObject, foot ...fyne.CanvasObject) {
	if a.leave != nil {
		a.leave()
	}
	a.leave, a.again, a.busy, a.dropped = h.leave, h.again, h.busy, nil
	a.kept, a.arrived = h.kept, h.arrived
	if a.session != nil {
		a.news = a.session.Standing().News
	}
	a.class = a.widthNow()
	a.keys = map[fyne.KeyName]func(){}
	if h.back != nil {
		a.keys[fyne.KeyEscape] = h.back
	}
	texts := container.New(look.Tighter(), look.OneLine(h.title, theme.SizeNameSubHeadingText, look.ColorOnBar, true))
	if h.under != "" {
		texts.Add(look.OneLine(h.under, theme.SizeNameCaptionText, look.ColorOnBarLo, false))
	}
	var left fyne.CanvasObject
	if h.back != nil {
		left = container.NewCenter(a.compact(look.Big(a.t("back"), theme.NavigateBackIcon(), h.back)))
	}
	a.visiting = h.visiting
	right := container.NewHBox()
	for _, o := range h.right {
		right.Add(container.NewCenter(a.compact(o)))
	}
	if a.session != nil {
		right.Add(container.NewCenter(a.compact(look.Big(a.t("blank"), theme.VisibilityOffIcon(), a.blank))))
	}
	line := container.NewBorder(nil, nil, left, right, centredUp(texts))
	if room := a.size().Width - right.MinSize().Width - 80; room < 7*a.settings.Text { // the title has a line of its own
		line = container.NewBorder(nil, texts, left, right)
	}
	bar := container.NewStack(canvas.NewRectangle(look.Bar), container.New(layout.NewCustomPaddedLayout(5, 5, 10, 10), line))
	var bottom fyne.CanvasObject
	if len(foot) > 0 {
		rule := canvas.NewRectangle(look.Line)
		rule.SetMinSize(fyne.NewSize(1, 1))
		bottom = container.NewStack(canvas.NewRectangle(look.Card), container.NewBorder(rule, nil, nil, nil,
			container.New(layout.NewCustomPaddedLayout(8, 8, 12, 12), container.NewStack(foot...))))
	}
	side := float32(14)
	if a.class == narrow {
		side = 6
	}
	a.win.SetContent(container.New(&watch{app: a}, container.NewBorder(bar, bottom, nil, nil,
		container.New(layout.NewCustomPaddedLayout(8, 6, side, side), body))))
}

// compact leaves of a button only its picture where there is little room.
func (a *App) compact(o fyne.CanvasObject) fyne.CanvasObject {
	if b, ok := o.(*widget.Button); ok && a.class == narrow && b.Icon != nil {
		b.SetText("")
		return look.Least(48, 48, b)
	}
	return o
}

// centredUp keeps an object in the middle of its height and gives it the width.
func centredUp(o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewBorder(nil, nil, nil, nil, container.New(look.MiddleHeight(), o))
}

// fail says what went wrong and what to do next. True when something did.
func (a *App) fail(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	said, hint := a.say.Error(err)
	content := []fyne.CanvasObject{look.Bold(said)}
	if hint != "" {
		content = append(content, look.Text(hint))
	}
	a.sheet(a.t("sorry"), container.NewVBox(content...))
	return true
}

// tell says something that went well or must be known.
func (a *App) tell(title, text string) { a.sheet(title, look.Text(text)) }

func (a *App) dialog(title string, content fyne.CanvasObject) { a.sheet(title, content) }

// ask asks yes or no.
func (a *App) ask(title, text, yes string, then func()) {
	a.sheet(title, look.Text(text), choice{yes, true, then})
}

// A choice is a button of a sheet.
type choice struct {
	label   string
	primary bool
	then    func()
}

// sheet lays something over the screen. Without choices it has one button that
// closes it; with them one more that cancels. The function closes it.
func (a *App) sheet(title string, content fyne.CanvasObject, choices ...choice) (shut func()) {
	last := a.t("ok")
	if len(choices) > 0 {
		last = a.t("cancel")
	}
	return a.over(title, last, content, choices)
}

// pick is a sheet whose content is what is to be chosen from.
func (a *App) pick(title string, content fyne.CanvasObject) (shut func()) {
	return a.over(title, a.t("cancel"), content, nil)
}

func (a *App) over(title, last string, content fyne.CanvasObject, choices []choice) (shut func()) {
	size := a.size()
	w := min(640*a.settings.Text/look.TextUsual, size.Width-24)
	var pop *widget.PopUp
	shut = func() { pop.Hide() }
	var buttons []fyne.CanvasObject
	buttons = append(buttons, look.Big(last, nil, shut))
	for _, c := range choices {
		act := func() { shut(); c.then() }
		b := look.Big(c.label, nil, act)
		if c.primary {
			b.Importance = widget.HighImportance
		}
		buttons = append(buttons, b)
	}
	row := fyne.CanvasObject(container.NewGridWithColumns(len(buttons), buttons...))
	if row.MinSize().Width > w-36 {
		row = container.NewVBox(buttons...)
	}
	inside := container.NewVBox(content)
	wanted := inside.MinSize()
	inside.Resize(fyne.NewSize(w-44, wanted.Height)) // labels learn how wide they are
	wanted = inside.MinSize()
	holder := scroll(inside)
	head := look.Sub(title)
	head.Resize(fyne.NewSize(w-44, 10))
	h := wanted.Height + head.MinSize().Height + row.MinSize().Height + 70
	pop = widget.NewModalPopUp(container.New(layout.NewCustomPaddedLayout(10, 12, 12, 12), container.NewBorder(head, row, nil, nil, holder)), a.win.Canvas())
	pop.Resize(fyne.NewSize(w, min(h, size.Height-32)))
	pop.Show()
	a.lies = pop
	return shut
}

// action is a button in a header.
func action(label string, icon fyne.Resource, tapped func()) fyne.CanvasObject {
	return look.Big(label, icon, tapped)
}

// scroll is a vertical scroll that does not pass its content's width up.
func scroll(o fyne.CanvasObject) *container.Scroll {
	s := container.NewVScroll(container.New(look.Inside(), container.New(layout.NewCustomPaddedLayout(2, 6, 2, 18), o))) // room for the bar
	s.SetMinSize(fyne.NewSize(200, 100))
	s.OnScrolled = func(fyne.Position) { look.Touched() }
	return s
}

// firstNonEmpty is the first text that says something.
func firstNonEmpty(texts ...string) string {
	for _, s := range texts {
		if strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}
