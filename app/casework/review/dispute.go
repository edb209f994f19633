package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
)

// A Dispute is a conflict of the registry explained: who says what, from which
// visit, when.
type Dispute struct {
	store.Conflict
	Household uuid.UUID
	Whose     string
	Says      []Said
}

// Said is one value of a field and where it came from.
type Said struct {
	Value    string
	Raw      store.Value
	Author   uuid.UUID
	At       time.Time
	Visit    uuid.UUID // whose acceptance set it; uuid.Nil if none of it
	Review   uuid.UUID // the decision by which it was set; uuid.Nil if none
	Stands   bool      // it is one of the present values
	Reason   string    // of the decision
	ChangeID store.ChangeID
}

// Disputes explains every open conflict of a division.
func (rv *Reviewer) Disputes(ctx context.Context, division string) ([]Dispute, error) {
	conflicts, err := rv.Replica.Conflicts(ctx, division)
	if err != nil {
		return nil, err
	}
	causes := &causes{r: rv.Replica}
	var out []Dispute
	for _, c := range conflicts {
		d := Dispute{Conflict: c, Household: c.Entity}
		e, err := rv.Replica.Entity(ctx, c.Entity)
		if err != nil {
			return nil, err
		}
		d.Whose = e.Text("name")
		switch c.Kind {
		case store.Member:
			d.Household, _ = uuid.Parse(e.Text("parent"))
		case store.Opinion, store.Determination: // of a household, whose name they do not carry
			d.Household, _ = uuid.Parse(e.Text("parent"))
			if home, err := rv.Replica.Entity(ctx, d.Household); err == nil {
				d.Whose = home.Text("name")
			}
		}
		for _, h := range c.Heads {
			said := Said{Value: h.Value.Show(), Raw: h.Value, Author: h.Author, At: h.Clock.Time(), Stands: true, ChangeID: h.ChangeID}
			if err := causes.explain(ctx, d.Household, &said); err != nil {
				return nil, err
			}
			d.Says = append(d.Says, said)
		}
		out = append(out, d)
	}
	return out, nil
}

// FieldHistory is every value that a field ever had, the oldest first, with who set
// it and from which visit.
func (rv *Reviewer) FieldHistory(ctx context.Context, entity uuid.UUID, field string) ([]Said, error) {
	history, err := rv.Replica.History(ctx, entity)
	if err != nil {
		return nil, err
	}
	heads, err := rv.Replica.Heads(ctx, entity, field)
	if err != nil {
		return nil, err
	}
	household := entity
	e, err := rv.Replica.Entity(ctx, entity)
	if err != nil {
		return nil, err
	}
	if e.Kind == store.Member {
		household, _ = uuid.Parse(e.Text("parent"))
	}
	causes := &causes{r: rv.Replica}
	var list []Said
	for _, c := range history {
		for _, f := range c.Fields {
			if f.Name != field {
				continue
			}
			said := Said{Value: f.Value.Show(), Raw: f.Value, Author: c.Author, At: c.Clock.Time(), ChangeID: c.ChangeID,
				Stands: slices.ContainsFunc(heads, func(h store.Head) bool { return h.ChangeID == c.ChangeID })}
			if err := causes.explain(ctx, household, &said); err != nil {
				return nil, err
			}
			list = append(list, said)
		}
	}
	return list, nil
}

// causes finds the decision that a change followed from: the review written just
// before it by the same node, which says how many changes follow it.
type causes struct {
	r     *store.Replica
	known map[uuid.UUID][]cause // by household
}

type cause struct {
	node          uuid.UUID
	from, to      uint64 // the changes that followed
	review, visit uuid.UUID
	reason        string
}

func (x *causes) explain(ctx context.Context, household uuid.UUID, s *Said) error {
	list, ok := x.known[household]
	if !ok {
		var err error
		if list, err = x.read(ctx, household); err != nil {
			return err
		}
		if x.known == nil {
			x.known = map[uuid.UUID][]cause{}
		}
		x.known[household] = list
	}
	for _, c := range list {
		if c.node == s.ChangeID.Node && c.from <= s.ChangeID.Seq && s.ChangeID.Seq <= c.to {
			s.Visit, s.Review, s.Reason = c.visit, c.review, c.reason
		}
	}
	return nil
}

