package forms

import (
	"strings"
	"testing"
)

// FuzzFill: whatever a workbook says, opening and filling it ends, without a
// panic, and an answer given is an answer kept.
func FuzzFill(f *testing.F) {
	f.Add(household, "1")
	f.Add("| survey | type | name | label | repeat_count | calculation |\n| | begin repeat | r | R | 20 | |\n| | begin repeat | q | Q | 20 | |\n| | calculate | c | | | sum(/data/r/q/b) + position(..) |\n| | end repeat | | | | |\n| | end repeat | | | | |\n", "x")
	f.Add("| survey | type | name | label | calculation |\n| | text | a | A | |\n| | calculate | b | | concat(${a}, ${a}, ${a}) |\n| | calculate | c | | concat(${b}, ${b}, ${b}) |\n", strings.Repeat("长", 20_000))
	f.Add("| survey | type | name | label | choice_filter | appearance | parameters |\n| | select_one l | s | S | a = ${s} | search('f', 'matches', 'a', ${s}) | randomize=true seed=${s} |\n| choices | list_name | name | label | a |\n| | l | a | b | c |\n", "a")
	f.Fuzz(func(t *testing.T, form, answer string) {
		if len(form) > 1<<16 {
			return
		}
		compiled, _ := Open("f.md", []byte(form))
		if compiled == nil {
			return
		}
		e := compiled.New(Options{})
		nodes := e.Nodes()
		for _, n := range nodes[:min(len(nodes), 200)] {
			switch {
			case n.CanAdd:
				_, _ = e.Add(n.Path)
			case !n.Group && !n.Repeat:
				if _, err := e.Set(n.Path, answer); err != nil {
					continue
				}
				if now, ok := e.Node(n.Path); ok && now.Value != answer && !now.Calculated {
					t.Fatalf("%s holds %q after the answer %q", n.Path, now.Value, answer)
				}
			}
		}
		_ = e.Record().Encode()
		_ = e.Problems()
	})
}
