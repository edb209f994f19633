package present

import (
	"slices"
	"strings"

	"ironfeet/app/casework/visit"
	"ironfeet/forms"
)

// officeOnly marks, in a form's appearance column, a group that the householder
// is not shown: what neighbours say stays with the investigators.
const officeOnly = "office-only"

// A Step is one screen of a visit: a group of questions, or a repeat.
type Step struct {
	Path, Label string
	Repeat      bool
	Count       int // instances of a repeat
	Missing     int // answers that are required or wrong here
	Answered    int
}

// Steps are the screens of a visit, in order, as they stand.
func Steps(v *visit.Visit) []Step {
	var steps []Step
	problems := v.Entry.Problems()
	for _, g := range v.Entry.Groups() {
		s := Step{Path: g.Path, Label: g.Label, Repeat: g.Repeat}
		for _, p := range problems {
			if p.Path == g.Path || strings.HasPrefix(p.Path, g.Path+"/") || strings.HasPrefix(p.Path, g.Path+"[") {
				s.Missing++
			}
		}
		for _, n := range v.Entry.Inside(g.Path) {
			switch {
			case n.Type == "instance":
				s.Count++
			case !n.Group && !n.Repeat && n.Value != "" && !n.Calculated:
				s.Answered++
			}
		}
		steps = append(steps, s)
	}
	return steps
}

// Instances are the instances of a repeat.
func Instances(v *visit.Visit, repeat string) []forms.Node {
	var list []forms.Node
	for _, n := range v.Entry.Inside(repeat) {
		if n.Type == "instance" && strings.HasPrefix(n.Path, repeat+"[") {
			list = append(list, n)
		}
	}
	return list
}

// Questions are what a person is asked in a group or an instance.
func Questions(v *visit.Visit, path string) []forms.Node {
	return slices.DeleteFunc(v.Entry.Inside(path), func(n forms.Node) bool { return n.Calculated || n.Repeat })
}

// A Section of the summary that is read aloud.
type Section struct {
	Title string
	Lines []Pair
}

// Summary is what the householder hears and signs: every answer in words, without
// what is for the office alone and without pictures' names.
func Summary(v *visit.Visit) []Section {
	var out []Section
	for _, g := range v.Entry.Groups() {
		if strings.Contains(g.Appearance, officeOnly) {
			continue
		}
		section := Section{Title: g.Label}
		flush := func() {
			if len(section.Lines) > 0 {
				out = append(out, section)
			}
		}
		for _, n := range v.Entry.Inside(g.Path) {
			switch {
			case n.Type == "instance":
				flush()
				section = Section{Title: g.Label + " " + n.RepeatLabel}
			case n.Group || n.Repeat || n.Calculated || n.Value == "" || n.Type == "note" || n.Type == "image" || n.Type == "geopoint":
			default:
				section.Lines = append(section.Lines, Pair{n.Label, Words(n, n.Value)})
			}
		}
		flush()
	}
	return out
}
