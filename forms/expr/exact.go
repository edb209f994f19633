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
// It is small, since it is handed about by value; what few values have hangs on it.
type ExactValue struct {
	kind  exactKind
	truth bool
	n, d  int64 // a number that fits, in lowest terms
	text  string
	more  *more
}

type more struct {
	items   []item
	missing []string
	large   *big.Rat

	// What is missing is put together only when somebody asks: a value that a row
	// lacks, and all that both sides of an operation lack.
	parts []ExactValue
	name  string
	row   map[string]any
	said  func(row map[string]any) string
}

func (v ExactValue) items() []item {
	if v.more == nil {
		return nil
	}
	return v.more.items
}

func (v ExactValue) missing() []string {
	if v.more == nil {
		return nil
	}
	if v.more.name != "" {
		if v.more.said != nil {
			if said := v.more.said(v.more.row); said != "" {
				return []string{said + "/" + v.more.name}
			}
		}
		return []string{v.more.name}
	}
	if v.more.parts != nil {
		return names(v.more.parts...)
	}
	return v.more.missing
}

func (v ExactValue) num() number {
	if v.more != nil {
		return number{large: v.more.large}
	}
	return number{n: v.n, d: v.d}
}

func setOf(items []item) ExactValue { return ExactValue{kind: exactItems, more: &more{items: items}} }

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
func ExactMissing(names ...string) ExactValue {
	if len(names) == 0 {
		return ExactValue{}
	}
	return ExactValue{more: &more{missing: names}}
}

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

// lacking is missing what its parts lack.
func lacking(parts ...ExactValue) ExactValue { return ExactValue{more: &more{parts: parts}} }

// eitherLacks is missing what either side lacks; where the other is a plain value,
// that is what this one lacks already.
func eitherLacks(l, r ExactValue) ExactValue {
	switch {
	case l.plainly() && r.kind == exactMissing:
		return r
	case r.plainly() && l.kind == exactMissing:
		return l
	}
	return lacking(l, r)
}

func (v ExactValue) plainly() bool { return v.kind != exactMissing && v.kind != exactItems }

// Plain is the value as the map of a row holds it: a bool, a small whole number or a
// text take no room of their own there.
func (v ExactValue) Plain() any {
	switch {
	case v.kind == exactTruth:
		return v.truth
	case v.kind == exactNumber && v.more == nil && v.d == 1:
		return v.n
	}
	return v
}

func exactly(n number) ExactValue {
	if n.large != nil {
		return ExactValue{kind: exactNumber, more: &more{large: n.large}}
	}
	return ExactValue{kind: exactNumber, n: n.n, d: n.d}
}

// ExactTruth is a truth value.
func ExactTruth(b bool) ExactValue { return ExactValue{kind: exactTruth, truth: b} }

// ExactInt is a whole number.
func ExactInt(n int64) ExactValue { return exactInt(n) }

func exactInt(n int64) ExactValue { return exactly(whole(n)) }

