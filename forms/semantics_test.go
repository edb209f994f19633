package forms

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSemantics is the table of decisions where engines differ (README of package
// expr; ODK XForms specification). a is 3, b is blank, the roster holds 1, blank,
// 3; gone is answered and not relevant.
func TestSemantics(t *testing.T) {
	const form = `
| survey | type | name | label | relevant | calculation |
| | decimal | a | A | | |
| | decimal | b | B | | |
| | date | d | D | | |
| | date | d2 | D | | |
| | text | word | W | | |
| | text | gone | G | false() | |
| | begin repeat | r | R | | |
| | decimal | x | X | | |
| | calculate | twice | | | ${x} * 2 |
| | end repeat | | | | |
| | calculate | it | | | %s |
| settings | form_id | version |
| | s | 1 |
`
	for _, c := range []struct{ src, want, why string }{
		{"sum(${x})", "4", "blanks are skipped"},
		{"min(${x})", "1", ""}, {"max(${x})", "3", ""},
		{"max(-5, -3)", "-3", "of all-negative values too"},
		{"count(${x})", "3", "nodes count, blank or not"},
		{"count-non-empty(${x})", "2", ""},
		{"boolean(${b})", "false", "a node counts by its value, not by its existence"},
		{"not(${b})", "true", ""}, {"if(${b}, 'y', 'n')", "n", ""},
		{"${b} + 1", "", "blank in arithmetic stays blank"},
		{"${b} < 1", "false", ""}, {"${b} > -1", "false", ""}, {"${b} = 0", "false", ""}, {"${b} != 5", "true", ""},
		{"'01' = 1", "true", ""}, {"'01' = '1'", "false", "text against text compares text"},
		{"'a' < 'b'", "false", "order is for numbers"},
		{"${d} + 1", "19784", "a date is whole days since 1970"},
		{"date('2024-03-01') + 1", "19784", ""},
		{"${d2} - ${d}", "31", ""},
		{"date('2024-02-30')", "", "no such day"},
		{"decimal-date-time('1970-01-01')", "0", "no time zone"},
		{"round(-2.5)", "-2", "XPath 1.0 §4.4: towards positive infinity"},
		{"round(2.5)", "3", ""}, {"round(1.005, 2)", "1.01", "on the decimal text"}, {"round(2.675, 2)", "2.68", ""},
		{"1.0", "1", ""}, {"0.1 + 0.2", "0.30000000000000004", "shortest that reads back"}, {"1 div 0", "Infinity", ""}, {"10000000000 * 10", "100000000000", "no exponent"},
		{"substr('hello', 1, 3)", "el", "from 0, end exclusive"}, {"substr('hello', -3)", "llo", ""},
		{"selected-at('a b c', 5)", "", ""}, {"indexed-repeat(${x}, ${r}, 3)", "3", ""}, {"indexed-repeat(${x}, ${r}, 0)", "", ""}, {"indexed-repeat(${x}, ${r}, 9)", "", ""},
		{"count(${a} | ${b})", "2", ""}, {"string-length('𠮷野')", "2", "characters, not UTF-16"},
		{"regex('abc', 'b')", "true", "it searches; the author anchors"},
		{"number('1,234')", "", ""},
		{"${gone}", "", "a question that is not relevant is blank"},
		{"concat(${word}, '／', string-length(${word}))", "中文／2", ""},
		{"sum(${twice})", "8", ""}, {"join(',', ${x})", "1,,3", ""},
		{"/data/r[2]/x = ''", "true", ""}, {"/data/r[x = 3]/twice", "6", ""}, {"sum(/data/r[position() > 1]/x)", "3", ""},
		{"coalesce(${b}, ${a})", "3", ""}, {"once(${a})", "3", ""},
	} {
		t.Run(c.src, func(t *testing.T) {
			f := open(t, fmt.Sprintf(form, strings.ReplaceAll(c.src, "|", `\|`)))
			e := f.New(Options{Now: func() time.Time { return time.Date(2026, 3, 1, 8, 0, 0, 0, time.FixedZone("", 8*3600)) }})
			for _, a := range [][2]string{{"/a", "3"}, {"/d", "2024-03-01"}, {"/d2", "2024-04-01"}, {"/word", "中文"}, {"/gone", "x"}, {"/r[1]/x", "1"}, {"/r[2]/x", ""}, {"/r[3]/x", "3"}} {
				_, err := e.Set(a[0], a[1])
				require.NoError(t, err)
			}
			n, ok := e.Node("/it")
			require.True(t, ok)
			assert.Equal(t, c.want, n.Value, c.why)
		})
	}
}

// TestRefusedWhenRead: what has no single meaning is refused with its place.
func TestRefusedWhenRead(t *testing.T) {
	for src, code := range map[string]string{"${x} + 1": "form.many_values", "${it}": "form.cycle", "${nobody}": "form.unknown_reference"} {
		_, report := Open("f.md", []byte(fmt.Sprintf("| survey | type | name | label | calculation |\n| | begin repeat | r | R | |\n| | decimal | x | X | |\n| | end repeat | | | |\n| | calculate | it | | %s |\n", src)))
		require.NotEmpty(t, report.Errors, src)
		require.Equal(t, code, report.Errors[0].Code)
		require.Equal(t, "D5", report.Errors[0].Cell)
	}
}

// TestWhatMultipliesIsBounded: repeats in repeats, concatenations of
// concatenations, and values that chase each other end with a fault that names
// the place.
func TestWhatMultipliesIsBounded(t *testing.T) {
	for name, c := range map[string]struct{ form, code string }{
		"repeats":        {"| survey | type | name | label | repeat_count |\n| | begin repeat | r | R | 2000 |\n| | begin repeat | q | Q | 2000 |\n| | integer | x | X | |\n| | end repeat | | | |\n| | end repeat | | | |\n", "form.dry_run"},
		"concatenations": {"| survey | type | name | calculation |\n| | calculate | a | '0123456789012345678901234567890123456789' |\n" + doubled(20), "form.dry_run"},
		"own instances":  {"| survey | type | name | label | calculation |\n| | begin repeat | r | R | |\n| | calculate | x | | sum(/data/r/x) + 1 |\n| | end repeat | | | |\n", "form.cycle"},
	} {
		_, report := Open("f.md", []byte(c.form))
		require.NotEmpty(t, report.Errors, name)
		require.Equal(t, c.code, report.Errors[0].Code, name)
		require.NotEmpty(t, report.Errors[0].Cell, name)
	}
}

// doubled is a chain of calculations, each twice as long as the one before.
func doubled(n int) string {
	var s strings.Builder
	before := "a"
	for i := range n {
		fmt.Fprintf(&s, "| | calculate | c%d | concat(${%s}, ${%s}) |\n", i, before, before)
		before = fmt.Sprintf("c%d", i)
	}
	return s.String()
}

// TestOneChangeEqualsAll: after any sequence of answers, additions and removals an
// entry is exactly what it would be had everything been worked out anew.
func TestOneChangeEqualsAll(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	rounds := 2000
	if testing.Short() {
		rounds = 60
	}
	for round := range rounds {
		f, report := Open("random.md", []byte(randomForm(r)))
		if f == nil {
			require.NotNil(t, f, "round %d: %v", round, report.Errors)
		}
		e := f.New(Options{})
		for step := range 40 {
			act(r, e)
			if step%5 != 4 {
				continue
			}
			want := e.all()
			// Everything again from nothing.
			e.freshenAll()
			require.Equal(t, want, e.all(), "round %d, step %d", round, step)
		}
		again := f.New(Options{})
		lost := again.Restore(e.Answers())
		require.Empty(t, lost)
		require.Equal(t, e.Record().Answers, again.Record().Answers, "a draft comes back as it was")
	}
}

// all is everything an entry shows.
func (e *Entry) all() string {
	var b strings.Builder
	for _, n := range e.Nodes() {
		fmt.Fprintf(&b, "%s=%s rel=%v req=%v valid=%v %s %q %v\n", n.Path, n.Value, n.Relevant, n.Required, n.Valid, n.Code, n.Label, n.Choices)
	}
	return b.String()
}

// freshenAll works everything out again.
func (e *Entry) freshenAll() {
	e.memos = nil
	e.each(e.root, func(n *node) {
		for r := range roles {
			if n.at == 0 {
				e.push(n, r)
			}
		}
	})
	e.run()
}

// randomForm writes a form of two nested repeats, conditions, calculations and
// filters that refer to whatever stands above them.
func randomForm(r *rand.Rand) string {
	var s strings.Builder
	s.WriteString("| survey | type | name | label | required | relevant | constraint | calculation | choice_filter |\n")
	var top, inside []string
	pick := func(list []string) string {
		if len(list) == 0 {
			return "1"
		}
		return "${" + list[r.IntN(len(list))] + "}"
	}
	condition := func(list []string) string {
		switch r.IntN(5) {
		case 0:
			return pick(list) + " > " + fmt.Sprint(r.IntN(5))
		case 1:
			return "not(" + pick(list) + " = " + pick(list) + ")"
		case 2:
			return pick(list) + " != '' and " + pick(list) + " < 4"
		}
		return ""
	}
	question := func(name string, list []string) {
		switch r.IntN(4) {
		case 0:
			fmt.Fprintf(&s, "| | calculate | %s | | | %s | | coalesce(%s, 0) + %d | |\n", name, condition(list), pick(list), r.IntN(3))
		case 1:
			fmt.Fprintf(&s, "| | select_one c | %s | %s of %s | %s | %s | | | k = %s |\n", name, name, pick(list), []string{"yes", ""}[r.IntN(2)], condition(list), pick(list))
		default:
			fmt.Fprintf(&s, "| | integer | %s | %s | %s | %s | . < %s + 9 | | |\n", name, name, []string{"yes", "", condition(list)}[r.IntN(3)], condition(list), pick(list))
		}
	}
	for i := range 5 {
		name := fmt.Sprintf("a%d", i)
		question(name, top)
		top = append(top, name)
	}
	fmt.Fprintf(&s, "| | begin repeat | m | M | | %s | | | |\n", condition(top))
	for i := range 4 {
		name := fmt.Sprintf("b%d", i)
		question(name, append(append([]string{}, top...), inside...))
		inside = append(inside, name)
	}
	s.WriteString("| | calculate | share | | | | | coalesce(${b0}, 0) * count(/data/m) + sum(/data/m/b1) | |\n")
	s.WriteString("| | calculate | before | | | | | indexed-repeat(${b0}, ${m}, position(..) - 1) | |\n")
	s.WriteString("| | calculate | running | | | | | coalesce(indexed-repeat(${running}, ${m}, position(..) - 1), 0) + coalesce(${b1}, 0) + 1 | |\n")
	s.WriteString("| | calculate | others | | | | | join('·', ../../m/b2) | |\n")
	s.WriteString("| | begin repeat | n | N | | | | | |\n")
	question("c0", append(append([]string{}, top...), inside...))
	fmt.Fprintf(&s, "| | calculate | c1 | | | | | position(..) + coalesce(${c0}, 0) | |\n")
	s.WriteString("| | calculate | c2 | | | | | sum(../../n/c1) + max(/data/m/n/c1) | |\n")
	s.WriteString("| | end repeat | | | | | | | |\n| | calculate | inner | | | | | sum(${c1}) | |\n| | end repeat | | | | | | | |\n")
	fmt.Fprintf(&s, "| | calculate | total | | | | | sum(${%s}) + count(${m}) | |\n", inside[r.IntN(len(inside))])
	s.WriteString("| | calculate | deep | | | | | sum(${c1}) + indexed-repeat(${b0}, ${m}, 2) | |\n| | integer | last | Last ${total} | | ${total} > 3 | | | |\n")
	s.WriteString("| choices | list_name | name | label | k |\n| | c | 1 | one | 1 |\n| | c | 2 | two | 2 |\n| | c | 3 | three | 1 |\n| settings | form_id | version |\n| | r | 1 |\n")
	return s.String()
}

// act does something to an entry.
func act(r *rand.Rand, e *Entry) {
	nodes := e.Nodes()
	n := nodes[r.IntN(len(nodes))]
	switch {
	case n.Repeat && len(nodes) < 200:
		_, _ = e.Add(n.Path)
	case n.Type == "instance" && r.IntN(3) == 0:
		_ = e.Remove(n.Path)
	case !n.Group && !n.Repeat && !n.Calculated:
		_, _ = e.Set(n.Path, []string{"", "1", "2", "3", "7", "x"}[r.IntN(6)])
	}
}
