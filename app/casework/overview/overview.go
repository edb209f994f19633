// Package overview counts a township's work: by village, what is open, overdue,
// visited, returned, accepted; by worker, what came and how it stands; and what the
// county has not confirmed yet.
//
// Workers are listed by name. They are not ranked against each other: a mountain
// village is not a slow one.
package overview

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/cards"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/store"
	"ironfeet/sync/link"
)

// A Village and its work.
type Village struct {
	Code, Name  string
	Households  int
	Open        int // tasks
	Overdue     int // of them
	Visited     int // signed visits that are here
	Waiting     int // of them, for a decision of this office
	Returned    int
	Accepted    int
	Escalated   int // the county decides
	Unconfirmed int // visits and decisions that the county is not known to have
}

// A Worker and what came from him or her.
type Worker struct {
	Person   uuid.UUID
	Name     string
	Visited  int
	Waiting  int
	Returned int
	Accepted int
	Last     time.Time
}

// An Overview is a township's work as of now.
type Overview struct {
	Day      string
	Villages []Village // by code
	Workers  []Worker  // by name
	Total    Village
}

// Of counts. names says who a person is.
func Of(ctx context.Context, r *store.Replica, box *cards.Box, division string, today time.Time, names func(uuid.UUID) string) (Overview, error) {
	out := Overview{Day: today.Format(time.DateOnly)}
	if _, err := box.Refresh(ctx); err != nil {
		return out, err
	}
	confirmed, err := link.Confirmed(ctx, r)
	if err != nil {
		return out, err
	}
	states, err := review.States(ctx, r, division)
	if err != nil {
		return out, err
	}
	villages := map[string]*Village{}
	at := func(code string) *Village {
		v := villages[code]
		if v == nil {
			v = &Village{Code: code, Name: code}
			villages[code] = v
		}
		return v
	}
	households, err := r.Rows(ctx, store.Query{Kind: store.Household, Division: division})
	if err != nil {
		return out, err
	}
	for _, row := range households {
		if row.State == registry.Merged { // it is another one
			continue
		}
		v := at(row.Division)
		if v.Households++; v.Name == v.Code {
			if e, err := r.Entity(ctx, row.ID); err == nil && e.Text("village") != "" {
				v.Name = e.Text("village")
			}
		}
	}
	open, err := r.Rows(ctx, store.Query{Kind: store.Task, Division: division, State: tasks.Open})
	if err != nil {
		return out, err
	}
	for _, row := range open {
		v := at(row.Division)
		if v.Open++; row.Due != "" && row.Due < out.Day {
			v.Overdue++
		}
	}
	workers := map[uuid.UUID]*Worker{}
	for _, c := range box.All() {
		if !store.Within(division, c.Division) {
			continue
		}
		v := at(c.Division)
		v.Visited++
		if c.Seq > confirmed[c.Node] {
			v.Unconfirmed++
		}
		state := states[c.Visit]
		count := func(waiting, returned, accepted *int) {
			switch state {
			case review.Accepted:
				*accepted++
			case review.Returned:
				*returned++
			case review.Escalated:
			default:
				*waiting++
			}
		}
		count(&v.Waiting, &v.Returned, &v.Accepted)
		if state == review.Escalated {
			v.Escalated++
		}
		for _, p := range c.Workers {
			w := workers[p]
			if w == nil {
				w = &Worker{Person: p, Name: names(p)}
				workers[p] = w
			}
			w.Visited++
			count(&w.Waiting, &w.Returned, &w.Accepted)
			if c.EndedAt().After(w.Last) {
				w.Last = c.EndedAt()
			}
		}
	}
	if err := unconfirmed(ctx, r, division, confirmed, at); err != nil {
		return out, err
	}
	for _, v := range villages {
		out.Villages = append(out.Villages, *v)
		out.Total.add(v)
	}
	slices.SortFunc(out.Villages, func(a, b Village) int { return strings.Compare(a.Code, b.Code) })
	for _, w := range workers {
		out.Workers = append(out.Workers, *w)
	}
	slices.SortFunc(out.Workers, func(a, b Worker) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Person[:], b.Person[:]))
	})
	return out, nil
}

func (t *Village) add(v *Village) {
	t.Households += v.Households
	t.Open += v.Open
	t.Overdue += v.Overdue
	t.Visited += v.Visited
	t.Waiting += v.Waiting
	t.Returned += v.Returned
	t.Accepted += v.Accepted
	t.Escalated += v.Escalated
	t.Unconfirmed += v.Unconfirmed
}

// unconfirmed counts this office's own decisions, notices and opinions that no receipt
// of the county covers.
func unconfirmed(ctx context.Context, r *store.Replica, division string, confirmed map[uuid.UUID]uint64, at func(string) *Village) error {
	own := r.Identity().Node
	for kind, field := range map[store.Kind]string{store.Review: "decision", store.Notice: "state", store.Opinion: "state"} {
		rows, err := r.Rows(ctx, store.Query{Kind: kind, Division: division})
		if err != nil {
			return fmt.Errorf("read what the county has not confirmed: %w", err)
		}
		for _, row := range rows {
			heads, err := r.Heads(ctx, row.ID, field)
			if err != nil {
				return err
			}
			for _, h := range heads {
				if h.Node == own && h.Seq > confirmed[own] {
					at(row.Division).Unconfirmed++
				}
			}
		}
	}
	return nil
}
