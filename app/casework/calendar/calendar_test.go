package calendar

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ironfeet/assets/workdays"
)

func on(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestWorkingDays(t *testing.T) {
	for _, test := range []struct {
		name, from string
		n          int
		due        string
		sure       bool
	}{
		{"three days from a Monday", "2026-03-02", 3, "2026-03-05", true},
		{"a weekend lies between", "2026-03-05", 3, "2026-03-10", true},
		{"the Spring Festival lies between, and a Saturday is worked", "2026-02-12", 3, "2026-02-24", true},
		{"the make-up Saturday itself is the last day", "2026-02-13", 1, "2026-02-14", true},
		{"National Day after a worked Sunday", "2026-09-18", 1, "2026-09-20", true},
		{"no days from a holiday is the next working day", "2026-10-01", 0, "2026-10-08", true},
		{"no days from a working day is that day", "2026-10-08", 0, "2026-10-08", true},
		{"over the end of the year, which nobody has loaded yet", "2026-12-30", 3, "2027-01-04", false},
		{"a whole case over the Spring Festival", "2026-01-26", 30, "2026-03-13", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			due, sure := BuiltIn().After(on(test.from), test.n)
			require.Equal(t, test.due, due.Format(time.DateOnly))
			require.Equal(t, test.sure, sure)
		})
	}
}

func TestCountingBack(t *testing.T) {
	require.Equal(t, 3, BuiltIn().Until(on("2026-02-12"), on("2026-02-24")))
	require.Equal(t, -3, BuiltIn().Until(on("2026-02-24"), on("2026-02-12")))
	require.Zero(t, BuiltIn().Until(on("2026-02-14"), on("2026-02-20")), "only holidays")
	rapid.Check(t, func(t *rapid.T) {
		from := on("2025-01-01").AddDate(0, 0, rapid.IntRange(0, 600).Draw(t, "from"))
		n := rapid.IntRange(1, 60).Draw(t, "n")
		due, _ := BuiltIn().After(from, n)
		if got := BuiltIn().Until(from, due); got != n {
			t.Fatalf("%d working days after %s is %s, but %d lie between", n, from, due, got)
		}
	})
}

// The sums of the orders: what the State Council's office says of each year.
func TestBuiltInYears(t *testing.T) {
	for year, want := range map[int]struct{ off, on int }{2025: {28, 5}, 2026: {33, 6}} {
		off, working := 0, 0
		for d := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == year; d = d.AddDate(0, 0, 1) {
			switch works, name := BuiltIn().Works(d); {
			case name != "" && works:
				working++
				require.True(t, d.Weekday() == time.Saturday || d.Weekday() == time.Sunday, "%s is no weekend", d)
			case name != "":
				off++
			}
		}
		require.Equal(t, want.off, off, year)
		require.Equal(t, want.on, working, year)
	}
}

// What the orders themselves say: the first day, which weekday that is, how many days;
// and the days that are worked instead.
func TestBuiltInYearsAreThoseOfTheOrders(t *testing.T) {
	for _, order := range []struct {
		document string
		off      []string
		on       []string
	}{
		{"国办发明电〔2024〕12号", []string{"2025-01-01 周三 1", "2025-01-28 周二 8", "2025-04-04 周五 3", "2025-05-01 周四 5", "2025-05-31 周六 3", "2025-10-01 周三 8"},
			[]string{"2025-01-26 周日", "2025-02-08 周六", "2025-04-27 周日", "2025-09-28 周日", "2025-10-11 周六"}},
		{"国办发明电〔2025〕7号", []string{"2026-01-01 周四 3", "2026-02-15 周日 9", "2026-04-04 周六 3", "2026-05-01 周五 5", "2026-06-19 周五 3", "2026-09-25 周五 3", "2026-10-01 周四 7"},
			[]string{"2026-01-04 周日", "2026-02-14 周六", "2026-02-28 周六", "2026-05-09 周六", "2026-09-20 周日", "2026-10-10 周六"}},
	} {
		weekday := func(d time.Time) string { return "周" + string([]rune("日一二三四五六")[d.Weekday()]) }
		for _, line := range order.off {
			parts := strings.Fields(line)
			first, days := on(parts[0]), int(parts[2][0]-'0')
			require.Equal(t, parts[1], weekday(first), "%s: %s", order.document, line)
			for i := range days {
				works, name := BuiltIn().Works(first.AddDate(0, 0, i))
				require.False(t, works, "%s: %s", order.document, line)
				require.NotEmpty(t, name, "%s: %s", order.document, line)
			}
			_, before := BuiltIn().Works(first.AddDate(0, 0, -1))
			_, after := BuiltIn().Works(first.AddDate(0, 0, days))
			for _, edge := range []string{before, after} {
				require.True(t, edge == "" || strings.HasSuffix(edge, "调休"), "%s: %s is longer here", order.document, line)
			}
		}
		for _, line := range order.on {
			parts := strings.Fields(line)
			require.Equal(t, parts[1], weekday(on(parts[0])), "%s: %s", order.document, line)
			works, name := BuiltIn().Works(on(parts[0]))
			require.True(t, works && name != "", "%s: %s", order.document, line)
		}
	}
}

