package expr

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Exact evaluation is the second reading of the same language, for rules on which
// somebody's livelihood hangs: numbers are exact rationals, a value that was not
// given stays missing instead of becoming "" or 0 (three-valued logic by Kleene:
// false and missing is false, true and missing is missing), and every missing
// value remembers what it was called.

// An ExactValue is a number, a text, a truth value, a set of items, or missing.
type ExactValue struct {
	kind    exactKind
	num     number
	text    string
	truth   bool
	items   []item
	missing []string
}

type exactKind uint8

const (
	exactMissing exactKind = iota
	exactNumber
	exactText
	exactTruth
	exactItems
)

// An item of a set: a row of a list (map) or a value. doubt is set when a
// predicate could not decide whether the item belongs to the set.
type item struct {
	row   map[string]any
	value ExactValue
	doubt []string
}

// ExactMissing is a value nobody gave; names say which.
func ExactMissing(names ...string) ExactValue { return ExactValue{missing: names} }

// ExactText is a text; a decimal counts as a number where one is needed. "" is
// missing.
func ExactText(s string) ExactValue {
	if strings.TrimSpace(s) == "" {
		return ExactValue{}
	}
	return ExactValue{kind: exactText, text: s}
}

// ExactNumber is a number.
func ExactNumber(r *big.Rat) ExactValue { return exactly(ofRat(r)) }

func exactly(n number) ExactValue { return ExactValue{kind: exactNumber, num: n} }

// ExactTruth is a truth value.
func ExactTruth(b bool) ExactValue { return ExactValue{kind: exactTruth, truth: b} }

// ExactInt is a whole number.
func ExactInt(n int64) ExactValue { return exactInt(n) }

func exactInt(n int64) ExactValue { return exactly(whole(n)) }

// Truth says whether the value is known, and if so whether it holds.
func (v ExactValue) Truth() (known, truth bool) {
	switch v.kind {
	case exactNumber:
		return true, v.num.sign() != 0
	case exactText:
		return true, v.text != ""
	case exactTruth:
		return true, v.truth
	case exactItems:
		one := v.scalar()
		if one.kind == exactItems {
			return true, len(v.items) > 0
		}
		return one.Truth()
	}
	return false, false
}

// Rat is the value as an exact number.
func (v ExactValue) Rat() (*big.Rat, bool) {
	n, ok := v.number()
	if !ok {
		return nil, false
	}
	return n.rat(), true
}

func (v ExactValue) number() (number, bool) {
	switch v = v.scalar(); v.kind {
	case exactNumber:
		return v.num, true
	case exactTruth:
		if v.truth {
			return whole(1), true
		}
		return whole(0), true
	case exactText:
		return parseExact(v.text)
	}
	return number{}, false
}

// IsMissing says whether the value was not given.
func (v ExactValue) IsMissing() bool { return v.scalar().kind == exactMissing }

// Missing lists what was not given.
func (v ExactValue) Missing() []string { return v.scalar().missing }

// String shows the value to people: at most two decimals if it has no more,
// otherwise a fraction rounded to four.
func (v ExactValue) String() string {
	switch v = v.scalar(); v.kind {
	case exactNumber:
		return showNumber(v.num)
	case exactText:
		return v.text
	case exactTruth:
		return strconv.FormatBool(v.truth)
	case exactItems:
		return fmt.Sprintf("%d", len(v.items))
	}
	return "?"
}

func showNumber(n number) string {
	if n.large == nil && n.d == 1 {
		return strconv.FormatInt(n.n, 10)
	}
	if n.isInt() {
		return n.large.Num().String()
	}
	s := strings.TrimRight(n.rat().FloatString(4), "0")
	return strings.TrimSuffix(s, ".")
}

