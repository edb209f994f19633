package export

import (
	"strings"
	"time"

	"ironfeet/app/casework/visit"
	"ironfeet/forms"
)

// A Part is a group of a visit's form as a person reads it.
type Part struct {
	Title   string
	Answers []Answered
	Rows    []Part // instances of a repeat
}

// An Answered question: what was asked, and the answer in words.
type Answered struct {
	Name, Path, Label, Type string
	Value                   string // labels of choices, not their codes
	Raw                     string
	OfMinor                 bool // stands in an instance that is about a minor
}

// Reading lays a visit's answers out as the form asked for them, in a language
// ("zh", "en"). What neighbours said is left out always, what concerns children
// unless it was approved.
func Reading(form *forms.Form, record forms.Record, lang string, at time.Time, children bool) []Part {
	entry := form.New(forms.Options{Now: func() time.Time { return at }})
	for _, l := range form.Languages() {
		if strings.Contains(l, "("+lang+")") || l == lang {
			entry.SetLanguage(l)
		}
	}
	answers := map[string]string{}
	for _, a := range record.Answers {
		answers[a.Path] = a.Value
	}
	entry.Restore(answers)
	var parts []Part
	for _, g := range entry.Groups() {
		if Never(g.Path, children) {
			continue
		}
		part := Part{Title: g.Label}
		if !g.Group && !g.Repeat {
			part.Title = ""
		}
		var instance *Part
		for _, n := range entry.Inside(g.Path) {
			switch {
			case n.Path == g.Path && (n.Group || n.Repeat), Never(n.Path, children):
			case n.Type == "instance":
				part.Rows = append(part.Rows, Part{Title: n.RepeatLabel})
				instance = &part.Rows[len(part.Rows)-1]
			case n.Group || n.Repeat || n.Value == "" || n.Calculated && n.Label == "" || n.Type == "note":
			default:
				a := Answered{Name: n.Name, Path: n.Path, Label: n.Label, Type: n.Type, Raw: n.Value, Value: spoken(n)}
				if instance != nil && strings.Contains(n.Path, "[") {
					instance.Answers = append(instance.Answers, a)
				} else {
					part.Answers = append(part.Answers, a)
				}
			}
		}
		if !children {
			part.Rows = withoutMinors(part.Rows, record, at)
		}
		if len(part.Answers)+len(part.Rows) > 0 {
			parts = append(parts, part)
		}
	}
	return parts
}

// withoutMinors leaves out the instances that are about somebody under 18, by the
// birth date that stands in them or by the name that they name.
func withoutMinors(rows []Part, record forms.Record, at time.Time) []Part {
	young := map[string]bool{}
	births, names := map[string]string{}, map[string]string{}
	for _, a := range record.Answers {
		i := strings.LastIndexByte(a.Path, '/')
		if i < 0 {
			continue
		}
		switch a.Path[i+1:] {
		case "birth":
			births[a.Path[:i]] = a.Value
		case "name":
			names[a.Path[:i]] = a.Value
		}
	}
	for of, birth := range births {
		if visit.Minor(birth, at) {
			young[names[of]] = true
		}
	}
	kept := rows[:0]
	for _, r := range rows {
		of := false
		for _, a := range r.Answers {
			of = of || a.Name == "birth" && visit.Minor(a.Raw, at) || a.Raw != "" && young[a.Raw]
		}
		if !of {
			kept = append(kept, r)
		}
	}
	return kept
}

// spoken is an answer with the labels of its choices.
func spoken(n forms.Node) string {
	if len(n.Choices) == 0 {
		return n.Value
	}
	labels := map[string]string{}
	for _, c := range n.Choices {
		labels[c.Name] = c.Label
	}
	if n.Type != "select_multiple" && n.Type != "rank" {
		if l := labels[n.Value]; l != "" {
			return l
		}
		return n.Value
	}
	var out []string
	for name := range strings.FieldsSeq(n.Value) {
		if l := labels[name]; l != "" {
			name = l
		}
		out = append(out, name)
	}
	return strings.Join(out, "、")
}
