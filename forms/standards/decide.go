package standards

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"ironfeet/forms/expr"
)

// A run is one decision being made.
type run struct {
	rs       *RuleSet
	root     map[string]any
	area     string
	on       time.Time
	facts    map[string]expr.ExactValue
	decision *Decision
	rule     string // what comparisons are recorded under; "" records none
}

// Decide says what the rule set suggests for a household's record on a day. The
// record has the shape of forms.Record.Nested: texts by name, lists of rows. It
// is not changed. What cannot be worked out is missing, never an error.
func (rs *RuleSet) Decide(household map[string]any, on time.Time) Decision {
	on = time.Date(on.Year(), on.Month(), on.Day(), 0, 0, 0, 0, time.UTC)
	d := Decision{Version: rs.Version, Basis: rs.Basis, On: on.Format(time.DateOnly)}
	area, _ := household["area"].(string)
	r := &run{rs: rs, root: clone(household), area: area, on: on, facts: map[string]expr.ExactValue{}, decision: &d}
	r.workOut()
	for _, q := range rs.required {
		d.Missing = append(d.Missing, r.unfulfilled(q)...)
	}
	if len(d.Missing) > 0 {
		r.undecided()
		return d
	}
	r.categorize()
	r.offer()
	for _, n := range rs.needs {
		if known, truth := r.value(n.formula, nil).Truth(); known && truth {
			d.Needs = append(d.Needs, Need{n.name, n.label, n.department})
		}
	}
	return d
}

// clone copies what rows are written into.
func clone(m map[string]any) map[string]any {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]any{}
	}
	for name, v := range out {
		if rows := rowsOf(v); rows != nil {
			list := make([]map[string]any, len(rows))
			for i, row := range rows {
				list[i] = clone(row)
			}
			out[name] = list
		}
	}
	return out
}

func rowsOf(v any) []map[string]any {
	switch v := v.(type) {
	case []map[string]any:
		return v
	case []any:
		var rows []map[string]any
		for _, e := range v {
			row, ok := e.(map[string]any)
			if !ok {
				return nil
			}
			rows = append(rows, row)
		}
		return rows
	}
	return nil
}