// scalar turns a set of exactly one value into that value, and an empty one into
// a missing one.
func (v ExactValue) scalar() ExactValue {
	if v.kind != exactItems {
		return v
	}
	switch {
	case len(v.items) == 0:
		return ExactValue{missing: v.missing}
	case len(v.items) == 1 && v.items[0].row == nil:
		if v.items[0].doubt != nil {
			return ExactMissing(v.items[0].doubt...)
		}
		return v.items[0].value
	}
	return v
}

// An ExactEnv is what exact expressions are evaluated over.
type ExactEnv struct {
	Value func(name string) (ExactValue, bool) // ${name}: parameters and facts; false: there is none
	Root  map[string]any                       // /list, and relative names outside a row
	Row   map[string]any                       // the row at hand; nil outside a list
	Lists map[string]bool                      // names that are lists: absent means no rows
	Today time.Time                            // the day of the decision, for age()
	Said  func(row map[string]any) string      // how a row is called in what is missing

	// Compared is told of every comparison that is not inside a predicate.
	Compared func(b *Binary, left, right, result ExactValue)

	current map[string]any
	inside  int
	steps   int
}

// Exact evaluates over values by name.
func (e *Expr) Exact(values map[string]ExactValue) (ExactValue, error) {
	return e.ExactIn(&ExactEnv{Value: func(name string) (ExactValue, bool) {
		v, ok := values[name]
		if v.kind == exactMissing && len(v.missing) == 0 {
			v.missing = []string{name}
		}
		return v, ok
	}})
}

// ExactIn evaluates in an environment. The error is an *EvalError.
func (e *Expr) ExactIn(env *ExactEnv) (ExactValue, error) {
	x := *env
	x.steps, x.inside = 0, 0
	x.current = env.Row
	v, err := x.eval(e.Root)
	return v.scalar(), err
}

func (x *ExactEnv) eval(a Ast) (ExactValue, error) {
	if x.steps++; x.steps > maxSteps/10 {
		return ExactValue{}, &EvalError{Why: "too_much"}
	}
	switch a := a.(type) {
	case *Number:
		if n, ok := parseExact(a.Text); ok {
			return exactly(n), nil
		}
		r, ok := new(big.Rat).SetString(a.Text)
		if !ok {
			r = new(big.Rat).SetFloat64(a.Value)
		}
		return ExactNumber(r), nil
	case *String:
		return ExactValue{kind: exactText, text: a.Value}, nil
	case *Ref:
		if x.Value != nil {
			if v, ok := x.Value(a.Name); ok {
				return v, nil
			}
		}
		return ExactValue{}, &EvalError{Why: "reference", Name: a.Name}
	case *Path:
		return x.path(a)
	case *Filtered:
		v, err := x.eval(a.Of)
		if err != nil {
			return v, err
		}
		for _, p := range a.Predicates {
			if v, err = x.filter(v, p); err != nil {
				return v, err
			}
		}
		return v, nil
	case *Minus:
		v, err := x.eval(a.Of)
		if err != nil || v.IsMissing() {
			return v, err
		}
		n, ok := v.number()
		if !ok {
			return v, &EvalError{Why: "argument", Name: "-", Text: "needs a number, not " + strconv.Quote(v.String())}
		}
		return exactly(n.neg()), nil
	case *Binary:
		return x.binary(a)
	case *Call:
		return x.call(a)
	}
	return ExactValue{}, &EvalError{Why: "argument", Name: "expression", Text: "is not understood"}
}

// here is the row that relative names start from.
func (x *ExactEnv) here() map[string]any {
	if x.Row != nil {
		return x.Row
	}
	return x.Root
}