// Truth says whether the value is known, and if so whether it holds.
func (v ExactValue) Truth() (known, truth bool) {
	switch v.kind {
	case exactNumber:
		return true, v.num().sign() != 0
	case exactText:
		return true, v.text != ""
	case exactTruth:
		return true, v.truth
	case exactItems:
		one := v.scalar()
		if one.kind == exactItems {
			return true, len(v.items()) > 0
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
	if v.kind == exactNumber {
		return v.num(), true
	}
	switch v = v.scalar(); v.kind {
	case exactNumber:
		return v.num(), true
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
func (v ExactValue) Missing() []string { return v.scalar().missing() }

// String shows the value to people: at most two decimals if it has no more,
// otherwise a fraction rounded to four.
func (v ExactValue) String() string {
	switch v = v.scalar(); v.kind {
	case exactNumber:
		return showNumber(v.num())
	case exactText:
		return v.text
	case exactTruth:
		return strconv.FormatBool(v.truth)
	case exactItems:
		return strconv.Itoa(len(v.items()))
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
	items := v.items()
	switch {
	case len(items) == 0:
		return ExactMissing(v.missing()...)
	case len(items) == 1 && items[0].row == nil:
		if items[0].doubt != nil {
			return ExactMissing(items[0].doubt...)
		}
		return items[0].value
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
		if v.kind == exactMissing && len(v.missing()) == 0 {
			v = ExactMissing(name)
		}
		return v, ok
	}})
}

// ExactIn evaluates in an environment. The error is an *EvalError.
func (e *Expr) ExactIn(env *ExactEnv) (ExactValue, error) {
	x := *env
	return e.ExactOn(&x)
}

// ExactOn is ExactIn for who evaluates many expressions, one after the other, and
// has the environment to himself.
func (e *Expr) ExactOn(x *ExactEnv) (ExactValue, error) {
	x.steps, x.inside = 0, 0
	x.current = x.Row
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
		set := v.items()
		for _, p := range a.Predicates {
			if set, err = x.filter(set, p); err != nil {
				return v, err
			}
		}
		return setOf(set), nil
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
	if !p.Absolute && len(p.Steps) == 1 && p.Steps[0].Axis == Child && len(p.Steps[0].Predicates) == 0 {
		row := x.here()
		if p.From != nil {
			c, ok := p.From.(*Call)
			if row = nil; ok && c.Name == "current" && len(c.Args) == 0 {
				row = x.current
			}
		}
		if name := p.Steps[0].Name; row != nil {
			switch v := row[name].(type) {
			case string, bool, json.Number, int, int64, ExactValue:
				return x.known(v, row, name), nil
			case nil:
				if !x.Lists[name] {
					return x.known(nil, row, name), nil
				}
			}
		}
	}
	var set []item
	steps := p.Steps
	if p.From != nil {
		v, err := x.eval(p.From)
		if err != nil {
			return v, err
		}
		set = v.items()
	} else {
		from := x.here()
		if p.Absolute {
			from = x.Root
		}
		rows, list := []map[string]any(nil), false
		if len(steps) > 0 && steps[0].Axis == Child {
			rows, list = from[steps[0].Name].([]map[string]any)
		}
		if list { // the rows of a list, each looked at once
			for _, row := range rows {
				it, kept := item{row: row}, true
				for _, pred := range steps[0].Predicates {
					var err error
					if it, kept, err = x.keeps(it, pred); err != nil {
						return ExactValue{}, err
					}
					if !kept {
						break
					}
				}
				if kept {
					if set == nil {
						set = make([]item, 0, len(rows))
					}
					set = append(set, it)
				}
			}
			steps = steps[1:]
		} else {
			set = []item{{row: from}}
		}
	}
	for _, s := range steps {
		var next []item
		for _, it := range set {
			switch s.Axis {
			case Self:
				if v, ok := it.row["."]; ok {
					it = item{value: exactOf(v), doubt: it.doubt}
				}
				next = append(next, it)
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
				return ExactValue{}, err
			}
		}
	}
	return setOf(set), nil
}

func (x *ExactEnv) children(next *[]item, it item, name string) {
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
		*next = append(*next, child)
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			add(e)
		}
	case []map[string]any:
		*next = slices.Grow(*next, len(v))
		for _, e := range v {
			*next = append(*next, item{row: e, doubt: it.doubt})
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
	if out.kind != exactMissing || out.more != nil {
		return out
	}
	return ExactValue{more: &more{name: name, row: row, said: x.Said}}
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
func (x *ExactEnv) filter(set []item, predicate Ast) ([]item, error) {
	out := make([]item, 0, len(set))
	for _, it := range set {
		it, kept, err := x.keeps(it, predicate)
		if err != nil {
			return nil, err
		}
		if kept {
			out = append(out, it)
		}
	}
	return out, nil
}

// keeps says whether a predicate keeps an item; where it cannot decide, the item is
// kept in doubt.
func (x *ExactEnv) keeps(it item, predicate Ast) (item, bool, error) {
	row := x.Row
	if x.Row = it.row; it.row == nil {
		x.Row = map[string]any{".": it.value}
	}
	x.inside++
	v, err := x.eval(predicate)
	x.inside--
	x.Row = row
	if err != nil {
		return it, false, err
	}
	known, truth := v.Truth()
	if !known {
		it.doubt = slices.Concat(it.doubt, v.Missing())
		if len(it.doubt) == 0 {
			it.doubt = []string{"?"}
		}
	}
	return it, !known || truth, nil
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
		return eitherLacks(l, r), nil
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
		return eitherLacks(l, r), nil
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
			for _, it := range v.items() {
				out = append(append(out, it.doubt...), it.value.missing()...)
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
	// Two numbers, or a code and a code: nearly every comparison there is.
	switch {
	case l.kind == exactNumber && r.kind == exactNumber && l.more == nil && r.more == nil:
		return ExactTruth(holds(op, number{n: l.n, d: l.d}.cmp(number{n: r.n, d: r.d}))), nil
	case l.kind == exactText && r.kind == exactText && (op == "=" || op == "!="):
		if l.text == r.text {
			return ExactTruth(op == "="), nil
		}
		if _, ok := parseExact(r.text); !ok {
			return ExactTruth(op == "!="), nil
		}
	}
	l, r = l.scalar(), r.scalar()
	if l.kind == exactItems || r.kind == exactItems {
		each := func(v ExactValue) []item {
			if v.kind == exactItems {
				return v.items()
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
					out = ExactMissing(slices.Concat(out.missing(), v.missing(), doubt)...)
				}
			}
		}
		return out, nil
	}
	return compareOne(l, op, r)
}

func compareOne(l ExactValue, op string, r ExactValue) (ExactValue, error) {
	if l.kind == exactMissing || r.kind == exactMissing {
		return eitherLacks(l, r), nil
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