// called is a row's name for people: the name, or its place in the list.
func called(row map[string]any) string {
	for _, key := range []string{"name", "label"} {
		if s, ok := row[key].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

func (r *run) value(e *expr.Expr, row map[string]any) expr.ExactValue {
	if e == nil {
		return expr.ExactMissing()
	}
	v, err := e.ExactIn(&expr.ExactEnv{
		Value: r.named, Root: r.root, Row: row, Lists: r.rs.lists, Today: r.on, Said: called, Compared: r.compared,
	})
	if err != nil {
		return expr.ExactMissing(err.Error())
	}
	return v
}

func (r *run) named(name string) (expr.ExactValue, bool) {
	if v, ok := r.facts[name]; ok {
		return v, true
	}
	p, ok := r.rs.parameters[name]
	if !ok {
		return expr.ExactMissing(name), true
	}
	v, ok := p.in(r.area)
	if !ok {
		v = expr.ExactMissing(name)
	}
	return v, true
}

func (r *run) compared(of *expr.Binary, left, right, result expr.ExactValue) {
	if r.rule == "" {
		return
	}
	op := of.Op
	c := Comparison{Rule: r.rule, Text: r.rs.texts[of], Left: left.String(), Op: op, Right: right.String(), Result: "missing"}
	if known, truth := result.Truth(); known {
		c.Result = fmt.Sprint(truth)
	}
	a, ok1 := left.Rat()
	b, ok2 := right.Rat()
	if ok1 && ok2 && strings.ContainsAny(op, "<>") && b.Sign() > 0 && r.rs.near.Sign() > 0 {
		distance := new(big.Rat).Sub(a, b)
		c.Near = distance.Abs(distance).Cmp(new(big.Rat).Mul(b, r.rs.near)) <= 0
		r.decision.Near = r.decision.Near || c.Near
	}
	r.decision.Steps = append(r.decision.Steps, c)
}

// workOut computes the rows' values and the facts, in the order of the sheets.
func (r *run) workOut() {
	for _, rule := range r.rs.rows {
		for _, row := range rowsOf(r.root[rule.list]) {
			row[rule.name] = r.value(rule.formula, row)
		}
	}
	for _, f := range r.rs.facts {
		r.rule = f.label
		v := r.value(f.formula, nil)
		r.rule = ""
		r.facts[f.name] = v
		r.decision.Facts = append(r.decision.Facts, Fact{f.name, f.label, v.String(), f.unit})
	}
}

// unfulfilled says which rows do not fulfil a requirement, or the household.
func (r *run) unfulfilled(q rule) []string {
	rows := []map[string]any{nil}
	if q.list != "" {
		rows = rowsOf(r.root[q.list])
	}
	var missing []string
	for i, row := range rows {
		if known, truth := r.value(q.formula, row).Truth(); known && truth {
			continue
		}
		switch {
		case row == nil:
			missing = append(missing, q.label)
		case called(row) != "":
			missing = append(missing, called(row)+"："+q.label)
		default:
			missing = append(missing, fmt.Sprintf("%s %d：%s", q.list, i+1, q.label))
		}
	}
	return missing
}

func (r *run) undecided() {
	r.decision.Category, r.decision.Label = Undecided, "无法判定"
	slices.Sort(r.decision.Missing)
	r.decision.Missing = slices.Compact(r.decision.Missing)
}

// categorize takes the first category whose condition holds. A condition that
// lacks a value ends it: what stands below must not win because of a blank.
func (r *run) categorize() {
	d := r.decision
	had, _ := r.root["current_aid"].(string)
	r.facts["category"] = expr.ExactText(Undecided)
	var grace *category
	for i := range r.rs.categories {
		c := &r.rs.categories[i]
		r.rule = c.label
		v := r.value(c.formula, nil)
		r.rule = ""
		known, truth := v.Truth()
		if !known {
			d.Missing = r.labels(v.Missing())
			r.undecided()
			return
		}
		if !truth {
			if c.name == had && c.grace != nil {
				grace = c
			}
			continue
		}
		d.Category, d.Label, d.Reason = c.name, c.label, c.explanation
		if c.basis != "" {
			d.Basis = c.basis
		}
		r.facts["category"] = expr.ExactText(c.name)
		if c.amount != nil {
			amount, missing := r.fen(c.amount, nil)
			if len(missing) > 0 {
				d.Missing = r.labels(missing)
				r.undecided()
				return
			}
			d.Amount = amount
		}
		d.ValidUntil = r.inMonths(c.valid)
		d.ReviewBy = r.inMonths(c.review)
		if grace != nil {
			if until := r.inMonths(grace.grace); until != "" && until != d.On {
				d.Grace = &Grace{grace.name, grace.label, until}
			}
		}
		return
	}
	d.Category, d.Label = NotApplicable, "不适用"
	r.facts["category"] = expr.ExactText(NotApplicable)
}

// labels calls missing facts by their labels.
func (r *run) labels(missing []string) []string {
	out := slices.Clone(missing)
	for i, name := range out {
		for _, f := range r.rs.facts {
			if f.name == name && f.label != "" {
				out[i] = f.label
			}
		}
	}
	if len(out) == 0 {
		out = []string{"?"}
	}
	return out
}

// fen is an amount of yuan as whole fen, rounded up: a category never depends on it.
func (r *run) fen(e *expr.Expr, row map[string]any) (Fen, []string) {
	v := r.value(e, row)
	yuan, ok := v.Rat()
	if !ok {
		return 0, append(v.Missing(), "amount")
	}
	f := new(big.Rat).Mul(yuan, big.NewRat(100, 1))
	whole, rest := new(big.Int).QuoRem(f.Num(), f.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	if !whole.IsInt64() {
		return 0, []string{"amount"}
	}
	return Fen(whole.Int64()), nil
}

// inMonths is the day that lies a formula's months after the decision.
func (r *run) inMonths(e *expr.Expr) string {
	if e == nil {
		return ""
	}
	months, ok := r.value(e, nil).Rat()
	if !ok || !months.IsInt() || !months.Num().IsInt64() {
		return ""
	}
	return expr.AddMonths(r.on, int(months.Num().Int64())).Format(time.DateOnly)
}

func (r *run) offer() {
	for _, o := range r.rs.offers {
		rows := []map[string]any{nil}
		if o.list != "" {
			rows = rowsOf(r.root[o.list])
		}
		for _, row := range rows {
			if known, truth := r.value(o.formula, row).Truth(); !known || !truth {
				continue
			}
			out := Offer{Offer: o.name, Label: o.label, Basis: o.basis, Name: called(row)}
			out.Row, _ = row["id"].(string)
			if o.amount != nil {
				out.Amount, _ = r.fen(o.amount, row)
			}
			if o.until != nil {
				if v := r.value(o.until, row); !v.IsMissing() {
					out.Until = v.String()
				}
			}
			r.decision.Offers = append(r.decision.Offers, out)
		}
	}
}
