// Package chain is a household's assistance chain (一户一条救助链, 国办发〔2023〕39号):
// everything that was found, asked, seen, decided, given and answered, in one
// timeline, each entry with its day and who did it.
//
// It is read out of the change log itself, so nothing can be missing from it and
// nothing be put into it.
package chain

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/notice"
	"ironfeet/app/casework/visit"
	"ironfeet/forms/standards"
	"ironfeet/store"
)

// An Entry is one link of the chain.
type Entry struct {
	At     time.Time         `json:"at"`
	What   string            `json:"what"` // alert_open, task_open, visit, review_accepted, decided, need_referred, notice_posted …
	Ref    uuid.UUID         `json:"ref"`  // the alert, task, visit …
	Author uuid.UUID         `json:"author"`
	Who    string            `json:"who,omitempty"`
	Parts  map[string]string `json:"parts,omitempty"` // what the sentence of What says
}

// Of reads a household's chain, the oldest first.
func Of(ctx context.Context, r *store.Replica, household uuid.UUID) ([]Entry, error) {
	if _, err := r.Entity(ctx, household); err != nil {
		return nil, err
	}
	c := &chain{names: map[uuid.UUID]string{}}
	people, err := r.Entities(ctx, store.Query{Kind: store.Person})
	if err != nil {
		return nil, err
	}
	nodes, err := r.Entities(ctx, store.Query{Kind: store.Node})
	if err != nil {
		return nil, err
	}
	for _, e := range append(nodes, people...) {
		c.names[e.ID] = e.Text("name")
	}
	visits := []uuid.UUID{}
	for _, kind := range []store.Kind{store.Alert, store.Task, store.Visit, store.Opinion, store.Determination, store.Need} {
		list, err := r.Entities(ctx, store.Query{Kind: kind, Parent: household.String()})
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if kind == store.Visit {
				visits = append(visits, e.ID)
				c.visit(e)
				continue
			}
			if err := c.states(ctx, r, e); err != nil {
				return nil, err
			}
		}
	}
	for _, id := range visits {
		reviews, err := r.Entities(ctx, store.Query{Kind: store.Review, Parent: id.String()})
		if err != nil {
			return nil, err
		}
		for _, e := range reviews {
			if err := c.states(ctx, r, e); err != nil {
				return nil, err
			}
		}
	}
	if err := c.notices(ctx, r, household); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.entries, func(a, b Entry) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(order(a.What), order(b.What)), cmp.Compare(a.Ref.String(), b.Ref.String()))
	})
	return c.entries, nil
}

// order is how things follow one another within one moment.
func order(what string) int {
	for i, prefix := range []string{"alert", "task", "visit", "review", "opinion", "decided", "aid", "need", "notice"} {
		if len(what) >= len(prefix) && what[:len(prefix)] == prefix {
			return i
		}
	}
	return 9
}

type chain struct {
	names   map[uuid.UUID]string
	entries []Entry
}

func (c *chain) add(at time.Time, what string, ref, author uuid.UUID, parts map[string]string) {
	for k, v := range parts {
		if v == "" {
			delete(parts, k)
		}
	}
	c.entries = append(c.entries, Entry{At: at, What: what, Ref: ref, Author: author, Who: c.names[author], Parts: parts})
}

// visit is when the door was opened, by the device's clock, and who stood there.
func (c *chain) visit(e *store.Entity) {
	s, err := visit.FromEntity(e)
	if err != nil {
		c.add(e.Updated.Time(), "visit_damaged", e.ID, uuid.Nil, nil)
		return
	}
	parts := map[string]string{"outcome": s.Content.Outcome}
	for _, id := range s.Investigator {
		if name := c.names[id]; name != "" {
			if parts["investigators"] != "" {
				parts["investigators"] += "、"
			}
			parts["investigators"] += name
		}
	}
	author := uuid.Nil
	if len(s.Investigator) > 0 {
		author = s.Investigator[0]
	}
	c.add(s.EndedAt(), "visit", e.ID, author, parts)
}

