// Package console is the county's face in a browser: what the clerk, the approver,
// the auditor and the administrator see and do.
//
// Every page is drawn here; none needs a script, and none could run one (the
// Content-Security-Policy allows nothing but our own style sheet and pictures).
// Handlers parse, ask casework, and render. Who may see a page stands in one table
// (may.go). Names are masked where the case itself is not open; a reveal needs a
// reason and is in the audit log before anything is shown.
package console

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/google/uuid"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/app/words"
	"ironfeet/assets"
	"ironfeet/store/audit"
	"ironfeet/sync/county"
)

// Options make a console.
type Options struct {
	Office  *office.Office
	Server  *county.Server // writes invitations; may be nil
	Audit   *audit.Log
	Kinds   *alerts.Kinds // the departments' lists and what they may mean
	Address string        // where tablets reach the county, offered when inviting
	Secure  bool          // served over TLS: cookies say so
	Idle    time.Duration
	Log     *slog.Logger // carries no personal data
}

// A Console answers one county's people.
type Console struct {
	Options
	Desk     *export.Desk
	book     *accounts.Book
	shelf    *publish.Shelf
	sessions *scs.SessionManager
	pages    map[string]*template.Template // by language
	mux      *http.ServeMux
	figures  *figures
	held     holding // uploads that wait for a second look

	jobs   sync.WaitGroup
	work   context.Context
	finish context.CancelFunc
}

//go:embed pages static
var files embed.FS

// Base is where the console stands.
const Base = "/console/"

// maxUpload bounds what a browser may send.
const maxUpload = 32 << 20

// New makes the console of an open office.
func New(o Options) (*Console, error) {
	if o.Idle <= 0 {
		o.Idle = 30 * time.Minute
	}
	c := &Console{
		Options: o, book: accounts.Of(o.Office), shelf: &publish.Shelf{}, mux: http.NewServeMux(), pages: map[string]*template.Template{},
		Desk: &export.Desk{World: o.Office.World, Replica: o.Office.Replica, Audit: o.Audit, NodeKey: o.Office.NodeKey, Root: o.Office.Root, Dir: o.Office.Dir},
	}
	c.work, c.finish = context.WithCancel(context.Background())
	c.figures = newFigures(o.Office.Replica, o.Office.World.Now)
	c.sessions = scs.New()
	c.sessions.Lifetime, c.sessions.IdleTimeout = 12*time.Hour, o.Idle
	c.sessions.Cookie.Name = "ironfeet"
	c.sessions.Cookie.Path = Base
	c.sessions.Cookie.HttpOnly, c.sessions.Cookie.Secure = true, o.Secure
	c.sessions.Cookie.SameSite, c.sessions.Cookie.Persist = http.SameSiteStrictMode, false
	c.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) { c.broken(w, r, err) }
	for _, lang := range assets.Languages {
		t, err := template.New("").Funcs(functions(words.In(lang))).ParseFS(files, "pages/*.html")
		if err != nil {
			return nil, err
		}
		c.pages[lang] = t
	}
	c.routes()
	again, err := c.Desk.Resume(c.work)
	for _, id := range again {
		c.runExport(id)
	}
	return c, err
}

// Close ends what runs in the background.
func (c *Console) Close() {
	c.finish()
	c.jobs.Wait()
	c.figures.wait()
}

// background runs a job that outlives its request.
func (c *Console) background(do func(context.Context)) {
	c.jobs.Add(1)
	go func() {
		defer c.jobs.Done()
		do(c.work)
	}()
}

// Handler is the console as net/http takes it: everything below Base. What comes
// from another site's page is refused before anything else is looked at.
func (c *Console) Handler() http.Handler {
	guarded := http.NewCrossOriginProtection()
	guarded.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.refuse(w, r, http.StatusForbidden, "console.cross_site")
	}))
	inner := c.sessions.LoadAndSave(guarded.Handler(c.mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if !strings.HasPrefix(r.URL.Path, Base+"static/") {
			h.Set("Cache-Control", "no-store") // what is shown stays in no cache
		}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				c.Log.Error("console panic", "route", r.Pattern, "panic", p)
				c.refuse(w, r, http.StatusInternalServerError, "console.broken")
			}
		}()
		inner.ServeHTTP(w, r)
	})
}

// Beside serves the console below Base and everything else as before; the root
// leads to the console.
func (c *Console) Beside(other http.Handler) http.Handler {
	own := c.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, Base):
			own.ServeHTTP(w, r)
		case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			http.Redirect(w, r, Base, http.StatusSeeOther)
		default:
			other.ServeHTTP(w, r)
		}
	})
}

