package console

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"rsc.io/qr"

	"ironfeet/app/console/accounts"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/sync/county"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// device is a machine or a person as the page shows it.
type device struct {
	ID          uuid.UUID
	Name, Scope string
	Role        trust.Role
	Until       time.Time
	Changes     uint64
	Ended       string
	Own         bool
}

func (c *Console) devices(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	c.devicesPage(w, r, a, http.StatusOK, page{}, nil)
}

func (c *Console) devicesPage(w http.ResponseWriter, r *http.Request, a *accounts.Account, status int, p page, more map[string]any) {
	roll, err := c.Office.Roll(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	var nodes, people []device
	for _, n := range roll.Nodes() {
		tip, err := c.Office.Replica.Tip(r.Context(), n.Subject)
		if err != nil {
			c.broken(w, r, err)
			return
		}
		d := device{ID: n.Subject, Name: n.Name, Role: n.Role, Scope: strings.Join(n.Scope, " "), Until: n.Until, Changes: tip.Last, Own: n.Subject == c.Office.Replica.Identity().Node}
		if rev, gone := roll.Revoked(n.Subject); gone {
			d.Ended = fmt.Sprint(rev.After)
		}
		nodes = append(nodes, d)
	}
	for _, n := range roll.People() {
		d := device{ID: n.Subject, Name: n.Name, Role: n.Role, Scope: strings.Join(n.Scope, " "), Until: n.Until}
		if at, gone := roll.PersonRevoked(n.Subject); gone {
			d.Ended = at.Format(time.DateOnly)
		}
		people = append(people, d)
	}
	data := map[string]any{"Nodes": nodes, "People": people, "MayInvite": c.Server != nil, "Address": c.address(r)}
	for k, v := range more {
		data[k] = v
	}
	p.Title, p.Account, p.Data = "console.devices", a, data
	c.render(w, r, status, "devices.html", p)
}

// address is where a tablet reaches this server, as far as it is known.
func (c *Console) address(r *http.Request) string {
	if c.Address != "" {
		return c.Address
	}
	scheme := "http://"
	if c.Secure {
		scheme = "https://"
	}
	return scheme + r.Host
}

// invite writes an invitation and shows its code once, also as a QR code for the
// tablet's camera.
func (c *Console) invite(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	role := trust.Role(r.PostFormValue("role"))
	q := county.InviteRequest{Server: strings.TrimSpace(r.PostFormValue("server")), Name: cutText(strings.TrimSpace(r.PostFormValue("name")), 60), Role: role, Valid: 72 * time.Hour}
	q.Scope = strings.Fields(r.PostFormValue("scope"))
	for name := range strings.Lines(r.PostFormValue("people")) {
		if name = cutText(strings.TrimSpace(name), 60); name != "" {
			q.People = append(q.People, exchange.Guest{Name: name, Role: string(role), Scope: q.Scope})
		}
	}
	fine := c.Server != nil && q.Name != "" && len(q.People) > 0 && len(q.People) <= 20 && (role == trust.Worker || role == trust.Township) && len(q.Scope) > 0 &&
		!slices.ContainsFunc(q.Scope, func(s string) bool {
			return !a.Covers(s) || strings.Trim(s, "0123456789") != "" || len(s) > 12
		})
	if !fine {
		c.devicesPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: c.say(r).Say("console.invite_incomplete", nil)}, nil)
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Invite, Object: q.Name, Count: int64(len(q.People)), Detail: map[string]string{"role": string(role), "scope": strings.Join(q.Scope, " ")}}); err != nil {
		c.broken(w, r, err)
		return
	}
	inv, _, err := c.Server.Invite(r.Context(), q)
	if err != nil {
		said, hint := c.say(r).Error(err)
		c.devicesPage(w, r, a, http.StatusUnprocessableEntity, page{Fault: said, Hint: hint}, nil)
		return
	}
	picture, err := qrSVG(inv.Code(), c.say(r).Say("console.invitation", nil))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.devicesPage(w, r, a, http.StatusOK, page{}, map[string]any{"Code": inv.Code(), "QR": picture, "For": q.Name, "Until": c.Office.World.Now().Add(q.Valid)})
}

// qrSVG draws a text as a QR code.
func qrSVG(text, title string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+4, y+4)
			}
		}
	}
	side := code.Size + 8
	return template.HTML(fmt.Sprintf(`<svg class="qr" viewBox="0 0 %d %d" role="img" aria-label="%s"><rect class="paper" width="%d" height="%d"/><path class="dots" d="%s"/></svg>`,
		side, side, template.HTMLEscapeString(title), side, side, path.String())), nil
}

