package determination

import (
	"strings"

	"ironfeet/forms/standards"
)

// Trace writes a suggestion out for a clerk to read and print: the result, what was
// compared with both numbers, every person, what to look at, and by which rules.
// say gives the sentence of a key in the reader's language; labels and formulas are
// the county's own words, out of its workbook.
func Trace(d standards.Decision, say func(key string, parts any) string) []string {
	var out []string
	line := func(key string, parts any) { out = append(out, say("trace."+key, parts)) }
	line("result", d)
	if d.Reason != "" {
		line("reason", d)
	}
	line("rules", d)
	for _, m := range d.Missing {
		line("missing", m)
	}
	if d.Grace != nil {
		line("grace", d.Grace)
	}
	if d.ValidUntil != "" || d.ReviewBy != "" {
		line("until", d)
	}
	if d.Near {
		line("near", nil)
	}
	for _, c := range d.Checks {
		line("check", c)
	}
	if len(d.Facts) > 0 {
		line("facts", nil)
		for _, f := range d.Facts {
			value := f.Value + f.Unit
			if value == "true" || value == "false" {
				value = say("trace."+value, nil)
			}
			out = append(out, "  "+f.Label+"："+value)
		}
	}
	compared := func(steps []standards.Comparison) {
		rule := ""
		for _, s := range steps {
			if s.Rule != rule {
				rule = s.Rule
				out = append(out, "  "+rule)
			}
			parts := struct {
				standards.Comparison
				Met string
			}{s, say("trace."+s.Result, nil)}
			out = append(out, "    "+say("trace.step", parts))
		}
	}
	if len(d.Steps) > 0 {
		line("steps", nil)
		compared(d.Steps)
	}
	for _, p := range d.Persons {
		if len(p.Offers) == 0 {
			continue
		}
		line("person", p)
		for _, o := range p.Offers {
			out = append(out, "  "+strings.TrimSpace(say("trace.offer", o)))
		}
		compared(p.Steps)
	}
	for _, o := range d.Offers {
		if o.Name == "" && o.Row == "" {
			out = append(out, say("trace.offer", o))
		}
	}
	for _, n := range d.Needs {
		line("need", n)
	}
	return append(out, say("trace.advice", nil))
}