// language is what the browser asked for, or what was chosen.
func language(r *http.Request) string {
	if k, err := r.Cookie("ironfeet_lang"); err == nil && (k.Value == "zh" || k.Value == "en") {
		return k.Value
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		switch tag := strings.ToLower(strings.TrimSpace(part)); {
		case strings.HasPrefix(tag, "zh"):
			return "zh"
		case strings.HasPrefix(tag, "en"):
			return "en"
		}
	}
	return "zh"
}

// A page is what every template gets.
type page struct {
	Title   string // key
	Account *accounts.Account
	Lang    string
	County  string
	Path    string
	Nav     []navItem
	Notice  string // said after something was done
	Fault   string
	Hint    string
	Refresh int // seconds until the page is asked for again; 0 never
	Data    any
}

type navItem struct {
	Key, Path string
	Here      bool
}

// render draws a page.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	lang := language(r)
	p.Lang, p.County, p.Path = lang, c.Office.Replica.Identity().Name, r.URL.Path
	if p.Account == nil {
		p.Account = c.signedIn(r)
	}
	if p.Account != nil {
		for _, n := range navigation {
			if may(p.Account.Role, n.right) {
				p.Nav = append(p.Nav, navItem{n.key, n.path, n.path == p.Path || n.path != Base && strings.HasPrefix(p.Path, n.path)})
			}
		}
		if p.Notice == "" {
			p.Notice = c.sessions.PopString(r.Context(), "notice")
		}
	}
	var b strings.Builder
	if err := c.pages[lang].ExecuteTemplate(&b, name, p); err != nil {
		c.Log.Error("page cannot be drawn", "page", name, "error", err.Error())
		http.Error(w, "the page cannot be drawn", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, b.String()) // whoever asked has gone
}

// refuse says why not.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	say := words.In(language(r))
	p := page{Title: "console.refused", Fault: say.Say(code, nil)}
	if say.Has(code + ".hint") {
		p.Hint = say.Say(code+".hint", nil)
	}
	c.render(w, r, status, "refused.html", p)
}

// failed says an error of the work: a coded one in words, any other as a fault of
// ours.
func (c *Console) failed(w http.ResponseWriter, r *http.Request, err error) {
	var coded words.Coded
	if !errors.As(err, &coded) {
		c.broken(w, r, err)
		return
	}
	status := http.StatusUnprocessableEntity
	if coded.Code() == "store.not_found" {
		status = http.StatusNotFound
	}
	said, hint := words.In(language(r)).Error(err)
	c.render(w, r, status, "refused.html", page{Title: "console.refused", Fault: said, Hint: hint})
}

// broken is a fault of ours: the log has it, the browser is told no more than that.
func (c *Console) broken(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	c.Log.Error("console request failed", "route", r.Pattern, "error", err.Error())
	c.refuse(w, r, http.StatusInternalServerError, "console.broken")
}

// done leads on after something was done, with a sentence to show there.
func (c *Console) done(w http.ResponseWriter, r *http.Request, to, notice string) {
	c.doneWith(w, r, to, notice, nil)
}

// doneWith is done with a sentence that has parts.
func (c *Console) doneWith(w http.ResponseWriter, r *http.Request, to, notice string, parts any) {
	c.sessions.Put(r.Context(), "notice", c.say(r).Say(notice, parts))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// record writes into the audit log before anything is shown or done.
func (c *Console) record(r *http.Request, a *accounts.Account, act audit.Act) error {
	if a != nil {
		act.Actor, act.Role = a.Person.String(), string(a.Role)
	}
	_, err := c.Audit.Append(r.Context(), act)
	return err
}

// holding keeps uploads between a preview and the decision, each for one person.
type holding struct {
	mu   sync.Mutex
	list map[uuid.UUID]held
}

type held struct {
	by   uuid.UUID
	name string
	data []byte
	more string
	at   time.Time
}

const mostHeld = 8

// keep keeps an upload; of too many the oldest goes.
func (h *holding) keep(id uuid.UUID, what held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.list == nil {
		h.list = map[uuid.UUID]held{}
	}
	for len(h.list) >= mostHeld {
		var oldest uuid.UUID
		for k, v := range h.list {
			if oldest == uuid.Nil || v.at.Before(h.list[oldest].at) {
				oldest = k
			}
		}
		delete(h.list, oldest)
	}
	h.list[id] = what
}

func (h *holding) take(id, by uuid.UUID) (held, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	what, ok := h.list[id]
	return what, ok && what.by == by
}
