// Package clocks looks through our own data for days that come and for what is
// there twice: re-checks due, 60th and 18th birthdays, the end of a phase-out or a
// transition, the twelve months of 刚性支出困难, one number of two people, one
// person in two households, 特困 and 低保 together.
//
// Which days matter, how long before, and what is asked of the visit stand in the
// county's workbook of alert kinds. A day that comes raises an alert like a
// department's list does; a person confirms it, and it becomes a task. Running it
// twice raises nothing twice.
package clocks

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/idnumber"
	"ironfeet/forms/expr"
	"ironfeet/forms/standards"
	"ironfeet/store"
)

// passed is how long after a birthday it is still raised: a county that looked away
// for a month misses none, and nobody of eighty is told of his sixtieth.
const passed = 31 * 24 * time.Hour

// A look is one run over the data.
type look struct {
	kinds      *alerts.Kinds
	now        time.Time
	households map[string]*store.Entity
	members    map[string][]*store.Entity // by household
	hits       []alerts.Hit
}

// Run finds every reason for an alert in our own data, by village. It writes
// nothing: alerts.Raise does.
func Run(ctx context.Context, r *store.Replica, k *alerts.Kinds, now time.Time) ([]alerts.Hit, error) {
	l := &look{kinds: k, now: now, households: map[string]*store.Entity{}, members: map[string][]*store.Entity{}}
	households, err := r.Entities(ctx, store.Query{Kind: store.Household})
	if err != nil {
		return nil, err
	}
	for _, h := range households {
		if !h.Fields["deleted"].Bool() {
			l.households[h.ID.String()] = h
		}
	}
	byNumber := map[string][]*store.Entity{}
	for m, err := range r.Members(ctx) {
		if err != nil {
			return nil, err
		}
		parent := m.Text("parent")
		if m.Fields["deleted"].Bool() || l.households[parent] == nil {
			continue
		}
		l.members[parent] = append(l.members[parent], m)
		l.birthdays(m)
		l.doubleBenefit(m)
		if n := idnumber.Parse(m.Text("id_no"), now); n.Key() {
			byNumber[n.Text] = append(byNumber[n.Text], m)
		}
	}
	for _, list := range byNumber {
		l.twice(list)
	}
	decided, err := r.Entities(ctx, store.Query{Kind: store.Determination})
	if err != nil {
		return nil, err
	}
	byHousehold := map[string][]*store.Entity{}
	for _, d := range decided {
		byHousehold[d.Text("parent")] = append(byHousehold[d.Text("parent")], d)
	}
	for _, list := range byHousehold {
		l.decision(determination.Latest(list))
	}
	slices.SortFunc(l.hits, func(a, b alerts.Hit) int {
		return cmp.Or(cmp.Compare(a.Division, b.Division), cmp.Compare(a.Household.String(), b.Household.String()), cmp.Compare(a.Kind.Kind, b.Kind.Kind), cmp.Compare(a.Member.String(), b.Member.String()), cmp.Compare(a.Period, b.Period))
	})
	return l.hits, nil
}

// clock raises a kind if its day comes. late says how long a day that has passed is
// still raised; none: for ever.
func (l *look) clock(k *alerts.Kind, values alerts.Values, household, member *store.Entity, late time.Duration) {
	if holds, decided := k.Holds(values, l.now); !holds || !decided {
		return
	}
	due := k.DueDay(values, l.now)
	if due == "" {
		return
	}
	day, err := time.Parse(time.DateOnly, due)
	if err != nil || day.After(l.now.AddDate(0, 0, k.Lead)) || late > 0 && day.Before(l.now.Add(-late)) {
		return
	}
	said := func(name string) (expr.ExactValue, bool) {
		if name == "due" {
			return expr.ExactText(due), true
		}
		return values(name)
	}
	until := l.now.AddDate(0, 0, k.Days).Format(time.DateOnly)
	if due > l.now.Format(time.DateOnly) && due < until {
		until = due // the visit belongs before the day
	}
	l.raise(k, household, member, k.Says(said), due, until)
}

