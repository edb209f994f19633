package standards

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
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
	env      expr.ExactEnv
	traced   bool
	rule     string // what comparisons are recorded under; "" records none
	person   int    // whose they are, from 1; 0 is the household
}

// advice stands under every decision of the program.
const advice = "建议，须人工审核"

// Decide says what the rule set suggests for a household's record on a day, with
// everything that was compared. The record has the shape of forms.Record.Nested or
// of ReadHousehold: texts by name, lists of rows. It is not changed. What cannot be
// worked out is missing, never an error.
func (rs *RuleSet) Decide(household map[string]any, on time.Time) Decision {
	return rs.decide(household, on, whole)
}

// Outcome is Decide without what was compared on the way: category, amount,
// persons, what is missing. For a whole county at once.
func (rs *RuleSet) Outcome(household map[string]any, on time.Time) Decision {
	return rs.decide(household, on, outcome)
}

// How much is written down.
type extent int

const (
	result  extent = iota // category, amount, what persons have, what is missing
	outcome               // checks, needs and nearness to limits too
	whole                 // every comparison too
)

func (rs *RuleSet) decide(household map[string]any, on time.Time, extent extent) Decision {
	d, _ := rs.decideFrom(nil, nil, household, on, extent)
	return d
}

// decideFrom decides; what same says is worked out the same way in another rule
// set's run over the household is taken from there.
func (rs *RuleSet) decideFrom(other *run, same *sameness, household map[string]any, on time.Time, extent extent) (Decision, *run) {
	on = time.Date(on.Year(), on.Month(), on.Day(), 0, 0, 0, 0, time.UTC)
	d := Decision{Version: rs.Version, Basis: rs.Basis, On: on.Format(time.DateOnly), Advice: advice}
	area, _ := household["area"].(string)
	r := &run{rs: rs, root: clone(household, rs.room), area: area, on: on, facts: make(map[string]expr.ExactValue, len(rs.facts)+1), decision: &d, traced: extent == whole}
	r.env = expr.ExactEnv{Value: r.named, Root: r.root, Lists: rs.lists, Today: on, Said: called}
	if extent > result {
		r.env.Compared = r.compared
	}
	r.persons()
	r.workOut(other, same)
	for _, q := range rs.required {
		d.Missing = append(d.Missing, r.unfulfilled(q)...)
	}
	if len(d.Missing) > 0 {
		r.undecided()
	} else {
		r.categorize()
	}
	r.offer()
	d.Yuan = d.Amount.String()
	if extent == result {
		return d, r
	}
	r.check()
	for _, n := range rs.needs {
		if known, truth := r.value(n.formula, nil).Truth(); known && truth {
			d.Needs = append(d.Needs, Need{n.name, n.label, n.department})
		}
	}
	return d, r
}

// persons opens a page for every member.
func (r *run) persons() {
	members := rowsOf(r.root[memberList])
	r.decision.Persons = make([]Person, len(members))
	for i, row := range members {
		p := &r.decision.Persons[i]
		p.Row, _ = row["id"].(string)
		p.Name = called(row)
		p.Counted, _ = row["counted"].(string)
	}
}

// memberList is the list whose rows are people.
const memberList = "members"

// clone copies what rows are written into, with room for what they are given.
func clone(m map[string]any, room map[string]int) map[string]any {
	out := make(map[string]any, len(m))
	maps.Copy(out, m)
	for name, v := range out {
		if room[name] == 0 {
			continue // nothing is written into its rows
		}
		if rows := rowsOf(v); rows != nil {
			list := make([]map[string]any, len(rows))
			for i, row := range rows {
				list[i] = make(map[string]any, len(row)+room[name])
				maps.Copy(list[i], row)
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
	r.env.Row = row
	v, err := e.ExactOn(&r.env)
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
	near := r.near(of, left, right)
	r.decision.Near = r.decision.Near || near
	if !r.traced {
		return
	}
	c := Comparison{Rule: r.rule, Text: r.rs.texts[of], Words: r.rs.words[of], Left: left.String(), Op: of.Op, Right: right.String(), Result: "missing", Near: near}
	if known, truth := result.Truth(); known {
		c.Result = strconv.FormatBool(truth)
	}
	if r.person == 0 {
		r.decision.Steps = append(r.decision.Steps, c)
		return
	}
	// A person's page shows numbers; that 'wage' is not 'rent' explains nothing.
	if of.Op == "=" || of.Op == "!=" || c.Result == "missing" {
		return
	}
	// An amount and a level ask the same of a person once more.
	if p := &r.decision.Persons[r.person-1]; !slices.Contains(p.Steps, c) {
		p.Steps = append(p.Steps, c)
	}
}

// near says whether a comparison came as near to its limit as the county wants to
// be told.
func (r *run) near(of *expr.Binary, left, right expr.ExactValue) bool {
	if !r.rs.watched[of] || r.rs.near.Sign() == 0 {
		return false
	}
	a, ok1 := left.Rat()
	b, ok2 := right.Rat()
	if !ok1 || !ok2 || b.Sign() <= 0 {
		return false
	}
	distance := new(big.Rat).Sub(a, b)
	return distance.Abs(distance).Cmp(new(big.Rat).Mul(b, r.rs.near)) <= 0
}

// workOut computes the rows' values and the facts, in the order of the sheets.
func (r *run) workOut(other *run, same *sameness) {
	for i, rule := range r.rs.rows {
		r.rule = ""
		if same != nil && same.rows[i] {
			theirs := rowsOf(other.root[rule.list])
			for j, row := range rowsOf(r.root[rule.list]) {
				row[rule.name] = theirs[j][rule.name]
			}
			continue
		}
		for i, row := range rowsOf(r.root[rule.list]) {
			if rule.list == memberList {
				r.rule, r.person = rule.label, i+1
			}
			row[rule.name] = r.value(rule.formula, row).Plain()
		}
	}
	r.rule, r.person = "", 0
	r.decision.Facts = slices.Grow(r.decision.Facts, len(r.rs.facts))
	for i, f := range r.rs.facts {
		if same != nil && same.facts[i] {
			v := other.facts[f.name]
			r.facts[f.name] = v
			r.decision.Facts = append(r.decision.Facts, Fact{f.name, f.label, v.String(), f.unit})
			continue
		}
		r.rule = f.label
		v := r.value(f.formula, nil)
		r.rule = ""
		if v.IsMissing() {
			// Once and for all: facts name facts, and what they lack would be put
			// together anew for each that asks.
			v = expr.ExactMissing(v.Missing()...)
		}
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

// undecided: what depends on the category is then missing too.
func (r *run) undecided() {
	r.facts["category"] = expr.ExactMissing("category")
	r.decision.Category, r.decision.Label = Undecided, "无法判定"
	slices.Sort(r.decision.Missing)
	r.decision.Missing = slices.Compact(r.decision.Missing)
}

// categorize takes the first category whose condition holds. A condition that
// lacks a value ends it: what stands below must not win because of a blank.
func (r *run) categorize() {
	d := r.decision
	had := r.had()
	r.facts["category"] = expr.ExactMissing("category")
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
			if c.grace != nil && slices.Contains(had, c.name) {
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
