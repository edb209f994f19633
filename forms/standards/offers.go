package standards

import (
	"slices"
	"strings"

	"ironfeet/forms/expr"
)

// had is the aid the household receives now.
func (r *run) had() []string {
	switch v := r.root["current_aid"].(type) {
	case string:
		return strings.Fields(v)
	case []string:
		return v
	}
	return nil
}

// each calls do for the household, or for every row of a list, with comparisons
// recorded where they belong.
func (r *run) each(rule rule, do func(row map[string]any) bool) {
	rows := []map[string]any{nil}
	if rule.list != "" {
		rows = rowsOf(r.root[rule.list])
	}
	for i, row := range rows {
		if rule.list == memberList {
			r.rule, r.person = rule.label, i+1
		}
		steps := r.person > 0 && r.traced
		before := 0
		if steps {
			before = len(r.decision.Persons[i].Steps)
		}
		if !do(row) && steps { // what is not offered needs no explanation
			r.decision.Persons[i].Steps = r.decision.Persons[i].Steps[:before]
		}
		r.rule, r.person = "", 0
	}
}

func (r *run) offer() {
	for _, o := range r.rs.offers {
		r.each(o.rule, func(row map[string]any) bool {
			if known, truth := r.value(o.formula, row).Truth(); !known || !truth {
				return false
			}
			out := Offer{Offer: o.name, Label: o.label, Basis: o.basis, Name: called(row)}
			out.Row, _ = row["id"].(string)
			if o.amount != nil {
				out.Amount, out.Missing = r.fen(o.amount, row)
				out.Yuan = out.Amount.String()
			}
			text := func(e *expr.Expr) string {
				if e == nil {
					return ""
				}
				v := r.value(e, row)
				if v.IsMissing() {
					out.Missing = append(out.Missing, v.Missing()...)
					return ""
				}
				return v.String()
			}
			out.Level, out.Until = text(o.level), text(o.until)
			slices.Sort(out.Missing)
			out.Missing = slices.Compact(out.Missing)
			r.decision.Offers = append(r.decision.Offers, out)
			if r.person > 0 {
				p := &r.decision.Persons[r.person-1]
				p.Offers = append(p.Offers, out)
			}
			return true
		})
	}
}

func (r *run) check() {
	for _, c := range r.rs.checks {
		r.each(c, func(row map[string]any) bool {
			known, truth := r.value(c.formula, row).Truth()
			if known && truth {
				out := Check{Check: c.name, Label: c.label, Basis: c.basis, Name: called(row)}
				out.Row, _ = row["id"].(string)
				r.decision.Checks = append(r.decision.Checks, out)
			}
			return false
		})
	}
}
