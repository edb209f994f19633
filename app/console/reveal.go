package console

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/visit"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// reveal shows a household in full for a while, once the reason is on record.
func (c *Console) reveal(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	e, ok := c.inScope(w, r, a, store.Household)
	if !ok {
		return
	}
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	if len([]rune(reason)) < 4 {
		c.refuse(w, r, http.StatusUnprocessableEntity, "console.reason_short")
		return
	}
	if err := c.record(r, a, audit.Act{Action: audit.Reveal, Object: e.ID.String(), Count: 1, Detail: map[string]string{"reason": cutText(reason, 500)}}); err != nil {
		c.broken(w, r, err)
		return
	}
	c.sessions.Put(r.Context(), "reveal."+e.ID.String(), c.Office.World.Now().Add(revealFor).Unix())
	http.Redirect(w, r, Base+"households/"+e.ID.String(), http.StatusSeeOther)
}

// printHousehold is the page for paper; that it was printed is written down.
func (c *Console) printHousehold(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	e, ok := c.inScope(w, r, a, store.Household)
	if !ok {
		return
	}
	open := c.revealed(r, e.ID)
	data, err := c.householdData(r, a, e.ID, open)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	detail := map[string]string{"unmasked": "false"}
	if open {
		detail["unmasked"] = "true"
	}
	if err := c.record(r, a, audit.Act{Action: audit.Print, Object: e.ID.String(), Count: 1, Detail: detail}); err != nil {
		c.broken(w, r, err)
		return
	}
	data["Print"] = true
	c.render(w, r, http.StatusOK, "household.html", page{Title: "console.household", Account: a, Data: data})
}

// photo sends a picture of a revealed household's visit, and no other.
func (c *Console) photo(w http.ResponseWriter, r *http.Request, a *accounts.Account) {
	e, ok := c.inScope(w, r, a, store.Household)
	if !ok {
		return
	}
	if !c.revealed(r, e.ID) {
		c.refuse(w, r, http.StatusForbidden, "console.masked")
		return
	}
	digest, err := c.photoOf(r.Context(), e.ID, r.PathValue("digest"), may(a.Role, seeChildren))
	if err != nil {
		c.refuse(w, r, http.StatusNotFound, "console.not_found")
		return
	}
	rd, _, err := c.Office.Replica.OpenBlob(r.Context(), digest)
	if err != nil {
		c.refuse(w, r, http.StatusNotFound, "console.not_found")
		return
	}
	defer rd.Close()
	head := make([]byte, 512)
	n, _ := io.ReadFull(rd, head)
	kind := http.DetectContentType(head[:n])
	if kind != "image/jpeg" && kind != "image/png" {
		kind = "application/octet-stream" // never a page
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(head[:n])
	_, _ = io.Copy(w, rd) // whoever asked has gone
}

func (c *Console) photoOf(ctx context.Context, household uuid.UUID, digest string, children bool) (store.Digest, error) {
	visits, err := c.Office.Replica.Children(ctx, store.Visit, household)
	if err != nil {
		return store.Digest{}, err
	}
	for _, v := range visits {
		s, err := visit.FromEntity(v)
		if err != nil {
			continue
		}
		for _, p := range s.Content.Photos {
			if p.Digest.String() == digest && !export.Never(p.Path, children) {
				return p.Digest, nil
			}
		}
	}
	return store.Digest{}, store.ErrNotFound
}
