package clerk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/duplicates"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/export"
	"ironfeet/store"
)

// distance in words: metres, or kilometres with one place.
func distance(m int) string {
	if m < 1000 {
		return fmt.Sprintf("%d m", m)
	}
	return fmt.Sprintf("%d.%d km", m/1000, m%1000/100)
}

// due is the last day of a step that begins today, by the county's deadlines.
func (c *Clerk) due(ctx context.Context, step string, otherwise int) (time.Time, error) {
	now := c.S.Office.World.Now()
	rules, err := calendar.RulesOf(ctx, c.S.Office.Replica)
	if err != nil {
		return now, err
	}
	rule, ok := rules.Find("*", step)
	if !ok {
		rule = calendar.Rule{Days: otherwise, Unit: calendar.WorkingDays}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	day, _ := rule.Due(c.days, now)
	return day, nil
}

// A Dispute in words.
type Dispute struct {
	review.Dispute
	Title string // whose, which field
	Sides []Side
	Past  []Side // the field's whole history, the oldest first
}

// A Side of a dispute, or a value of a field's history.
type Side struct {
	Value, Under string
	Stands       bool
	Raw          store.Value
}

// Disputes are the open conflicts of this machine's villages, with the history of
// each field.
func (c *Clerk) Disputes(ctx context.Context) ([]Dispute, error) {
	rv := c.Reviewer()
	list, err := rv.Disputes(ctx, c.division())
	if err != nil {
		return nil, err
	}
	out := make([]Dispute, len(list))
	for i, d := range list {
		x := Dispute{Dispute: d, Title: d.Whose + "　" + c.Field(d.Field)}
		for _, s := range d.Says {
			x.Sides = append(x.Sides, c.side(d.Field, s))
		}
		past, err := rv.FieldHistory(ctx, d.Entity, d.Field)
		if err != nil {
			return nil, err
		}
		for _, s := range past {
			x.Past = append(x.Past, c.side(d.Field, s))
		}
		out[i] = x
	}
	return out, nil
}

func (c *Clerk) side(field string, s review.Said) Side {
	under := c.T("said_by", c.Who(s.Author), c.at(s.At, "2006-01-02 15:04"))
	if card := c.Desk.Box.Get(s.Visit); card != nil {
		under += "　" + c.T("said_visit", c.at(card.EndedAt(), "01-02"), c.Whos(card.Workers))
	}
	if s.Reason != "" {
		under += "　" + s.Reason
	}
	return Side{c.Words(field, s.Value), under, s.Stands, s.Raw}
}

// Settle decides a dispute.
func (c *Clerk) Settle(ctx context.Context, d Dispute, value store.Value, reason string) error {
	return c.Reviewer().SettleWhy(ctx, d.Dispute, value, reason)
}

// A Double is a proposed pair in words: its fields side by side.
type Double struct {
	duplicates.Pair
	Title, Why string
	Heads      [2]string
	Lines      []DoubleLine
	Members    [2][]string
}

// A DoubleLine is one field of both.
type DoubleLine struct {
	Field, Label string
	A, B         string
	Differs      bool
}

// Doubles are what may stand twice.
func (c *Clerk) Doubles(ctx context.Context) ([]Double, error) {
	list, err := duplicates.Find(ctx, c.S.Office.Replica, c.division())
	if err != nil {
		return nil, err
	}
	out := make([]Double, len(list))
	for i, p := range list {
		if out[i], err = c.double(ctx, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *Clerk) double(ctx context.Context, p duplicates.Pair) (Double, error) {
	d := Double{Pair: p, Title: p.Name, Why: c.S.Say.Say(p.Why, p)}
	r := c.S.Office.Replica
	var e [2]*store.Entity
	for i, id := range []uuid.UUID{p.A, p.B} {
		var err error
		if e[i], err = r.Entity(ctx, id); err != nil {
			return d, err
		}
		home := []uuid.UUID{p.HomeA, p.HomeB}[i]
		page, err := registry.Open(ctx, r, home)
		if err != nil {
			return d, err
		}
		d.Heads[i] = c.Village(ctx, e[i].Division) + "　" + page.Household.Text("name") + "　" + page.Household.Text("address")
		for _, m := range page.Members {
			d.Members[i] = append(d.Members[i], m.Text("name"))
		}
	}
	var names []string
	for _, x := range e {
		for name := range x.Fields {
			if !slices.Contains(names, name) && !slices.Contains([]string{"parent", "state", "deleted", "merged_into"}, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		l := DoubleLine{Field: name, Label: c.Field(name), A: c.shown(name, e[0].Text(name)), B: c.shown(name, e[1].Text(name))}
		l.Differs = e[0].Text(name) != e[1].Text(name)
		d.Lines = append(d.Lines, l)
	}
	both := func(l DoubleLine) int { return btoi(l.Differs)*2 + btoi(l.Differs && l.A != "—" && l.B != "—") }
	slices.SortStableFunc(d.Lines, func(a, b DoubleLine) int { return both(b) - both(a) })
	return d, nil
}

// shown is a value in words, numbers masked: two that differ differ behind the mask
// too, and that is said beside them.
func (c *Clerk) shown(field, value string) string {
	switch {
	case value == "":
		return "—"
	case field == "id_no":
		return export.MaskID(value)
	}
	return c.Words(field, value)
}

// Apart says that two are two.
func (c *Clerk) Apart(ctx context.Context, d Double, reason string) error {
	return duplicates.Apart(ctx, c.Reviewer(), d.Pair, reason)
}

// Merge makes B a part of A, or A a part of B, and takes the fields that are named,
// and those that the other lacks, from the one that goes. Of households, members with one number, or of one name and
// birth, are one.
func (c *Clerk) Merge(ctx context.Context, d Double, keepB bool, take []string, reason string) error {
	m := duplicates.Merge{Stays: d.A, Goes: d.B, Take: take, Reason: reason}
	if keepB {
		m.Stays, m.Goes = d.B, d.A
	}
	for _, l := range d.Lines { // what the one that stays does not know is taken over
		stays, goes := l.A, l.B
		if keepB {
			stays, goes = goes, stays
		}
		if stays == "—" && goes != "—" && !slices.Contains(m.Take, l.Field) {
			m.Take = append(m.Take, l.Field)
		}
	}
	if d.Kind == store.Household {
		same, err := c.twins(ctx, m.Goes, m.Stays)
		if err != nil {
			return err
		}
		m.Same = same
	}
	return duplicates.Do(ctx, c.Reviewer(), m)
}

// twins pairs the members of two households that are one person each.
func (c *Clerk) twins(ctx context.Context, goes, stays uuid.UUID) (map[uuid.UUID]uuid.UUID, error) {
	var members [2][]*store.Entity
	for i, id := range []uuid.UUID{goes, stays} {
		page, err := registry.Open(ctx, c.S.Office.Replica, id)
		if err != nil {
			return nil, err
		}
		members[i] = page.Members
	}
	same := map[uuid.UUID]uuid.UUID{}
	taken := map[uuid.UUID]bool{}
	for _, a := range members[0] {
		for _, b := range members[1] {
			number := a.Text("id_no") != "" && strings.EqualFold(a.Text("id_no"), b.Text("id_no"))
			birth := a.Text("name") == b.Text("name") && a.Text("birth") != "" && a.Text("birth") == b.Text("birth") && (a.Text("id_no") == "" || b.Text("id_no") == "")
			if (number || birth) && !taken[b.ID] {
				same[a.ID], taken[b.ID] = b.ID, true
				break
			}
		}
	}
	return same, nil
}

// A Merged pair in words.
type Merged struct {
	duplicates.Merged
	Text string
}

// Merges are those that stand and can be taken back.
func (c *Clerk) Merges(ctx context.Context) ([]Merged, error) {
	list, err := duplicates.List(ctx, c.S.Office.Replica, c.division())
	if err != nil {
		return nil, err
	}
	out := make([]Merged, len(list))
	for i, m := range list {
		into := ""
		if e, err := c.S.Office.Replica.Entity(ctx, m.Stays); err == nil {
			into = e.Text("name")
		}
		out[i] = Merged{m, c.T("merge_line", c.at(m.At, time.DateOnly), m.Name, into, c.Who(m.Author), m.Reason)}
	}
	return out, nil
}

// Unmerge takes a merge back.
func (c *Clerk) Unmerge(ctx context.Context, m Merged, reason string) error {
	return duplicates.Unmerge(ctx, c.Reviewer(), m.Review, reason)
}