func (x *ExactEnv) path(p *Path) (ExactValue, error) {
	// A plain name of a row with one value, the usual case, without a set.
	if p.From == nil && !p.Absolute && len(p.Steps) == 1 && p.Steps[0].Axis == Child && len(p.Steps[0].Predicates) == 0 {
		name := p.Steps[0].Name
		switch v := x.here()[name].(type) {
		case string, bool, json.Number, int, int64, ExactValue:
			return x.known(v, x.here(), name), nil
		}
	}
	set := ExactValue{kind: exactItems, items: []item{{row: x.here()}}}
	switch {
	case p.From != nil:
		v, err := x.eval(p.From)
		if err != nil {
			return v, err
		}
		set = v
	case p.Absolute:
		set.items[0].row = x.Root
	}
	for _, s := range p.Steps {
		next := ExactValue{kind: exactItems}
		for _, it := range set.items {
			switch s.Axis {
			case Self:
				if v, ok := it.row["."]; ok {
					it = item{value: exactOf(v), doubt: it.doubt}
				}
				next.items = append(next.items, it)
			case Child:
				if it.row == nil {
					continue
				}
				x.children(&next, it, s.Name)
			default:
				return ExactValue{}, &EvalError{Why: "argument", Name: s.Name, Text: "only names below a row can be used here"}
			}
		}
		set = next
		for _, pred := range s.Predicates {
			var err error
			if set, err = x.filter(set, pred); err != nil {
				return set, err
			}
		}
	}
	return set, nil
}

func (x *ExactEnv) children(next *ExactValue, it item, name string) {
	v, there := it.row[name]
	if !there && x.Lists[name] {
		return
	}
	add := func(v any) {
		child := item{doubt: it.doubt}
		if row, ok := v.(map[string]any); ok {
			child.row = row
		} else {
			child.value = x.known(v, it.row, name)
		}
		next.items = append(next.items, child)
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			add(e)
		}
	case []map[string]any:
		for _, e := range v {
			add(e)
		}
	case []string:
		if len(v) == 0 {
			add(nil)
		}
		for _, e := range v {
			add(e)
		}
	default:
		add(v)
	}
}

// known is a row's value; one that is missing remembers what it is called.
func (x *ExactEnv) known(v any, row map[string]any, name string) ExactValue {
	out := exactOf(v)
	if out.kind != exactMissing || len(out.missing) > 0 {
		return out
	}
	if x.Said != nil {
		if said := x.Said(row); said != "" {
			name = said + "/" + name
		}
	}
	out.missing = []string{name}
	return out
}

// exactOf reads what JSON and the form engine yield.
func exactOf(v any) ExactValue {
	switch v := v.(type) {
	case ExactValue:
		return v
	case string:
		return ExactText(v)
	case bool:
		return ExactTruth(v)
	case json.Number:
		return ExactText(v.String())
	case float64:
		return ExactText(strconv.FormatFloat(v, 'f', -1, 64))
	case int:
		return exactInt(int64(v))
	case int64:
		return exactInt(v)
	}
	return ExactValue{}
}

// filter keeps the items for which the predicate holds, and in doubt those for
// which it is missing.
func (x *ExactEnv) filter(set ExactValue, predicate Ast) (ExactValue, error) {
	out := ExactValue{kind: exactItems}
	row, inside := x.Row, x.inside
	defer func() { x.Row, x.inside = row, inside }()
	x.inside++
	for _, it := range set.items {
		if x.Row = it.row; it.row == nil {
			x.Row = map[string]any{".": it.value}
		}
		v, err := x.eval(predicate)
		if err != nil {
			return v, err
		}
		known, truth := v.Truth()
		if !known {
			it.doubt = slices.Concat(it.doubt, v.Missing())
			if len(it.doubt) == 0 {
				it.doubt = []string{"?"}
			}
		}
		if !known || truth {
			out.items = append(out.items, it)
		}
	}
	return out, nil
}

