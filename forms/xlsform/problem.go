package xlsform

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A Problem says which cell of a form is wrong, or was repaired, and what would
// be right. Code is stable and the key of its sentence in the translation files
// ("form.unknown_list"); Message and Hint are the same in plain English, for
// logs and for faces without a catalogue.
type Problem struct {
	Sheet   string `json:"sheet"`
	Cell    string `json:"cell"`   // "D17", or "" when a whole sheet or row is meant
	Row     int    `json:"row"`    // 1-based row of the sheet, 0 when none is meant
	Column  string `json:"column"` // the column's heading as it stands in the sheet
	Code    string `json:"code"`
	Got     string `json:"got,omitempty"`   // what stands there
	Near    string `json:"near,omitempty"`  // the nearest name that exists, or what to write instead
	Other   string `json:"other,omitempty"` // another place or name the sentence needs
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Place is "survey!D17", "survey" or "".
func (p Problem) Place() string {
	switch {
	case p.Cell != "":
		return p.Sheet + "!" + p.Cell
	case p.Row > 0:
		return p.Sheet + "!" + strconv.Itoa(p.Row)
	}
	return p.Sheet
}

// String is one line for a log: the place and the sentence.
func (p Problem) String() string {
	if place := p.Place(); place != "" {
		return place + ": " + p.Message
	}
	return p.Message
}

// A Report lists everything wrong with a form, found in one pass. A form with
// errors cannot be filled; one with warnings was repaired or is used in part.
type Report struct {
	Errors, Warnings []Problem
}

// OK says whether nothing stands in the way of using the form.
func (r Report) OK() bool { return len(r.Errors) == 0 }

// Error records a problem that stands in the way.
func (r *Report) Error(p Problem) { r.Errors = append(r.Errors, p) }

// Warn records a repair, or something that is not used.
func (r *Report) Warn(p Problem) { r.Warnings = append(r.Warnings, p) }

// Merge appends another report.
func (r *Report) Merge(o Report) {
	r.Errors = append(r.Errors, o.Errors...)
	r.Warnings = append(r.Warnings, o.Warnings...)
}

// maxProblems bounds a report, so that a damaged file of 20,000 rows does not
// print 20,000 lines.
const maxProblems = 1000

// Sort puts problems in the order in which a clerk walks through the workbook.
func (r *Report) Sort() {
	rank := func(sheet string) int {
		if i := slices.Index([]string{"", "survey", "choices", "settings", "entities", "external_choices"}, sheet); i >= 0 {
			return i
		}
		return 9
	}
	byPlace := func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a.Sheet), rank(b.Sheet)), cmp.Compare(a.Sheet, b.Sheet), cmp.Compare(a.Row, b.Row),
			cmp.Compare(len(a.Cell), len(b.Cell)), cmp.Compare(a.Cell, b.Cell))
	}
	for _, list := range []*[]Problem{&r.Errors, &r.Warnings} {
		slices.SortStableFunc(*list, byPlace)
		if n := len(*list); n > maxProblems {
			*list = append((*list)[:maxProblems], Problem{
				Code: "form.more_problems", Got: strconv.Itoa(n - maxProblems),
				Message: strconv.Itoa(n-maxProblems) + " more problems are not listed", Hint: "mend these first and check again",
			})
		}
	}
}

// Nearest returns the known name a person most likely meant, or "" if none is
// near. Case, spaces, '_' and '-' do not count; otherwise at most a third of the
// characters may differ.
func Nearest(got string, names []string) string {
	plain := func(s string) []rune {
		return []rune(strings.Map(func(r rune) rune {
			if r == '_' || r == '-' || r == ' ' || r == '\u00a0' {
				return -1
			}
			return r
		}, strings.ToLower(s)))
	}
	g := plain(got)
	if len(g) == 0 || len(g) > 64 {
		return ""
	}
	best, bestDistance := "", len(g)/3+1
	for _, name := range names {
		n := plain(name)
		if d := len(n) - len(g); len(n) > 64 || d >= bestDistance || -d >= bestDistance || name == got {
			continue
		}
		if d := distance(g, n); d < bestDistance || d == bestDistance-1 && best != "" && d < distance(g, plain(best)) {
			best, bestDistance = name, d
		}
		if bestDistance == 0 {
			break
		}
	}
	return best
}

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours.
func distance(a, b []rune) int {
	var rows [3][66]int
	two, one, cur := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(one[j]+1, cur[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], two[j-2]+1)
			}
		}
		two, one, cur = one, cur, two
	}
	return one[len(b)]
}
