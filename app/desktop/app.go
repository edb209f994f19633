// Package desktop draws the app: unlock, today, household, visit, summary,
// signatures, done; the township's inbox, review and conflicts; sync. It decides
// nothing: package present prepares, package casework decides.
package desktop

import (
	"context"
	"errors"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/app/words"
	"ironfeet/assets/icon"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// Options of the app.
type Options struct {
	World    world.World
	Dir      string // this machine's data folder
	Lang     string // zh or en
	TextSize float32
	Demo     bool // practice: the PIN is shown, photos can be painted
}

// App is the app with its one window. It belongs to the main goroutine.
type App struct {
	options Options
	app     fyne.App
	win     fyne.Window
	say     *words.Speaker
	ctx     context.Context
	session *present.Session
	thumbs  map[store.Digest]fyne.Resource
	keys    map[fyne.KeyName]func() // of the screen that is shown
}

// New makes the app and shows who can unlock it.
func New(a fyne.App, o Options) *App {
	x := &App{options: o, app: a, say: words.In(o.Lang), ctx: context.Background(), thumbs: map[store.Digest]fyne.Resource{}}
	a.Settings().SetTheme(look.NewTheme(o.TextSize))
	a.SetIcon(fyne.NewStaticResource("ironfeet.png", icon.PNG))
	x.win = a.NewWindow(x.t("title"))
	x.win.Resize(fyne.NewSize(1280, 800))
	x.win.CenterOnScreen()
	x.win.SetMaster()
	x.win.SetOnClosed(x.lock)
	x.win.Canvas().SetOnTypedKey(func(e *fyne.KeyEvent) {
		if act := x.keys[e.Name]; act != nil {
			act()
		}
	})
	x.unlockScreen()
	return x
}

// Run shows the window until it is closed.
func (a *App) Run() { a.win.ShowAndRun() }

// lock closes the data folder; what was answered is saved already.
func (a *App) lock() {
	if a.session != nil {
		_ = a.session.Close() // answers are durable: nothing is lost by what fails here
		a.session = nil
	}
}

// t says a sentence of the app.
func (a *App) t(key string, parts ...any) string { return present.T(a.say, key, parts...) }

// A header is the bar above a screen.
type header struct {
	title, under string
	back         func()
	right        []fyne.CanvasObject
}

// show puts a screen into the window.
func (a *App) show(h header, body fyne.CanvasObject, foot ...fyne.CanvasObject) {
	a.keys = map[fyne.KeyName]func(){}
	if h.back != nil {
		a.keys[fyne.KeyEscape] = h.back
	}
	title := look.Title(h.title)
	title.TextSize = theme.Size(theme.SizeNameSubHeadingText)
	title.Color = look.Card
	texts := container.NewVBox(title)
	if h.under != "" {
		under := canvas.NewText(h.under, look.Soft)
		under.TextSize = theme.Size(theme.SizeNameCaptionText)
		texts.Add(under)
	}
	ground := canvas.NewRectangle(look.Action)
	var left fyne.CanvasObject
	if h.back != nil {
		left = container.NewCenter(widget.NewButtonWithIcon(a.t("back"), theme.NavigateBackIcon(), h.back))
	}
	right := container.NewHBox()
	for _, o := range h.right {
		right.Add(container.NewCenter(o))
	}
	bar := container.NewStack(ground, container.New(layout.NewCustomPaddedLayout(8, 8, 12, 12),
		container.NewBorder(nil, nil, left, right, container.New(layout.NewCustomPaddedLayout(0, 0, 10, 0), texts))))
	var bottom fyne.CanvasObject
	if len(foot) > 0 {
		line := canvas.NewRectangle(look.Line)
		line.SetMinSize(fyne.NewSize(1, 1))
		bottom = container.NewStack(canvas.NewRectangle(look.Card), container.NewBorder(line, nil, nil, nil,
			container.New(layout.NewCustomPaddedLayout(8, 8, 14, 14), container.NewBorder(nil, nil, nil, nil, foot...))))
	}
	a.win.SetContent(container.NewBorder(bar, bottom, nil, nil,
		container.New(layout.NewCustomPaddedLayout(12, 10, 14, 14), body)))
}

// home is the first screen of whoever is at work.
func (a *App) home() {
	if a.session.Role == trust.Worker {
		a.todayScreen()
	} else {
		a.inboxScreen()
	}
}

// fail says what went wrong and what to do next. True when something did.
func (a *App) fail(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	said, hint := a.say.Error(err)
	content := container.NewVBox(look.Bold(said))
	if hint != "" {
		content.Add(look.Text(hint))
	}
	a.dialog(a.t("sorry"), content)
	return true
}

// tell says something that went well or must be known.
func (a *App) tell(title, text string) { a.dialog(title, look.Text(text)) }

func (a *App) dialog(title string, content fyne.CanvasObject) {
	width := min(560, a.win.Canvas().Size().Width*0.9)
	dialog.ShowCustom(title, a.t("ok"), look.Least(width, 60, content), a.win)
}

// ask asks yes or no.
func (a *App) ask(title, text, yes string, then func()) {
	width := min(520, a.win.Canvas().Size().Width*0.9)
	dialog.ShowCustomConfirm(title, yes, a.t("cancel"), look.Least(width, 60, look.Text(text)), func(ok bool) {
		if ok {
			then()
		}
	}, a.win)
}

// on is an action's icon button in a header.
func action(label string, icon fyne.Resource, tapped func()) fyne.CanvasObject {
	return widget.NewButtonWithIcon(label, icon, tapped)
}

// scroll is a vertical scroll that does not pass its content's width up.
func scroll(o fyne.CanvasObject) *container.Scroll {
	s := container.NewVScroll(container.New(layout.NewCustomPaddedLayout(2, 6, 2, 18), o)) // room for the bar
	s.SetMinSize(fyne.NewSize(200, 100))
	return s
}
