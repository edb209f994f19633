package console

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/console/accounts"
	"ironfeet/app/words"
	"ironfeet/assets/font"
	"ironfeet/store/audit"
	"ironfeet/store/vault"
)

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	if c.signedIn(r) != nil {
		http.Redirect(w, r, Base, http.StatusSeeOther)
		return
	}
	c.render(w, r, http.StatusOK, "login.html", page{Title: "console.sign_in"})
}

// login looks at a login and a password. The session's token is another from here
// on: one that somebody planted in the browser opens nothing (session fixation).
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
		return
	}
	name := strings.ToLower(strings.TrimSpace(r.PostForm.Get("login")))
	a, err := c.book.SignIn(r.Context(), name, r.PostForm.Get("password"))
	if err != nil {
		if !accounts.IsWrong(err) {
			c.broken(w, r, err)
			return
		}
		act := audit.Act{Action: audit.SignInRefused, Detail: map[string]string{"login": name[:min(len(name), 64)]}}
		if a.Person != uuid.Nil {
			act.Actor, act.Role = a.Person.String(), string(a.Role)
		}
		if err := c.record(r, nil, act); err != nil {
			c.broken(w, r, err)
			return
		}
		c.render(w, r, http.StatusUnauthorized, "login.html", page{Title: "console.sign_in", Fault: c.wrong(r, err)})
		return
	}
	if err := c.sessions.RenewToken(r.Context()); err != nil {
		c.broken(w, r, err)
		return
	}
	c.sessions.Put(r.Context(), "person", a.Person.String())
	if a.TOTP != "" {
		c.sessions.Put(r.Context(), "half", true)
		http.Redirect(w, r, Base+"second", http.StatusSeeOther)
		return
	}
	c.enter(w, r, &a)
}

// wrong is the same for an unknown login and for a wrong password; only waiting is
// said, since whoever waits should know it.
func (c *Console) wrong(r *http.Request, err error) string {
	say := words.In(language(r))
	var pin *vault.WrongPINError
	if errors.As(err, &pin) && pin.Wait > 0 {
		return say.Say("console.locked", nil)
	}
	var e *accounts.Error
	if errors.As(err, &e) && e.Why == "disabled" {
		return say.Say("account.disabled", e)
	}
	return say.Say("account.wrong", nil)
}

func (c *Console) enter(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	if err := c.record(r, a, audit.Act{Action: audit.SignIn}); err != nil {
		c.broken(w, r, err)
		return
	}
	if err := c.book.Came(r.Context(), a.Login); err != nil {
		c.broken(w, r, err)
		return
	}
	c.sessions.Remove(r.Context(), "half")
	http.Redirect(w, r, Base, http.StatusSeeOther)
}

// halfway is whoever gave the right password and has a second factor to give.
func (c *Console) halfway(r *http.Request) *accounts.Account {
	id, err := uuid.Parse(c.sessions.GetString(r.Context(), "person"))
	if err != nil || !c.sessions.GetBool(r.Context(), "half") {
		return nil
	}
	a, err := c.book.Get(r.Context(), id)
	if err != nil || a.Disabled {
		return nil
	}
	return &a
}

func (c *Console) secondPage(w http.ResponseWriter, r *http.Request) {
	if c.halfway(r) == nil {
		http.Redirect(w, r, Base+"login", http.StatusSeeOther)
		return
	}
	c.render(w, r, http.StatusOK, "second.html", page{Title: "console.second"})
}

// mostCodes is how many codes one password buys.
const mostCodes = 5

func (c *Console) second(w http.ResponseWriter, r *http.Request) {
	a := c.halfway(r)
	if a == nil {
		http.Redirect(w, r, Base+"login", http.StatusSeeOther)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	tries := c.sessions.GetInt(r.Context(), "tries") + 1
	c.sessions.Put(r.Context(), "tries", tries)
	err := c.book.Second(r.Context(), a.Login, r.PostFormValue("code"))
	if err == nil {
		if err := c.sessions.RenewToken(r.Context()); err != nil {
			c.broken(w, r, err)
			return
		}
		c.enter(w, r, a)
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.SignInRefused, Detail: map[string]string{"second": "wrong"}}); err != nil {
		c.broken(w, r, err)
		return
	}
	if tries >= mostCodes {
		_ = c.sessions.Destroy(r.Context()) // the cookie is worthless either way
		http.Redirect(w, r, Base+"login", http.StatusSeeOther)
		return
	}
	c.render(w, r, http.StatusUnauthorized, "second.html", page{Title: "console.second", Fault: words.In(language(r)).Say("account.code", nil)})
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	if a := c.signedIn(r); a != nil {
		if err := c.record(r, a, audit.Act{Action: audit.SignOut}); err != nil {
			c.broken(w, r, err)
			return
		}
	}
	if err := c.sessions.Destroy(r.Context()); err != nil {
		c.broken(w, r, err)
		return
	}
	http.Redirect(w, r, Base+"login", http.StatusSeeOther)
}

func (c *Console) setLanguage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	lang, back := r.PostFormValue("to"), r.PostFormValue("back")
	if lang != "zh" && lang != "en" {
		c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
		return
	}
	// Only to a page of ours: never off to another site.
	if back = path.Clean("/" + back); !strings.HasPrefix(back, strings.TrimSuffix(Base, "/")) {
		back = Base
	}
	if back+"/" == Base {
		back = Base
	}
	http.SetCookie(w, &http.Cookie{Name: "ironfeet_lang", Value: lang, Path: Base, MaxAge: int((365 * 24 * time.Hour).Seconds()), HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// static serves the style sheet, and the font for a machine that has no Chinese one.
func (c *Console) static(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	switch name := r.PathValue("file"); name {
	case "console.css":
		data, err := files.ReadFile("static/console.css")
		if err != nil {
			c.broken(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(data)
	case "regular.ttf", "bold.ttf":
		data := font.Regular
		if name == "bold.ttf" {
			data = font.Bold
		}
		w.Header().Set("Content-Type", "font/ttf")
		_, _ = w.Write(data)
	default:
		http.NotFound(w, r)
	}
}