func (l *look) raise(k *alerts.Kind, household, member *store.Entity, detail, period, until string) {
	h := alerts.Hit{Kind: k, Household: household.ID, Division: household.Division, Name: household.Text("name"), Detail: detail, Source: k.Source, Period: period, Due: until}
	if member != nil {
		h.Member, h.Name = member.ID, member.Text("name")
	}
	l.hits = append(l.hits, h)
}

func (l *look) each(source string, do func(k *alerts.Kind)) {
	for _, k := range l.kinds.All {
		if k.Source == source {
			do(k)
		}
	}
}

func (l *look) birthdays(m *store.Entity) {
	household := l.households[m.Text("parent")]
	values := alerts.Record(m, household, l.now, nil)
	l.each(alerts.FromMembers, func(k *alerts.Kind) { l.clock(k, values, household, m, passed) })
}

// decision looks at the days of a household's newest determination.
func (l *look) decision(d *store.Entity) {
	household := l.households[d.Text("parent")]
	if household == nil {
		return
	}
	field := func(name string) (expr.ExactValue, bool) {
		if v := d.Text(name); v != "" {
			return expr.ExactText(v), true
		}
		return expr.ExactMissing(name), true
	}
	l.each(alerts.FromDeterminations, func(k *alerts.Kind) {
		l.clock(k, alerts.Record(nil, household, l.now, field), household, nil, 0)
	})
	var offers []standards.Offer
	if json.Unmarshal([]byte(d.Text("offers")), &offers) != nil {
		return
	}
	for _, o := range offers {
		of := map[string]string{"offer": o.Offer, "label": o.Label, "level": o.Level, "until": o.Until, "category": d.Text("category")}
		values := func(name string) (expr.ExactValue, bool) {
			text, ok := of[name]
			if text == "" {
				return expr.ExactMissing(name), ok
			}
			return expr.ExactText(text), true
		}
		var member *store.Entity
		for _, m := range l.members[household.ID.String()] {
			if m.ID.String() == o.Row {
				member = m
			}
		}
		l.each(alerts.FromOffers, func(k *alerts.Kind) {
			l.clock(k, alerts.Record(member, household, l.now, values), household, member, passed)
		})
	}
}

// doubleBenefit: a person kept as 特困 who is counted in a family on 低保 as well.
func (l *look) doubleBenefit(m *store.Entity) {
	household := l.households[m.Text("parent")]
	if k := l.kinds.Kind("two_benefits"); k != nil && m.Text("aid") == "tekun" && household.Text("aid") == "dibao" && m.Text("counted") != "no" {
		l.raise(k, household, m, k.Detail, "", l.now.AddDate(0, 0, k.Days).Format(time.DateOnly))
	}
}

// twice looks at people of one number: the same name is one person in two
// households, another name is a number that cannot be right.
func (l *look) twice(list []*store.Entity) {
	if len(list) < 2 {
		return
	}
	slices.SortFunc(list, func(a, b *store.Entity) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	for _, m := range list {
		same, apart := false, false
		for _, other := range list {
			if other.ID == m.ID {
				continue
			}
			if plain(other.Text("name")) != plain(m.Text("name")) {
				apart = true
			} else if other.Text("parent") != m.Text("parent") {
				same = true
			} else {
				apart = true // entered twice in one household
			}
		}
		household := l.households[m.Text("parent")]
		for _, found := range []struct {
			is   bool
			kind string
		}{{same, "two_households"}, {apart, "same_number"}} {
			if k := l.kinds.Kind(found.kind); found.is && k != nil {
				l.raise(k, household, m, k.Detail, "", l.now.AddDate(0, 0, k.Days).Format(time.DateOnly))
			}
		}
	}
}

func plain(name string) string { return strings.Join(strings.Fields(name), "") }