// states turns the changes of one thing into links: one whenever its state is set.
func (c *chain) states(ctx context.Context, r *store.Replica, e *store.Entity) error {
	history, err := r.History(ctx, e.ID)
	if err != nil {
		return err
	}
	field := map[string]store.Value{}
	for _, ch := range history {
		state, decision := "", false
		for _, f := range ch.Fields {
			field[f.Name] = f.Value
			switch f.Name {
			case "state":
				state = f.Value.Text()
			case "decision":
				state = f.Value.Text()
			case "amount_fen":
				decision = true
			}
		}
		text := func(name string) string { return field[name].Text() }
		at := ch.Clock.Time()
		switch e.Kind {
		case store.Alert:
			if state != "" {
				c.add(at, "alert_"+state, e.ID, ch.Author, map[string]string{"kind": text("alert_kind"), "detail": text("detail"), "outcome": text("outcome_label"), "note": text("outcome_note")})
			}
		case store.Task:
			if state != "" {
				c.add(at, "task_"+state, e.ID, ch.Author, map[string]string{"reason": text("reason"), "due": text("due"), "returned": text("returned")})
			}
		case store.Review:
			if state != "" {
				c.add(at, "review_"+state, e.ID, ch.Author, map[string]string{"reason": text("reason")})
			}
		case store.Need:
			if state != "" {
				c.add(at, "need_"+state, e.ID, ch.Author, map[string]string{"label": text("label"), "department": text("department"), "answer": text("answer")})
			}
		case store.Opinion:
			if state != "" {
				fen, _ := field["amount_fen"].Int()
				c.add(at, "opinion_"+state, e.ID, ch.Author, map[string]string{"label": text("label"), "yuan": yuan(fen), "reason": text("reason")})
			}
		case store.Determination:
			if !decision {
				continue
			}
			fen, _ := field["amount_fen"].Int()
			what := "decided"
			if text("revised") != "" {
				what = "decided_again"
			}
			c.add(at, what, e.ID, ch.Author, map[string]string{"category": text("category"), "label": text("label"), "suggested": text("suggested"), "yuan": yuan(fen), "standards": text("standards"), "reason": text("reason"), "review_by": text("review_by")})
			if from, err := time.Parse(time.DateOnly, text("pay_from")); err == nil && fen > 0 {
				c.add(from, "aid", e.ID, ch.Author, map[string]string{"label": text("label"), "yuan": yuan(fen)})
			}
			if until, err := time.Parse(time.DateOnly, text("grace_until")); err == nil {
				c.add(until, "aid_grace_ends", e.ID, ch.Author, map[string]string{"category": text("grace_category")})
			}
			if until, err := time.Parse(time.DateOnly, text("valid_until")); err == nil {
				c.add(until, "aid_ends", e.ID, ch.Author, map[string]string{"label": text("label")})
			}
		}
	}
	return nil
}

// notices are the postings on which the household stood.
func (c *chain) notices(ctx context.Context, r *store.Replica, household uuid.UUID) error {
	h, err := r.Entity(ctx, household)
	if err != nil {
		return err
	}
	sheets, err := notice.List(ctx, r, h.Division)
	if err != nil {
		return err
	}
	for _, s := range sheets {
		if !slices.ContainsFunc(s.Rows, func(row notice.Row) bool { return row.Household == household }) {
			continue
		}
		for _, d := range []struct{ day, what string }{{s.From, "notice_posted"}, {s.Until, "notice_ends"}} {
			if at, err := time.Parse(time.DateOnly, d.day); err == nil {
				c.add(at, d.what, s.ID, uuid.Nil, map[string]string{"place": s.Place})
			}
		}
	}
	return nil
}

func yuan(fen int64) string {
	if fen == 0 {
		return ""
	}
	return standards.Fen(fen).String()
}
