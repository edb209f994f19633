package alerts

import (
	"strings"
	"time"

	"ironfeet/forms/expr"
)

// placeholders lists the {names} of a sentence.
func placeholders(s string) []string {
	var out []string
	for {
		_, rest, ok := strings.Cut(s, "{")
		if !ok {
			return out
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return out
		}
		out, s = append(out, name), after
	}
}

// Values is what a kind is judged over: a row's fields, the person's record.
type Values func(name string) (expr.ExactValue, bool)

// Holds says whether a kind's condition holds, in exact arithmetic: a value that is
// missing decides nothing.
func (k *Kind) Holds(values Values, today time.Time) (holds, decided bool) {
	if k.condition == nil {
		return true, true
	}
	v, err := k.condition.ExactIn(&expr.ExactEnv{Value: values, Today: today})
	if err != nil {
		return false, false
	}
	known, truth := v.Truth()
	return truth, known
}

// DueDay is the day a clock waits for, "" where it is not known.
func (k *Kind) DueDay(values Values, today time.Time) string {
	if k.due == nil {
		return ""
	}
	v, err := k.due.ExactIn(&expr.ExactEnv{Value: values, Today: today})
	if err != nil || v.IsMissing() || !expr.IsDate(v.String()) {
		return ""
	}
	return v.String()
}

// Says fills the sentence for the worker; what is not known is left out as "?".
func (k *Kind) Says(values Values) string {
	if !strings.Contains(k.Detail, "{") {
		return k.Detail
	}
	var b strings.Builder
	rest := k.Detail
	for {
		before, after, ok := strings.Cut(rest, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, tail, ok := strings.Cut(after, "}")
		if !ok {
			return b.String() + "{" + after
		}
		if v, known := values(name); known {
			b.WriteString(v.String())
		} else {
			b.WriteString("?")
		}
		rest = tail
	}
}