func TestAnotherYearIsLoaded(t *testing.T) {
	c, err := BuiltIn().Add("2027.txt", []byte("\ufeff# 样例\r\n2027-01-01..2027-01-03 休 元旦\r\n2027-01-09 班 调休\r\n"))
	require.NoError(t, err)
	require.True(t, c.Knows(2027))
	require.False(t, BuiltIn().Knows(2027), "the built-in one stays as it is")
	due, sure := c.After(on("2026-12-30"), 3)
	require.Equal(t, "2027-01-05", due.Format(time.DateOnly))
	require.True(t, sure)
	// A year read anew replaces itself wholly.
	c, err = c.Add("2027.txt", []byte("2027-01-01 休 元旦\n"))
	require.NoError(t, err)
	works, _ := c.Works(on("2027-01-09"))
	require.False(t, works)
}

func TestFaultyFiles(t *testing.T) {
	for text, why := range map[string]string{
		"":                                  "empty",
		"# nur\n":                           "empty",
		"2026-02-30 休\n":                    "date",
		"2026-01-01..2026-1-3 休\n":          "date",
		"2026-01-03..2026-01-01 休\n":        "order",
		"2026-01-01..2026-12-01 休\n":        "range",
		"2026-01-01 假\n":                    "mark",
		"2026-01-01\n":                      "fields",
		"2026-12-31..2027-01-01 休\n":        "year",
		"2026-01-01 休\n2026-01-01 班\n":      "twice",
		strings.Repeat("#\n", maxFile):      "large",
		strings.Repeat("#\n", 1000) + "x x": "large",
	} {
		_, err := BuiltIn().Add("x.txt", []byte(text))
		var fault *LineError
		require.ErrorAs(t, err, &fault, text)
		require.Equal(t, why, fault.Why)
	}
	for text, why := range map[string]string{
		"": "empty",
		"dibao posting township posted 7 自然日":    "fields",
		"dibao posting township posted x 自然日 b":  "number",
		"dibao posting township posted -1 自然日 b": "number",
		"dibao posting township posted 7 周 b":    "unit",
		"a b c d 1 月 e\na b c d 2 月 e":           "twice",
	} {
		_, err := ReadRules("x.txt", []byte(text))
		var fault *LineError
		require.ErrorAs(t, err, &fault, text)
		require.Equal(t, why, fault.Why)
	}
}

func TestDeadlines(t *testing.T) { // domain.md §2
	for _, test := range []struct{ name, procedure, step, from, due string }{
		{"the survey begins within three working days of acceptance", "dibao", "survey_start", "2026-09-24", "2026-09-30"},
		{"posting is seven calendar days, holidays or not", "dibao", "posting", "2026-09-28", "2026-10-05"},
		{"a 特困 opinion within fifteen working days", "tekun", "opinion", "2026-03-02", "2026-03-23"},
		{"three months from a death at the end of November", "dibao", "death", "2025-11-30", "2026-02-28"},
		{"a rigid household is valid for twelve months", "rigid", "valid", "2026-02-28", "2027-02-28"},
		{"a step without a rule of its own takes the general one", "child", "review", "2026-03-02", "2026-03-09"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, ok := Deadlines().Find(test.procedure, test.step)
			require.True(t, ok)
			require.NotEmpty(t, r.Basis)
			due, _ := r.Due(BuiltIn(), on(test.from))
			require.Equal(t, test.due, due.Format(time.DateOnly))
		})
	}
	_, ok := Deadlines().Find("child", "posting")
	require.False(t, ok, "children are never posted (民发〔2019〕62号 §2(2))")
}

func FuzzCalendar(f *testing.F) {
	for _, name := range []string{"2026.txt", "deadlines.txt"} {
		data, err := workdays.Files.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("9999-12-31..9999-12-31 休"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		if c, err := BuiltIn().Add("x", data); err == nil {
			for _, y := range c.Years() {
				c.Works(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC))
			}
		}
		_, _ = ReadRules("x", data)
		if !bytes.Equal(before, data) {
			t.Fatal("the file was written into")
		}
	})
}
