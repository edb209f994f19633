package forms

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ironfeet/forms/xlsform"
)

// workbook writes a form of so many rows as a real .xlsx: groups of ten questions
// of mixed types with relevance, constraints, calculations and labels that quote
// answers, two languages, twenty lists of twelve choices.
func workbook(b testing.TB, rows int) []byte {
	b.Helper()
	var s strings.Builder
	s.WriteString("## survey\n| type | name | label::中文 (zh) | label::English (en) | required | relevant | constraint | constraint_message::中文 (zh) | calculation |\n|---|---|---|---|---|---|---|---|---|\n")
	for i := 0; i < rows; i++ {
		name := fmt.Sprintf("q%d", i)
		switch i % 12 {
		case 0:
			fmt.Fprintf(&s, "| begin group | g%d | 第 %d 组 | Group %d | | | | | |\n", i, i, i)
		case 11:
			s.WriteString("| end group | | | | | | | | |\n")
		case 1, 6:
			fmt.Fprintf(&s, "| select_one l%d | %s | 选择 %d | Choose %d | yes | | | | |\n", i%20, name, i, i)
		case 2, 7:
			fmt.Fprintf(&s, "| integer | %s | 数量 %d | Count %d | | ${q%d} = 'c1' | . >= 0 and . < 1000 | 应在 0 到 999 之间 | |\n", name, i, i, i-1)
		case 3, 8:
			fmt.Fprintf(&s, "| calculate | %s | | | | | | | if(${q%d} > 10, ${q%d} * 2, coalesce(${q%d}, 0)) |\n", name, i-1, i-1, i-1)
		case 4:
			fmt.Fprintf(&s, "| note | %s | 一共 ${q%d} | In all ${q%d} | | | | | |\n", name, i-1, i-1)
		default:
			fmt.Fprintf(&s, "| text | %s | 说明 %d | Remark %d | | not(selected(${q%d}, 'c2')) | regex(., '^.{0,80}$') | 太长 | |\n", name, i, i, i/12*12+1)
		}
	}
	if rows%12 != 0 {
		s.WriteString("| end group | | | | | | | | |\n")
	}
	s.WriteString("\n## choices\n| list_name | name | label::中文 (zh) | label::English (en) |\n|---|---|---|---|\n")
	for l := range 20 {
		for c := range 12 {
			fmt.Fprintf(&s, "| l%d | c%d | 选项 %d | Choice %d |\n", l, c, c, c)
		}
	}
	s.WriteString("\n## settings\n| form_id | version |\n|---|---|\n| big | 1 |\n")
	tables, report := xlsform.ReadTables("big.md", []byte(s.String()))
	if !report.OK() {
		b.Fatal(report.Errors)
	}
	var out bytes.Buffer
	if err := xlsform.WriteExcel(&out, tables); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

func compiled(b testing.TB, name string, data []byte) *Form {
	b.Helper()
	f, report := Open(name, data)
	if f == nil {
		b.Fatal(report.Errors)
	}
	return f
}

func markdown(survey, choices string) []byte {
	return []byte("## survey\n| type | name | label | relevant | calculation | choice_filter |\n|---|---|---|---|---|---|\n" + survey +
		"\n## choices\n| list_name | name | label | town |\n|---|---|---|---|\n" + choices + "\n## settings\n| form_id | version |\n|---|---|\n| b | 1 |\n")
}

// BenchmarkOpen: from a workbook's bytes to an entry ready to be filled.
func BenchmarkOpen(b *testing.B) {
	for _, rows := range []int{592, 976} {
		data := workbook(b, rows)
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compiled(b, "big.xlsx", data).New(Options{})
			}
			before := inUse()
			f := compiled(b, "big.xlsx", data)
			e := f.New(Options{})
			b.ReportMetric(float64(inUse()-before)/1e6, "MB-kept")
			runtime.KeepAlive(e)
		})
	}
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkChain: the head of 500 calculations, each reading the one before.
func BenchmarkChain(b *testing.B) {
	var s strings.Builder
	s.WriteString("| integer | c0 | Head | | | |\n")
	for i := 1; i <= 500; i++ {
		fmt.Fprintf(&s, "| calculate | c%d | | | ${c%d} + 1 | |\n", i, i-1)
	}
	e := compiled(b, "b.md", markdown(s.String(), "| x | a | A | |\n")).New(Options{})
	values := []string{"1", "2"}
	i := 0
	for b.Loop() {
		if _, err := e.Set("/c0", values[i&1]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	if n, _ := e.Node("/c500"); n.Value != "501" && n.Value != "502" {
		b.Fatal(n.Value)
	}
}

// BenchmarkAlone: an answer on which nothing depends, in forms of 1,000 and 10,000
// questions.
func BenchmarkAlone(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, "| text | q%d | Question | | | |\n", i)
		}
		e := compiled(b, "b.md", markdown(s.String(), "| x | a | A | |\n")).New(Options{})
		path := fmt.Sprintf("/data/q%d", n/2)
		values := []string{"甲", "乙"}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				_, _ = e.Set(path, values[i&1])
				i++
			}
		})
	}
}

// BenchmarkRoster: 100 members with 20 questions each and a sum over all.
func BenchmarkRoster(b *testing.B) { benchRoster(b, "") }