func (x *ExactEnv) binary(b *Binary) (ExactValue, error) {
	l, err := x.eval(b.L)
	if err != nil {
		return l, err
	}
	if b.Op == "and" || b.Op == "or" {
		absorbing := b.Op == "or"
		lk, lt := l.Truth()
		if lk && lt == absorbing {
			return ExactTruth(absorbing), nil
		}
		r, err := x.eval(b.R)
		if err != nil {
			return r, err
		}
		rk, rt := r.Truth()
		switch {
		case rk && rt == absorbing:
			return ExactTruth(absorbing), nil
		case lk && rk:
			return ExactTruth(!absorbing), nil
		}
		return ExactMissing(names(l, r)...), nil
	}
	r, err := x.eval(b.R)
	if err != nil {
		return r, err
	}
	switch b.Op {
	case "=", "!=", "<", "<=", ">", ">=":
		v, err := compareSets(l, b.Op, r)
		if err == nil && x.inside == 0 && x.Compared != nil {
			x.Compared(b, l, r, v)
		}
		return v, err
	case "|":
		return ExactValue{}, &EvalError{Why: "argument", Name: "|", Text: "cannot be used here"}
	}
	if l.IsMissing() || r.IsMissing() {
		return ExactMissing(names(l, r)...), nil
	}
	a, ok1 := l.number()
	c, ok2 := r.number()
	if !ok1 || !ok2 {
		return ExactValue{}, &EvalError{Why: "argument", Name: b.Op, Text: fmt.Sprintf("needs numbers, not %q and %q", l, r)}
	}
	switch b.Op {
	case "+":
		return exactly(a.add(c)), nil
	case "-":
		return exactly(a.add(c.neg())), nil
	case "*":
		return exactly(a.mul(c)), nil
	}
	if c.sign() == 0 { // div, mod
		return ExactValue{}, &EvalError{Why: "argument", Name: b.Op, Text: "division by zero"}
	}
	out := a.quo(c)
	if b.Op == "mod" {
		times := ofRat(new(big.Rat).SetInt(out.truncated()))
		out = a.add(c.mul(times).neg())
	}
	return exactly(out), nil
}

func names(values ...ExactValue) []string {
	var out []string
	for _, v := range values {
		if v.kind == exactItems {
			for _, it := range v.items {
				out = append(append(out, it.doubt...), it.value.missing...)
			}
		}
		if known, _ := v.Truth(); !known {
			out = append(out, v.Missing()...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// compareSets compares values; a set fulfils a comparison when one of its items
// does, as XPath has it.
func compareSets(l ExactValue, op string, r ExactValue) (ExactValue, error) {
	l, r = l.scalar(), r.scalar()
	if l.kind == exactItems || r.kind == exactItems {
		each := func(v ExactValue) []item {
			if v.kind == exactItems {
				return v.items
			}
			return []item{{value: v}}
		}
		out := ExactTruth(false)
		for _, a := range each(l) {
			for _, b := range each(r) {
				v, err := compareOne(a.value, op, b.value)
				if err != nil {
					return v, err
				}
				known, truth := v.Truth()
				switch doubt := slices.Concat(a.doubt, b.doubt); {
				case known && truth && len(doubt) == 0:
					return v, nil
				case !known || truth:
					out = ExactMissing(slices.Concat(out.missing, v.missing, doubt)...)
				}
			}
		}
		return out, nil
	}
	return compareOne(l, op, r)
}

func compareOne(l ExactValue, op string, r ExactValue) (ExactValue, error) {
	if l.kind == exactMissing || r.kind == exactMissing {
		return ExactMissing(names(l, r)...), nil
	}
	var c int
	a, ok1 := l.number()
	b, ok2 := r.number()
	switch {
	case ok1 && ok2:
		c = a.cmp(b)
	case op == "=" || op == "!=" || IsDate(l.String()) && IsDate(r.String()):
		c = strings.Compare(l.String(), r.String())
	default:
		return ExactValue{}, &EvalError{Why: "argument", Name: op, Text: fmt.Sprintf("cannot order %q and %q", l, r)}
	}
	return ExactTruth(holds(op, c)), nil
}

// holds says whether an order of -1, 0 or 1 fulfils a comparison.
func holds(op string, c int) bool {
	switch op {
	case "=":
		return c == 0
	case "!=":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}