func (x *causes) read(ctx context.Context, household uuid.UUID) ([]cause, error) {
	about := []string{household.String()} // decisions about the household itself: merged, settled
	visits, err := x.r.Rows(ctx, store.Query{Kind: store.Visit, Parent: household.String()})
	if err != nil {
		return nil, err
	}
	members, err := x.r.Rows(ctx, store.Query{Kind: store.Member, Parent: household.String()})
	if err != nil {
		return nil, err
	}
	isVisit := map[string]uuid.UUID{}
	for _, v := range visits {
		isVisit[v.ID.String()] = v.ID
	}
	for _, row := range append(visits, members...) {
		about = append(about, row.ID.String())
	}
	var list []cause
	for _, parent := range about {
		reviews, err := x.r.Rows(ctx, store.Query{Kind: store.Review, Parent: parent})
		if err != nil {
			return nil, err
		}
		for _, row := range reviews {
			history, err := x.r.History(ctx, row.ID)
			if err != nil {
				return nil, err
			}
			for _, c := range history {
				n, reason := int64(0), ""
				for _, f := range c.Fields {
					switch f.Name {
					case "follows":
						n, _ = f.Value.Int() // 0 where it says nothing
					case "reason":
						reason = f.Value.Text()
					}
				}
				if n > 0 {
					list = append(list, cause{c.Node, c.Seq + 1, c.Seq + uint64(n), row.ID, isVisit[parent], reason})
				}
			}
		}
	}
	return list, nil
}

// Settled is the decision about a field in conflict.
const Settled = "settled"

// Settle decides a dispute: the value supersedes every side that was shown. What
// arrives meanwhile from elsewhere stays beside it (invariant 4).
func (rv *Reviewer) Settle(ctx context.Context, d Dispute, value store.Value) error {
	return rv.SettleWhy(ctx, d, value, "")
}

// A SettledError means that a field has other values by now than those shown.
type SettledError struct {
	Field string
	Whose string
}

func (e *SettledError) Error() string {
	return fmt.Sprintf("%s of %s has changed since it was shown; look again", e.Field, e.Whose)
}

// Code is the key of the sentence.
func (e *SettledError) Code() string { return "review.changed_meanwhile" }

// SettleWhy settles with a reason, which stays beside the field.
func (rv *Reviewer) SettleWhy(ctx context.Context, d Dispute, value store.Value, reason string) error {
	e, err := rv.Replica.Entity(ctx, d.Entity)
	if errors.Is(err, store.ErrNotFound) {
		return &SettledError{d.Field, d.Whose}
	}
	if err != nil {
		return err
	}
	heads, err := rv.Replica.Heads(ctx, d.Entity, d.Field)
	if err != nil {
		return err
	}
	var seen []store.ChangeID
	for _, h := range d.Heads {
		if !slices.ContainsFunc(heads, func(x store.Head) bool { return x.ChangeID == h.ChangeID }) {
			return &SettledError{d.Field, d.Whose}
		}
		seen = append(seen, h.ChangeID)
	}
	fields := map[string]store.Value{
		"parent": store.Text(d.Entity.String()), "state": store.Text(Settled), "decision": store.Text(Settled),
		"field": store.Text(d.Field), "household": store.Text(d.Household.String()),
	}
	if reason = strings.TrimSpace(reason); reason != "" {
		fields["reason"] = store.Text(reason)
	}
	edits := []store.Edit{
		{Kind: store.Review, Entity: rv.NewID(), Division: e.Division, Fields: fields},
		{Kind: e.Kind, Entity: d.Entity, Division: e.Division, Fields: map[string]store.Value{d.Field: value}, Seen: map[string][]store.ChangeID{d.Field: seen}},
	}
	if err := rv.write(ctx, edits); err != nil {
		return fmt.Errorf("settle %s of %s: %w", d.Field, d.Entity, err)
	}
	return nil
}
