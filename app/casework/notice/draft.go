package notice

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/store"
)

// A Draftable village has households to post.
type Draftable struct {
	Division, Village, Procedure string
	Opinions                     bool // of the township, before the county decides
	Rows                         []Row
	MinorsLeftOut                int
}

// A basis is what a household can be posted for: the township's opinion, or the
// county's determination.
type basis struct {
	e       *store.Entity
	opinion bool
}

func (b basis) same(o basis) bool {
	mine, _ := b.e.Fields["amount_fen"].Int()
	theirs, _ := o.e.Fields["amount_fen"].Int()
	return b.e.Text("category") == o.e.Text("category") && mine == theirs
}

// bases finds of every household what it is to be posted for: its newest opinion or
// determination. A determination that says what the opinion on the same visit said is
// not posted a second time; one that differs is (domain.md §2, steps 10 to 12).
func bases(ctx context.Context, r *store.Replica, division string, done map[uuid.UUID]bool) (map[uuid.UUID]basis, error) {
	newest := map[uuid.UUID]basis{}
	opinions := map[string]basis{} // by visit
	for _, kind := range []store.Kind{store.Opinion, store.Determination} {
		list, err := r.Entities(ctx, store.Query{Kind: kind, Division: division})
		if err != nil {
			return nil, fmt.Errorf("read what is to be posted in %s: %w", division, err)
		}
		for _, e := range list {
			id, err := uuid.Parse(e.Text("parent"))
			if err != nil || e.Fields["deleted"].Bool() || kind == store.Opinion && e.Text("state") != opinion.Given {
				continue
			}
			b := basis{e, kind == store.Opinion}
			if b.opinion {
				opinions[e.Text("visit")] = b
			}
			old, there := newest[id]
			replaces := !there || cmp.Or(cmp.Compare(old.e.Updated, e.Updated), slices.Compare(old.e.ID[:], e.ID[:])) < 0
			if there && old.opinion && !b.opinion && old.e.Text("visit") == e.Text("visit") {
				replaces = true // whatever the clocks say, the county follows the township
			}
			if replaces {
				newest[id] = b
			}
		}
	}
	for id, b := range newest {
		if o, ok := opinions[b.e.Text("visit")]; ok && !b.opinion && done[o.e.ID] && o.same(b) {
			delete(newest, id)
		}
	}
	return newest, nil
}

// Pending lists, by village and category, the households whose newest opinion or
// determination is to be posted and stands on no sheet yet. One whose objection
// was answered is posted anew.
func Pending(ctx context.Context, r *store.Replica, division string, now time.Time) ([]Draftable, error) {
	params, err := ParamsOf(ctx, r)
	if err != nil {
		return nil, err
	}
	done, err := posted(ctx, r, division)
	if err != nil {
		return nil, err
	}
	newest, err := bases(ctx, r, division, done)
	if err != nil {
		return nil, err
	}
	type group struct {
		division, category string
		opinions           bool
	}
	byKey := map[group]*Draftable{}
	for household, b := range newest {
		e, category := b.e, b.e.Text("category")
		if done[e.ID] || !slices.Contains(params.Posted, category) {
			continue
		}
		page, err := registry.Open(ctx, r, household)
		if err != nil {
			return nil, err
		}
		key := group{page.Household.Division, category, b.opinion}
		d := byKey[key]
		if d == nil {
			d = &Draftable{Division: key.division, Village: cmp.Or(page.Household.Text("village"), key.division), Procedure: category, Opinions: b.opinion}
			byKey[key] = d
		}
		if minorApplicant(page, now) {
			d.MinorsLeftOut++
			continue
		}
		row := Row{Household: household, Name: page.Household.Text("name"), Village: d.Village}
		if b.opinion {
			row.Opinion = e.ID
		} else {
			row.Determination = e.ID
		}
		row.Amount, _ = e.Fields["amount_fen"].Int() // 0 where nobody worked one out
		for _, m := range page.Members {
			if m.Text("counted") != "no" {
				row.Members++
			}
		}
		d.Rows = append(d.Rows, row)
	}
	var list []Draftable
	for _, d := range byKey {
		slices.SortFunc(d.Rows, func(a, b Row) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Household[:], b.Household[:]))
		})
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b Draftable) int {
		return cmp.Or(strings.Compare(a.Division, b.Division), strings.Compare(a.Procedure, b.Procedure), btoi(a.Opinions)-btoi(b.Opinions))
	})
	return list, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// minorApplicant says whether the household's applicant, its head, is under 18. A
// head whose birth nobody knows is no minor by that alone; a household without any
// adult is one.
func minorApplicant(p *registry.Page, now time.Time) bool {
	adult := func(m *store.Entity) bool {
		born, err := time.Parse(time.DateOnly, m.Text("birth"))
		return err != nil || !born.AddDate(18, 0, 0).After(now)
	}
	for _, m := range p.Members {
		if m.Text("name") == p.Household.Text("name") {
			return !adult(m)
		}
	}
	return len(p.Members) > 0 && !slices.ContainsFunc(p.Members, adult)
}

// posted are the opinions and determinations that stand on a sheet, but for those whose
// objection was answered since.
func posted(ctx context.Context, r *store.Replica, division string) (map[uuid.UUID]bool, error) {
	sheets, err := List(ctx, r, division)
	if err != nil {
		return nil, err
	}
	done := map[uuid.UUID]bool{}
	for i := len(sheets) - 1; i >= 0; i-- { // the newest last
		s := &sheets[i]
		if s.State == Cancelled {
			continue
		}
		for _, row := range s.Rows {
			done[row.source()] = true
			for _, o := range s.Objections {
				if o.Household == row.Household && o.Outcome != "" {
					done[row.source()] = false // 特困: 重新公示, 民发〔2021〕43号 Art. 15
				}
			}
		}
	}
	return done, nil
}

// Make writes a draft of a sheet.
func Make(ctx context.Context, rv *review.Reviewer, d Draftable) (uuid.UUID, error) {
	rules, err := calendar.RulesOf(ctx, rv.Replica)
	if err != nil {
		return uuid.Nil, err
	}
	if _, ok := rules.Find(d.Procedure, "posting"); !ok {
		return uuid.Nil, &SheetError{Why: "never_posted"}
	}
	if len(d.Rows) == 0 {
		return uuid.Nil, &SheetError{Why: "nobody"}
	}
	id := rv.NewID()
	_, err = rv.Replica.Write(ctx, rv.Person, store.Edit{Kind: store.Notice, Entity: id, Division: d.Division, Fields: map[string]store.Value{
		"state": store.Text(Draft), "village": store.Text(d.Village), "procedure": store.Text(d.Procedure), "rows": store.Of(d.Rows),
		"opinions": store.Bool(d.Opinions),
	}})
	if err != nil {
		return uuid.Nil, fmt.Errorf("make a notice for %s: %w", d.Village, err)
	}
	return id, nil
}