// BenchmarkRosterOfReaders: each of the 100 members reads the sum over all and the
// member before, which is where engines become quadratic.
func BenchmarkRosterOfReaders(b *testing.B) {
	benchRoster(b, "| calculate | share | | | ${age} div sum(/data/members/age) | |\n| calculate | before | | | indexed-repeat(${age}, ${members}, position(..) - 1) | |\n")
}

func benchRoster(b *testing.B, more string) {
	var s strings.Builder
	s.WriteString("| begin repeat | members | Members | | | |\n| integer | age | Age | | | |\n")
	for i := range 19 {
		fmt.Fprintf(&s, "| integer | m%d | Of ${age} | ${age} > %d | | |\n", i, i)
	}
	s.WriteString(more)
	s.WriteString("| end repeat | | | | | |\n| calculate | ages | | | sum(${age}) | |\n| calculate | people | | | count(${members}) | |\n")
	f := compiled(b, "b.md", markdown(s.String(), "| x | a | A | |\n"))
	fill := func() *Entry {
		e := f.New(Options{})
		for i := range 100 {
			if _, err := e.Add("/members"); err != nil {
				b.Fatal(err)
			}
			if _, err := e.Set(fmt.Sprintf("/members[%d]/age", i+1), "30"); err != nil {
				b.Fatal(err)
			}
		}
		return e
	}
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			fill()
		}
	})
	e := fill()
	values := []string{"31", "32"}
	b.Run("answer", func(b *testing.B) {
		i := 0
		for b.Loop() {
			_, _ = e.Set("/members[1]/age", values[i&1])
			i++
		}
	})
	if n, _ := e.Node("/ages"); n.Value != "3001" && n.Value != "3002" {
		b.Fatal(n.Value)
	}
}

// BenchmarkFilter: choices among 50,000 villages of 500 towns, and for comparison
// among 50.
func BenchmarkFilter(b *testing.B) {
	for _, n := range []int{50, 50_000} {
		var c strings.Builder
		for i := range n {
			fmt.Fprintf(&c, "| v | v%d | 村 %d | t%d |\n", i, i, i%max(1, n/100))
		}
		for i := range max(1, n/100) {
			fmt.Fprintf(&c, "| t | t%d | 镇 %d | |\n", i, i)
		}
		e := compiled(b, "b.md", markdown("| select_one t | town | Town | | | |\n| select_one v | village | Village | | | town = ${town} |\n", c.String())).New(Options{})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			towns := []string{"t0", "t1"}
			if n == 50 {
				towns[1] = "t0"
			}
			i := 0
			for b.Loop() {
				_, _ = e.Set("/town", towns[i&1])
				node, _ := e.Node("/village")
				if len(node.Choices) == 0 {
					b.Fatal("no choices")
				}
				i++
			}
		})
	}
}

// BenchmarkHouseholdForm: answers a second, the slowest twentieth, and the size of
// an entry, on the sample's 入户核查 with four members.
func BenchmarkHouseholdForm(b *testing.B) {
	data, err := os.ReadFile(filepath.FromSlash("../assets/yunqi/forms/入户核查.xlsx"))
	if err != nil {
		b.Fatal(err)
	}
	f := compiled(b, "x.xlsx", data)
	now := func() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) }
	known := &Known{}
	for i := range 4 {
		known.Members = append(known.Members, map[string]string{"id": fmt.Sprint(i), "name": fmt.Sprintf("成员%d", i)})
	}
	e := f.New(Options{Now: now, Known: known})
	_, _ = e.Set("/visit/outcome", "completed")
	for i := range 4 {
		_, _ = e.Set(fmt.Sprintf("/members[%d]/birth", i+1), fmt.Sprintf("19%d0-05-01", 5+i))
	}
	type step struct{ path, value string }
	var steps []step
	for _, n := range e.Nodes() {
		if n.Group || n.Repeat || n.Calculated || n.ReadOnly || n.Type == "note" || n.Name == "outcome" || n.Name == "birth" {
			continue
		}
		values := []string{"1", "2"}
		if len(n.Choices) > 1 {
			values = []string{n.Choices[0].Name, n.Choices[1].Name}
		}
		for _, v := range values {
			steps = append(steps, step{n.Path, v})
		}
	}
	b.ReportMetric(float64(len(steps)), "answers/round")
	i := 0
	var slow []time.Duration
	for b.Loop() {
		s := steps[i%len(steps)]
		began := time.Now()
		_, _ = e.Set(s.path, s.value)
		if len(slow) < 1_000_000 {
			slow = append(slow, time.Since(began))
		}
		i++
	}
	slices.Sort(slow)
	if len(slow) > 20 {
		b.ReportMetric(float64(slow[len(slow)*95/100].Nanoseconds())/1e3, "µs-p95")
	}
	b.ReportMetric(1e9/float64(b.Elapsed().Nanoseconds())*float64(i), "answers/s")
	before := inUse()
	other := f.New(Options{Now: now, Known: known})
	for _, s := range steps {
		_, _ = other.Set(s.path, s.value)
	}
	b.ReportMetric(float64(inUse()-before)/1e6, "MB-entry")
	runtime.KeepAlive(other)
}
