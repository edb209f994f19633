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
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/store"
)

// A Draftable village has households to post.
type Draftable struct {
	Division, Village, Procedure string
	Rows                         []Row
	MinorsLeftOut                int
}

// Pending lists, by village and category, the households whose newest
// determination is to be posted and stands on no sheet yet. One whose objection
// was answered is posted anew.
func Pending(ctx context.Context, r *store.Replica, division string, now time.Time) ([]Draftable, error) {
	params, err := ParamsOf(ctx, r)
	if err != nil {
		return nil, err
	}
	decided, err := r.Entities(ctx, store.Query{Kind: store.Determination, Division: division})
	if err != nil {
		return nil, fmt.Errorf("read the determinations of %s: %w", division, err)
	}
	done, err := posted(ctx, r, division)
	if err != nil {
		return nil, err
	}
	newest := map[uuid.UUID]*store.Entity{}
	for _, e := range decided {
		id, err := uuid.Parse(e.Text("parent"))
		if err != nil || e.Fields["deleted"].Bool() {
			continue
		}
		if old := newest[id]; old == nil || cmp.Or(cmp.Compare(old.Updated, e.Updated), slices.Compare(old.ID[:], e.ID[:])) < 0 {
			newest[id] = e
		}
	}
	byKey := map[[2]string]*Draftable{}
	for household, e := range newest {
		category := e.Text("category")
		if done[e.ID] || !slices.Contains(params.Posted, category) {
			continue
		}
		page, err := registry.Open(ctx, r, household)
		if err != nil {
			return nil, err
		}
		key := [2]string{page.Household.Division, category}
		d := byKey[key]
		if d == nil {
			d = &Draftable{Division: key[0], Village: cmp.Or(page.Household.Text("village"), key[0]), Procedure: category}
			byKey[key] = d
		}
		if minorApplicant(page, now) {
			d.MinorsLeftOut++
			continue
		}
		row := Row{Household: household, Determination: e.ID, Name: page.Household.Text("name"), Village: d.Village}
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
		return cmp.Or(strings.Compare(a.Division, b.Division), strings.Compare(a.Procedure, b.Procedure))
	})
	return list, nil
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

// posted are the determinations that stand on a sheet, but for those whose
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
			done[row.Determination] = true
			for _, o := range s.Objections {
				if o.Household == row.Household && o.Outcome != "" {
					done[row.Determination] = false // 特困: 重新公示, 民发〔2021〕43号 Art. 15
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
	}})
	if err != nil {
		return uuid.Nil, fmt.Errorf("make a notice for %s: %w", d.Village, err)
	}
	return id, nil
}
