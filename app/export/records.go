// Package export writes what leaves the county: tables for other systems, and
// the evidence package that proves itself.
//
// Tables are masked unless somebody asked for more with a reason (个人信息保护法
// Art. 6). Minors get no row of their own in a table (未成年人网络保护条例 Art. 36),
// and neighbours' words are in no column.
package export

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/store"
)

// A Record is one verified household: an accepted visit, with the registry as it
// stands and the newest determination, if there is one.
type Record struct {
	Visit         *visit.Signed
	Household     *store.Entity
	Members       []*store.Entity
	Review        *store.Entity
	Determination *store.Entity // nil: not decided yet
}

// Verified returns the newest accepted visit of every household of a division,
// by village and household.
func Verified(ctx context.Context, r *store.Replica, division string) ([]Record, error) {
	visits, err := r.Entities(ctx, store.Query{Kind: store.Visit, Division: division})
	if err != nil {
		return nil, fmt.Errorf("read the visits of %s: %w", division, err)
	}
	newest := map[uuid.UUID]Record{}
	for _, e := range visits {
		state, decision, err := review.StateOf(ctx, r, e.ID)
		if err != nil {
			return nil, err
		}
		if state != review.Accepted {
			continue
		}
		s, err := visit.FromEntity(e)
		if err != nil {
			return nil, err
		}
		old, ok := newest[s.Content.Household]
		if ok && cmp.Or(cmp.Compare(old.Visit.Content.Ended, s.Content.Ended), cmp.Compare(old.Visit.ID.String(), s.ID.String())) > 0 {
			continue
		}
		newest[s.Content.Household] = Record{Visit: s, Review: decision}
	}
	var list []Record
	for id, rec := range newest {
		if rec.Household, err = r.Entity(ctx, id); err != nil {
			return nil, fmt.Errorf("read household %s: %w", id, err)
		}
		if rec.Members, err = r.Entities(ctx, store.Query{Kind: store.Member, Parent: id.String()}); err != nil {
			return nil, err
		}
		slices.SortFunc(rec.Members, func(a, b *store.Entity) int {
			return cmp.Or(cmp.Compare(a.Text("rel"), b.Text("rel")), cmp.Compare(a.ID.String(), b.ID.String()))
		})
		decided, err := r.Entities(ctx, store.Query{Kind: store.Determination, Parent: id.String()})
		if err != nil {
			return nil, err
		}
		for _, d := range decided {
			if d.Text("visit") == rec.Visit.ID.String() && (rec.Determination == nil || d.Updated > rec.Determination.Updated) {
				rec.Determination = d
			}
		}
		list = append(list, rec)
	}
	slices.SortFunc(list, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Household.Division, b.Household.Division), cmp.Compare(a.Household.ID.String(), b.Household.ID.String()))
	})
	return list, nil
}

// A Column is one column of a table: its heading and where its value comes from.
type Column struct {
	Head string
	Mask func(string) string // nil: never hidden
	Of   func(Record, *store.Entity) string
}

func registryField(name string) func(Record, *store.Entity) string {
	return func(r Record, _ *store.Entity) string { return r.Household.Text(name) }
}

func memberField(name string) func(Record, *store.Entity) string {
	return func(_ Record, m *store.Entity) string { return m.Text(name) }
}

// Households are the columns of the table of households.
var Households = []Column{
	{"户编号", nil, func(r Record, _ *store.Entity) string { return r.Household.ID.String() }},
	{"村（居）代码", nil, func(r Record, _ *store.Entity) string { return r.Household.Division }},
	{"户主姓名", MaskName, registryField("name")},
	{"户主证件号码", MaskID, func(r Record, _ *store.Entity) string { return headOf(r).Text("id_no") }},
	{"联系电话", MaskPhone, registryField("phone")},
	{"户类型", nil, registryField("area")},
	{"家庭人口", nil, func(r Record, _ *store.Entity) string { return fmt.Sprint(len(r.Members)) }},
	{"在享救助", nil, registryField("aid")},
	{"入户结果", nil, func(r Record, _ *store.Entity) string { return r.Visit.Content.Outcome }},
	{"入户日期", nil, func(r Record, _ *store.Entity) string { return r.Visit.EndedAt().Format(time.DateOnly) }},
	{"调查人数", nil, func(r Record, _ *store.Entity) string { return fmt.Sprint(len(r.Visit.Attestations)) }},
	{"照片数", nil, func(r Record, _ *store.Entity) string { return fmt.Sprint(len(r.Visit.Content.Photos)) }},
	{"认定类别", nil, func(r Record, _ *store.Entity) string { return decided(r, "category") }},
	{"月救助金额（元）", nil, amount},
	{"依据标准", nil, func(r Record, _ *store.Entity) string { return decided(r, "standards") }},
	{"表单版本", nil, func(r Record, _ *store.Entity) string { return r.Visit.Record.Form + " " + r.Visit.Record.Version }},
	{"入户记录号", nil, func(r Record, _ *store.Entity) string { return r.Visit.ID.String() }},
}

// Members are the columns of the table of adult members.
var Members = []Column{
	{"户编号", nil, func(r Record, _ *store.Entity) string { return r.Household.ID.String() }},
	{"村（居）代码", nil, func(r Record, _ *store.Entity) string { return r.Household.Division }},
	{"姓名", MaskName, memberField("name")},
	{"证件类型", nil, memberField("id_type")},
	{"证件号码", MaskID, memberField("id_no")},
	{"性别", nil, memberField("sex")},
	{"出生日期", maskBirth, memberField("birth")},
	{"与户主关系", nil, memberField("rel")},
	{"是否计入", nil, memberField("counted")},
	{"劳动能力", nil, memberField("labour")},
	{"参保", nil, memberField("insured")},
}

func headOf(r Record) *store.Entity {
	for _, m := range r.Members {
		if rel := m.Text("rel"); rel == "02" || rel == "01" {
			return m
		}
	}
	return &store.Entity{}
}

func decided(r Record, field string) string {
	if r.Determination == nil {
		return ""
	}
	return r.Determination.Text(field)
}

// amount is in yuan with two decimals, worked out from integer fen.
func amount(r Record, _ *store.Entity) string {
	if r.Determination == nil {
		return ""
	}
	fen, ok := r.Determination.Fields["amount_fen"].Int()
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d.%02d", fen/100, fen%100)
}

// minor says whether somebody was under 18 on a day; an unknown or impossible
// birth date counts as a minor's, since the rule protects.
func minor(m *store.Entity, day time.Time) bool {
	birth, err := time.Parse(time.DateOnly, m.Text("birth"))
	return err != nil || birth.AddDate(18, 0, 0).After(day)
}
