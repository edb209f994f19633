package expr

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// exactFunctions are the functions of exact evaluation with their least and most
// arguments (-1: any number).
var exactFunctions = map[string][2]int{
	"true": {0, 0}, "false": {0, 0}, "not": {1, 1}, "if": {3, 3}, "coalesce": {2, 2}, "known": {1, 1}, "unknown": {1, 1},
	"count": {1, 1}, "sum": {1, 1}, "min": {1, -1}, "max": {1, -1}, "abs": {1, 1}, "round-up": {2, 2},
	"selected": {2, 2}, "current": {0, 0}, "age": {1, 1}, "months-since": {1, 1}, "add-months": {2, 2}, "today": {0, 0},
}

// CheckExact says what of an expression exact evaluation does not know: a
// function, or its number of arguments. Nil when all is well.
func (e *Expr) CheckExact() (err error) {
	Walk(e.Root, func(a Ast) bool {
		if c, ok := a.(*Call); ok && err == nil {
			err = checkExactCall(c)
		}
		return err == nil
	})
	return err
}

func checkExactCall(c *Call) error {
	n, known := exactFunctions[c.Name]
	switch {
	case !known:
		return &EvalError{Why: "unknown_function", Name: c.Name}
	case len(c.Args) < n[0] || n[1] >= 0 && len(c.Args) > n[1]:
		return &EvalError{Why: "arity", Name: c.Name, Text: fmt.Sprintf("%s() does not take %d values", c.Name, len(c.Args))}
	}
	return nil
}