func (c *Console) revoke(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	id, err := uuid.Parse(r.PathValue("id"))
	reason := cutText(strings.TrimSpace(r.PostFormValue("reason")), 300)
	own := c.Office.Replica.Identity()
	if err != nil || reason == "" || id == own.Node {
		c.refuse(w, r, http.StatusUnprocessableEntity, "console.reason_short")
		return
	}
	roll, err := c.Office.Roll(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if _, known := roll.Node(id); !known {
		c.refuse(w, r, http.StatusNotFound, "console.not_found")
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Revoke, Object: id.String(), Count: 1, Detail: map[string]string{"reason": reason}}); err != nil {
		c.broken(w, r, err)
		return
	}
	tip, err := c.Office.Replica.Tip(r.Context(), id)
	if err == nil {
		_, err = c.Office.Replica.Write(r.Context(), own.Node, trust.RevokeEdit(id, own.Division, tip.Last, reason))
	}
	if err == nil {
		_, err = c.Office.Merger.Reconsider(r.Context())
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.done(w, r, Base+"devices", "console.revoked")
}

func (c *Console) accounts(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	list, err := c.book.List(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "accounts.html", page{Title: "console.accounts", Account: a, Data: map[string]any{"List": list}})
}

// setAccount disables an account, lets it in again, or takes a lost second factor
// away.
func (c *Console) setAccount(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	login, do := r.PathValue("login"), r.PostFormValue("do")
	if login == a.Login {
		c.refuse(w, r, http.StatusUnprocessableEntity, "console.not_oneself")
		return
	}
	reason := cutText(strings.TrimSpace(r.PostFormValue("reason")), 300)
	if err := c.record(r, a, audit.Act{Action: audit.Account, Object: login, Count: 1, Detail: map[string]string{"do": do, "reason": reason}}); err != nil {
		c.broken(w, r, err)
		return
	}
	var err error
	switch do {
	case "disable":
		err = c.book.Disable(r.Context(), login, reason)
	case "enable":
		err = c.book.Enable(r.Context(), login)
	case "reset":
		err = c.book.Reset(r.Context(), login)
	default:
		c.refuse(w, r, http.StatusBadRequest, "console.bad_request")
		return
	}
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.done(w, r, Base+"accounts", "console.account_set")
}

// me is one's own account: the second factor.
func (c *Console) me(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	c.mePage(w, r, a, http.StatusOK, page{})
}

func (c *Console) mePage(w http.ResponseWriter, r *http.Request, a *accounts.Account, status int, p page) {
	data := map[string]any{"Has": a.TOTP != ""}
	if a.TOTP == "" {
		key, err := c.proposed(r, a)
		if err != nil {
			c.broken(w, r, err)
			return
		}
		picture, err := qrSVG(key.URL(), c.say(r).Say("console.second", nil))
		if err != nil {
			c.broken(w, r, err)
			return
		}
		data["QR"], data["Secret"] = picture, key.Secret()
	}
	p.Title, p.Account, p.Data = "console.me", a, data
	c.render(w, r, status, "me.html", p)
}

// proposed is the key that the page shows until a code of it confirms it.
func (c *Console) proposed(r *http.Request, a *accounts.Account) (*otp.Key, error) {
	if text := c.sessions.GetString(r.Context(), "proposed"); text != "" {
		return otp.NewKeyFromURL(text)
	}
	key, err := c.book.Propose(*a)
	if err == nil {
		c.sessions.Put(r.Context(), "proposed", key.URL())
	}
	return key, err
}

func (c *Console) setSecond(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	if a.TOTP != "" {
		c.refuse(w, r, http.StatusConflict, "console.bad_request")
		return
	}
	key, err := c.proposed(r, a)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Account, Object: a.Login, Detail: map[string]string{"do": "second factor"}}); err != nil {
		c.broken(w, r, err)
		return
	}
	err = c.book.Confirm(r.Context(), a.Login, key.Secret(), r.PostFormValue("code"))
	var wrong *accounts.Error
	if errors.As(err, &wrong) {
		c.mePage(w, r, a, http.StatusUnprocessableEntity, page{Fault: c.say(r).Say("account.code", nil)})
		return
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.sessions.Remove(r.Context(), "proposed")
	c.done(w, r, Base+"me", "console.second_on")
}

// system shows what the folder holds and what waits.
func (c *Console) system(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	ctx := r.Context()
	var kinds []bar
	for _, k := range []store.Kind{store.Household, store.Member, store.Task, store.Visit, store.Review, store.Alert, store.Determination, store.Person, store.Node} {
		n, err := c.Office.Replica.Count(ctx, store.Query{Kind: k})
		if err != nil {
			c.broken(w, r, err)
			return
		}
		kinds = append(kinds, bar{c.say(r).Say("kind."+string(k), nil), n, "c1"})
	}
	missing, err := c.Office.Replica.MissingBlobs(ctx)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	held, err := c.Office.Replica.HeldBundles(ctx)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	type waiting struct {
		Node, Reason string
		First, Last  uint64
		Since        time.Time
	}
	var queue []waiting
	for _, h := range held {
		queue = append(queue, waiting{h.Node.String()[:8], c.say(r).Say(h.Reason, h), h.First, h.Last, h.Since})
	}
	entries, err := c.Audit.Size(ctx)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	conflicts, err := c.Office.Replica.Conflicts(ctx, "")
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "system.html", page{Title: "console.system", Account: a, Data: map[string]any{
		"Kinds": bars(c.say(r).Say("console.system", nil), kinds), "Missing": len(missing), "Queue": queue, "Storage": storage(c.Office.Dir), "Entries": entries,
		"Conflicts": len(conflicts), "Fingerprint": trust.Fingerprint(c.Office.Root), "Node": c.Office.Replica.Identity().Node,
	}})
}

// A stored part of the data folder.
type stored struct {
	Name  string
	Files int
	Size  int64
}

// storage is what each part of the folder takes.
func storage(dir string) []stored {
	parts := map[string]*stored{}
	for _, name := range []string{"replica", "audit", "blobs", "uploads", "exports", "other"} {
		parts[name] = &stored{Name: name}
	}
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what went away meanwhile takes nothing
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		rel, _ := filepath.Rel(dir, path)
		top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		name := "other"
		switch {
		case strings.HasPrefix(top, "replica.db"):
			name = "replica"
		case strings.HasPrefix(top, "audit.db"):
			name = "audit"
		case parts[top] != nil:
			name = top
		}
		parts[name].Files++
		parts[name].Size += info.Size()
		return nil
	})
	var list []stored
	for _, name := range []string{"replica", "audit", "blobs", "uploads", "exports", "other"} {
		list = append(list, *parts[name])
	}
	return list
}
