package alerts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/alerts"
	"ironfeet/assets/yunqi"
	"ironfeet/forms/expr"
)

func sample(t testing.TB) string {
	data, err := yunqi.Files.ReadFile("alerts/预警类型.md")
	require.NoError(t, err)
	return string(data)
}

func TestTheSamplesKinds(t *testing.T) {
	k, report := alerts.Read("k.md", []byte(sample(t)))
	require.Empty(t, report.Errors)
	require.Empty(t, report.Warnings)
	groups := map[alerts.Group]int{}
	for _, kind := range k.All {
		groups[kind.Group]++
		require.NotEmpty(t, kind.Suggestion, kind.Kind)
		require.Positive(t, kind.Days)
	}
	require.Len(t, groups, 4)
	require.GreaterOrEqual(t, groups[alerts.Proactive], 5, "政策找人")
	require.GreaterOrEqual(t, groups[alerts.Clock], 5)
	require.Len(t, k.Sources, 18)
	_, known := k.Outcome("true_exempt")
	require.True(t, known)
}

func TestEveryFaultOfAKindsWorkbookIsToldWithItsCell(t *testing.T) {
	for _, c := range []struct{ name, from, to, code string }{
		{"a column that is no field", "${wage} >= 1500", "${wages} >= 1500", "kinds.unknown_field"},
		{"a sentence with a column that is none", "每月 {wage} 元缴费", "每月 {wge} 元缴费", "kinds.unknown_field"},
		{"a formula that is none", "${wage} >= 1500", "${wage} >=", "kinds.formula"},
		{"a function nobody knows", "${wage} >= 1500", "wages(${wage})", "kinds.formula"},
		{"an unknown source", "| wage | 工资收入变化 | wages |", "| wage | 工资收入变化 | salaries |", "kinds.unknown_source"},
		{"a group that is none", "| wages | verify |", "| wages | check |", "kinds.unknown_group"},
		{"days in words", "| household_visit | 3 | month |", "| household_visit | 三天 | month |", "kinds.bad_number"},
		{"no days", "| household_visit | 3 | month |", "| household_visit |  | month |", "kinds.bad_number"},
		{"a period that is none", "| household_visit | 3 | month |", "| household_visit | 3 | week |", "kinds.unknown_period"},
		{"a kind twice", "| car | 名下有车 |", "| death | 名下有车 |", "kinds.twice"},
		{"a type that is none", "| vehicles | value | 估值 | amount |", "| vehicles | value | 估值 | money |", "kinds.unknown_type"},
		{"a clock without its day", "| recheck | 复核到期 | determinations | clock | | ${review_by} |", "| recheck | 复核到期 | determinations | clock | | |", "kinds.blank"},
		{"a missing sheet", "## outcomes", "## results", "kinds.no_sheet"},
		{"an outcome without a label", "| died | 已死亡 | |", "| died | | |", "kinds.bad_name"},
		{"a heading that means nothing", "| birth | 出生日期", "| born | 出生日期", "kinds.unknown_meaning"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := sample(t)
			require.Contains(t, text, c.from)
			k, report := alerts.Read("k.md", []byte(strings.Replace(text, c.from, c.to, 1)))
			require.Nil(t, k)
			var codes []string
			for _, p := range report.Errors {
				codes = append(codes, p.Code)
				require.NotEmpty(t, p.Hint)
				require.NotEmpty(t, p.Place())
			}
			require.Contains(t, codes, c.code)
		})
	}
}

func TestPeriods(t *testing.T) {
	day := time.Date(2026, 8, 31, 23, 0, 0, 0, time.UTC)
	for p, want := range map[alerts.Period]string{alerts.Once: "", alerts.Month: "2026-08", alerts.Quarter: "2026-Q3", alerts.Half: "2026-H2", alerts.Year: "2026"} {
		require.Equal(t, want, p.Of(day))
	}
}

// What is missing decides nothing: neither a hit nor none.
func TestAConditionWithoutItsValue(t *testing.T) {
	k, _ := alerts.Read("k.md", []byte(sample(t)))
	wage := k.Kind("wage")
	at := func(text string) alerts.Values {
		return func(string) (expr.ExactValue, bool) { return expr.ExactText(text), true }
	}
	for text, want := range map[string][2]bool{"1500": {true, true}, "1499.99": {false, true}, "": {false, false}, "很多": {false, false}} {
		holds, decided := wage.Holds(at(text), time.Time{})
		require.Equal(t, want, [2]bool{holds, decided}, text)
	}
	require.Equal(t, "在 x 按每月 x 元缴费，请看工资条和开始时间", wage.Says(at("x")))
	require.Equal(t, "在 ? 按每月 ? 元缴费，请看工资条和开始时间", wage.Says(func(string) (expr.ExactValue, bool) { return expr.ExactMissing(), false }))
}

func FuzzRead(f *testing.F) {
	f.Add(sample(f))
	f.Add("## sources\n| source |\n| a |\n## kinds\n| kind | label | source | group | days | detail |\n| k | K | a | verify | 1 | {x |\n## outcomes\n| outcome | label |\n| o | O |\n")
	f.Fuzz(func(t *testing.T, text string) {
		k, report := alerts.Read("k.md", []byte(text))
		if (k == nil) == report.OK() {
			t.Fatal("kinds with errors, or none without")
		}
		if k == nil {
			return
		}
		for _, kind := range k.All {
			values := func(string) (expr.ExactValue, bool) { return expr.ExactText("1"), true }
			kind.Holds(values, time.Time{})
			kind.DueDay(values, time.Time{})
			kind.Says(values)
		}
	})
}