func (x *ExactEnv) call(c *Call) (ExactValue, error) {
	if err := checkExactCall(c); err != nil {
		return ExactValue{}, err
	}
	switch c.Name { // what does not look at all its arguments
	case "if":
		v, err := x.eval(c.Args[0])
		if err != nil {
			return v, err
		}
		known, truth := v.Truth()
		if !known {
			return ExactMissing(names(v)...), nil
		}
		if truth {
			return x.eval(c.Args[1])
		}
		return x.eval(c.Args[2])
	case "coalesce":
		v, err := x.eval(c.Args[0])
		if err != nil || !v.IsMissing() {
			return v, err
		}
		return x.eval(c.Args[1])
	case "current":
		return setOf([]item{{row: x.current}}), nil
	}
	var room [2]ExactValue // on the stack: most functions take one value or two
	args := room[:0]
	for _, a := range c.Args {
		v, err := x.eval(a)
		if err != nil {
			return v, err
		}
		args = append(args, v)
	}
	switch c.Name {
	case "true", "false":
		return ExactTruth(c.Name == "true"), nil
	case "not":
		known, truth := args[0].Truth()
		if !known {
			return ExactMissing(names(args[0])...), nil
		}
		return ExactTruth(!truth), nil
	case "known":
		return ExactTruth(!args[0].IsMissing()), nil
	case "unknown":
		return ExactMissing(args[0].String()), nil
	case "count":
		return count(args[0]), nil
	case "sum":
		return sum(args[0])
	case "selected":
		return compareSets(args[0], "=", args[1])
	case "today":
		return ExactText(x.Today.Format(time.DateOnly)), nil
	}
	for _, a := range args {
		if a.kind == exactMissing || a.kind == exactItems {
			if missing := names(args...); len(missing) > 0 || slices.ContainsFunc(args, ExactValue.IsMissing) {
				return ExactMissing(missing...), nil
			}
			break
		}
	}
	if c.Name == "min" || c.Name == "max" {
		return extreme(c.Name, args)
	}
	if c.Name == "age" || c.Name == "months-since" || c.Name == "add-months" {
		return x.calendar(c.Name, args)
	}
	r, ok := args[0].number()
	if !ok {
		return ExactValue{}, &EvalError{Why: "argument", Name: c.Name, Text: fmt.Sprintf("needs a number, not %q", args[0])}
	}
	if c.Name == "abs" {
		if r.sign() < 0 {
			r = r.neg()
		}
		return exactly(r), nil
	}
	// round-up: to the next multiple of the second.
	unit, ok := args[1].number()
	if !ok || unit.sign() <= 0 {
		return ExactValue{}, &EvalError{Why: "argument", Name: c.Name, Text: fmt.Sprintf("cannot round to a multiple of %q", args[1])}
	}
	q := r.quo(unit).rat()
	whole, rest := new(big.Int).QuoRem(q.Num(), q.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return exactly(ofRat(new(big.Rat).SetInt(whole)).mul(unit)), nil
}

func count(v ExactValue) ExactValue {
	if v.kind != exactItems {
		return exactInt(map[bool]int64{true: 1}[v.kind != exactMissing])
	}
	var n int64
	var doubt []string
	for _, it := range v.items() {
		doubt = append(doubt, it.doubt...)
		if it.row == nil && it.value.kind == exactMissing {
			doubt = append(doubt, it.value.missing()...)
		}
		n++
	}
	if len(doubt) > 0 {
		return ExactMissing(doubt...)
	}
	return exactInt(n)
}

func sum(v ExactValue) (ExactValue, error) {
	items := v.items()
	if v.kind != exactItems {
		items = []item{{value: v}}
	}
	total := whole(0)
	var missing []string
	for _, it := range items {
		r, ok := it.value.number()
		switch {
		case len(it.doubt) > 0 || it.value.kind == exactMissing:
			// What counts nothing may be in doubt: it changes no sum.
			if !ok || r.sign() != 0 {
				missing = append(append(missing, it.doubt...), it.value.missing()...)
			}
		case !ok:
			return ExactValue{}, &EvalError{Why: "argument", Name: "sum", Text: fmt.Sprintf("needs numbers, not %q", it.value)}
		default:
			total = total.add(r)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return ExactMissing(slices.Compact(missing)...), nil
	}
	return exactly(total), nil
}

func extreme(name string, args []ExactValue) (ExactValue, error) {
	var best number
	for i, a := range args {
		r, ok := a.number()
		if !ok {
			return ExactValue{}, &EvalError{Why: "argument", Name: name, Text: fmt.Sprintf("needs numbers, not %q", a)}
		}
		if i == 0 || name == "min" && r.cmp(best) < 0 || name == "max" && r.cmp(best) > 0 {
			best = r
		}
	}
	return exactly(best), nil
}

func (x *ExactEnv) calendar(name string, args []ExactValue) (ExactValue, error) {
	text := strings.TrimSpace(args[0].String())
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return ExactValue{}, &EvalError{Why: "argument", Name: name, Text: fmt.Sprintf("needs a date such as 2026-03-01, not %q", text)}
	}
	if name == "add-months" {
		n, ok := args[1].Rat()
		if !ok || !n.IsInt() || !n.Num().IsInt64() {
			return ExactValue{}, &EvalError{Why: "argument", Name: name, Text: "needs whole months"}
		}
		return ExactText(AddMonths(day, int(n.Num().Int64())).Format(time.DateOnly)), nil
	}
	months := int64(x.Today.Year()-day.Year())*12 + int64(x.Today.Month()-day.Month())
	if x.Today.Day() < day.Day() && AddMonths(day, int(months)).After(x.Today) {
		months--
	}
	if name == "age" {
		return exactInt(months / 12), nil
	}
	return exactInt(months), nil
}

// AddMonths adds whole months; where the day does not exist it is the month's
// last: 31 January and one month is 28 February.
func AddMonths(day time.Time, n int) time.Time {
	first := time.Date(day.Year(), day.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(day.Day(), last)-1)
}

// Source writes a parsed expression out again, in one form whatever the spacing
// of the original.
func Source(a Ast) string {
	list := func(args []Ast) string {
		out := make([]string, len(args))
		for i, x := range args {
			out[i] = Source(x)
		}
		return strings.Join(out, ", ")
	}
	predicates := func(list []Ast) string {
		var b strings.Builder
		for _, p := range list {
			b.WriteString("[" + Source(p) + "]")
		}
		return b.String()
	}
	switch a := a.(type) {
	case *Number:
		return a.Text
	case *String:
		return "'" + a.Value + "'"
	case *Ref:
		return "${" + a.Name + "}"
	case *Minus:
		return "-" + Source(a.Of)
	case *Call:
		return a.Name + "(" + list(a.Args) + ")"
	case *Binary:
		// Operations of one rank are read from the left.
		side := func(s Ast, least int) string {
			if b, ok := s.(*Binary); ok && binds(b.Op) < least {
				return "(" + Source(s) + ")"
			}
			return Source(s)
		}
		return side(a.L, binds(a.Op)) + " " + a.Op + " " + side(a.R, binds(a.Op)+1)
	case *Filtered:
		return "(" + Source(a.Of) + ")" + predicates(a.Predicates)
	case *Path:
		var b strings.Builder
		if a.From != nil {
			b.WriteString(Source(a.From) + "/")
		} else if a.Absolute {
			b.WriteString("/")
		}
		for i, s := range a.Steps {
			if i > 0 {
				b.WriteString("/")
			}
			switch s.Axis {
			case Self:
				b.WriteString(".")
			case Parent:
				b.WriteString("..")
			default:
				b.WriteString(s.Name)
			}
			b.WriteString(predicates(s.Predicates))
		}
		return b.String()
	}
	return ""
}

func binds(op string) int {
	for i, level := range [][]string{{"or"}, {"and"}, {"=", "!="}, {"<", "<=", ">", ">="}, {"+", "-"}, {"*", "div", "mod"}} {
		if slices.Contains(level, op) {
			return i
		}
	}
	return 9
}
