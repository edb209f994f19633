package forms

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/forms/xlsform"
)

// open compiles a form written in Markdown.
func open(t *testing.T, md string) *Form {
	t.Helper()
	f, report := Open("form.md", []byte(md))
	require.NotNil(t, f, "%v", report.Errors)
	return f
}

const household = `
| survey | type | name | label::中文 (zh) | label::English (en) | required | relevant | constraint | constraint_message::中文 (zh) | calculation | repeat_count | save_to | choice_filter |
| | begin group | visit | 走访 | Visit | | | | | | | | |
| | hidden | hh_id | | | | | | | | | | |
| | select_one outcome | outcome | 入户结果 | Outcome | yes | | | | | | | |
| | date | revisit | 再访日期 | Visit again on | yes | ${outcome} != 'completed' | | | | | | |
| | text | phone | 电话 | Phone | | | regex(., '^[0-9]{11}$') | 电话应为 11 位 | | | household#phone | |
| | end group | | | | | | | | | | | |
| | begin repeat | members | 成员 | Members | | ${outcome} = 'completed' | | | | | | |
| | hidden | id | | | | | | | | | | |
| | text | name | 姓名 | Name | yes | | | | | | member#name | |
| | integer | age | ${name}几岁 | How old is ${name} | yes | | . >= 0 and . < 130 | 年龄不对 | | | member#age | |
| | calculate | adult | | | | | | | if(${age} >= 18, 1, 0) | | | |
| | end repeat | | | | | | | | | | | |
| | calculate | adults | | | | | | | sum(${adult}) | | | |
| | calculate | people | | | | | | | count(${members}) | | | |
| | select_one town | town | 镇 | Town | | | | | | | | |
| | select_one village | village | 村 | Village | | | | | | | | town = ${town} |
| | note | sum_note | 成年人 ${adults} 人，住 ${village} | ${adults} adults | | | | | | | | |
| choices | list_name | name | label::中文 (zh) | label::English (en) | town |
| | outcome | completed | 完成 | Completed | |
| | outcome | absent | 无人 | Nobody at home | |
| | town | a | 甲镇 | Town A | |
| | town | b | 乙镇 | Town B | |
| | village | a1 | 甲一 | A one | a |
| | village | b1 | 乙一 | B one | b |
| entities | list_name | entity_id |
| | household | ${hh_id} |
| | member | ${id} |
| settings | form_id | version | form_title |
| | test_visit | 1 | 试表 |
`

func TestAnsweringHasConsequences(t *testing.T) {
	e := open(t, household).New(Options{})
	value := func(path string) string {
		n, ok := e.Node(path)
		require.True(t, ok, path)
		return n.Value
	}
	n, _ := e.Node("/data/visit/outcome")
	require.Equal(t, "入户结果", n.Label)
	require.Equal(t, "answer.required", n.Code)

	changed, err := e.Set("/visit/outcome", "absent")
	require.NoError(t, err)
	require.Contains(t, changed, "/data/visit/outcome")
	n, _ = e.Node("/visit/revisit")
	require.True(t, n.Relevant)
	m, _ := e.Node("/members")
	require.False(t, m.Relevant)

	_, err = e.Set("/visit/outcome", "completed")
	require.NoError(t, err)
	n, _ = e.Node("/visit/revisit")
	require.False(t, n.Relevant)
	for i, age := range []string{"67", "12", "40"} {
		_, err = e.Set(fmt.Sprintf("/members[%d]/name", i+1), fmt.Sprintf("韦%d", i+1))
		require.NoError(t, err)
		_, err = e.Set(fmt.Sprintf("/members[%d]/age", i+1), age)
		require.NoError(t, err)
	}
	require.Equal(t, "2", value("/adults"))
	require.Equal(t, "3", value("/people"))
	n, _ = e.Node("/members[2]/age")
	require.Equal(t, "韦2几岁", n.Label)
	n, _ = e.Node("/members[3]")
	require.Equal(t, "3 · 韦3", n.RepeatLabel)

	require.NoError(t, e.Remove("/data/members[1]"))
	require.Equal(t, "1", value("/adults"))
	require.Equal(t, "韦2", value("/members[1]/name"))

	_, err = e.Set("/members[1]/age", "130")
	require.NoError(t, err)
	n, _ = e.Node("/members[1]/age")
	require.Equal(t, "年龄不对", n.Message)
	_, err = e.Set("/members[1]/age", "x")
	require.NoError(t, err)
	n, _ = e.Node("/members[1]/age")
	require.Equal(t, "answer.type", n.Code)
	require.Equal(t, "x", n.Value, "what was given is kept")

	_, err = e.Set("/town", "a")
	require.NoError(t, err)
	_, err = e.Set("/village", "a1")
	require.NoError(t, err)
	n, _ = e.Node("/village")
	require.Equal(t, []Choice{{Name: "a1", Label: "甲一"}}, n.Choices)
	require.True(t, n.Valid)
	n, _ = e.Node("/sum_note")
	require.Equal(t, "成年人 1 人，住 甲一", n.Label)
	require.True(t, e.SetLanguage("English"))
	n, _ = e.Node("/village")
	require.Equal(t, "A one", n.Choices[0].Label)
	_, err = e.Set("/town", "b")
	require.NoError(t, err)
	n, _ = e.Node("/village")
	require.Equal(t, "answer.choice", n.Code)
}

func TestKnownValuesAreLastTimeAndNeverAnswers(t *testing.T) { // invariant 6
	f := open(t, household)
	known := &Known{
		Values:  map[string]string{"phone": "19900000001"},
		Hidden:  map[string]string{"hh_id": "H"},
		Members: []map[string]string{{"id": "M1", "name": "韦一", "age": "66"}, {"id": "M2", "name": "韦二", "age": "8"}},
	}
	e := f.New(Options{Known: known})
	n, _ := e.Node("/visit/phone")
	require.Equal(t, "", n.Value)
	require.Equal(t, "19900000001", n.Last)
	_, err := e.Set("/visit/outcome", "completed")
	require.NoError(t, err)
	n, _ = e.Node("/members[2]/age")
	require.Equal(t, "", n.Value)
	require.Equal(t, "8", n.Last)
	n, _ = e.Node("/adults")
	require.Equal(t, "0", n.Value, "a last value is not counted")
	_, err = e.ConfirmLast("/members[2]/age")
	require.NoError(t, err)
	require.Equal(t, []Proposed{
		{List: "member", EntityPath: "/data/members[1]", EntityID: "M1", Property: "name", Value: "韦一", Path: "/data/members[1]/name"},
		{List: "member", EntityPath: "/data/members[2]", EntityID: "M2", Property: "name", Value: "韦二", Path: "/data/members[2]/name"},
		{List: "member", EntityPath: "/data/members[2]", EntityID: "M2", Property: "age", Value: "8", Path: "/data/members[2]/age"},
	}, e.Proposal())

	require.NoError(t, e.Remove("/members[1]"))
	again := f.New(Options{Known: known})
	require.Empty(t, again.Restore(e.Answers()))
	require.Equal(t, e.Record(), again.Record())
	n, _ = again.Node("/members[1]/age")
	require.Equal(t, "8", n.Last)
	_, ok := again.Node("/members[2]")
	require.False(t, ok, "a member taken out stays out")
}

func TestRecordHoldsWhatIsRelevant(t *testing.T) {
	e := open(t, household).New(Options{})
	for _, a := range [][2]string{{"/visit/outcome", "absent"}, {"/visit/revisit", "2026-03-09"}, {"/visit/outcome", "completed"}, {"/members[1]/name", "韦一"}, {"/members[1]/age", "40"}} {
		_, err := e.Set(a[0], a[1])
		require.NoError(t, err)
	}
	r := e.Record()
	for _, a := range r.Answers {
		require.NotEqual(t, "revisit", NameOf(a.Path))
	}
	got, err := DecodeRecord(r.Encode())
	require.NoError(t, err)
	require.Equal(t, r, got)
	require.Equal(t, []map[string]any{{"name": "韦一", "age": "40", "adult": "1"}}, r.Nested()["members"])
	_, err = e.Set("/visit/outcome", "absent")
	require.NoError(t, err)
	n, _ := e.Node("/visit/revisit")
	require.Equal(t, "2026-03-09", n.Value, "kept for undo")
}

// TestIncrementalIsTheSameAsFromTheStart answers at random and compares with an
// entry that gets the same answers all at once.
func TestIncrementalIsTheSameAsFromTheStart(t *testing.T) {
	f := open(t, household)
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		e := f.New(Options{})
		for range 40 {
			switch m := rng.IntN(4) + 1; rng.IntN(8) {
			case 0:
				e.Set("/visit/outcome", []string{"completed", "absent", ""}[rng.IntN(3)])
			case 1:
				e.Add("/members")
			case 2:
				e.Remove(fmt.Sprintf("/members[%d]", m))
			case 3:
				e.Set("/town", []string{"a", "b"}[rng.IntN(2)])
			case 4:
				e.Set("/village", []string{"a1", "b1"}[rng.IntN(2)])
			default:
				e.Set(fmt.Sprintf("/members[%d]/age", m), fmt.Sprint(rng.IntN(140)))
			}
		}
		again := f.New(Options{})
		require.Empty(t, again.Restore(e.Answers()), "seed %d", seed)
		for i, n := range again.Nodes() {
			was := e.Nodes()[i]
			if !was.Relevant { // a calculation rests while it is not relevant
				was.Value, n.Value = "", ""
			}
			require.Equal(t, was, n, "seed %d", seed)
		}
	}
}

func TestEveryFaultIsSaidWithItsCell(t *testing.T) {
	for _, test := range []struct{ name, row, code, cell, near string }{
		{"unknown reference", "| | text | b | B | ${househod} > 1 | | |", "form.unknown_reference", "E3", "household"},
		{"unknown function", "| | text | b | B | cuont(${a}) > 1 | | |", "form.unknown_function", "E3", "count"},
		{"wrong arity", "| | text | b | B | selected(${a}) | | |", "form.wrong_arity", "E3", ""},
		{"syntax", "| | text | b | B | (${a} > 1 | | |", "form.syntax", "E3", ""},
		{"ring", "| | calculate | b | B | | ${c} + 1 | |<br>", "form.cycle", "F3", ""},
		{"unknown list", "| | select_one yes_mo | b | B | | | |", "form.unknown_list", "B3", "yes_no"},
		{"label", "| | note | b | ${nobody} | | | |", "form.unknown_reference", "D3", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			row := strings.TrimSuffix(test.row, "<br>")
			md := "| survey | type | name | label | relevant | calculation | constraint |\n| | integer | a | A | | | |\n| | integer | household | A | | | |\n" + row + "\n| | calculate | c | | | ${b} * 2 | |\n| choices | list_name | name | label |\n| | yes_no | yes | Yes |\n| settings | form_id | version |\n| | x | 1 |\n"
			f, report := Open("x.md", []byte(md))
			require.Nil(t, f)
			var p *xlsform.Problem
			for i := range report.Errors {
				if report.Errors[i].Code == test.code {
					p = &report.Errors[i]
				}
			}
			require.NotNil(t, p, "%v", report.Errors)
			require.Equal(t, "survey", p.Sheet)
			require.NotEmpty(t, p.Cell)
			if test.near != "" {
				require.Equal(t, test.near, strings.TrimSuffix(p.Near, "()"))
			}
		})
	}
}

func TestCountedRepeat(t *testing.T) {
	f := open(t, `
| survey | type | name | label | repeat_count | calculation |
| | integer | n | How many | | |
| | begin repeat | r | R | ${n} | |
| | integer | x | X | | |
| | calculate | i | | | position(..) |
| | end repeat | | | | |
| | calculate | total | | | sum(${x}) |
| | calculate | second | | | indexed-repeat(${x}, ${r}, 2) |
| settings | form_id | version |
| | r | 1 |
`)
	e := f.New(Options{Now: func() time.Time { return time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC) }})
	set := func(p, v string) {
		_, err := e.Set(p, v)
		require.NoError(t, err)
	}
	set("n", "3")
	set("r[1]/x", "5")
	set("r[2]/x", "7")
	set("r[3]/x", "1")
	n, _ := e.Node("total")
	require.Equal(t, "13", n.Value)
	n, _ = e.Node("r[3]/i")
	require.Equal(t, "3", n.Value)
	n, _ = e.Node("second")
	require.Equal(t, "7", n.Value)
	set("n", "1")
	n, _ = e.Node("total")
	require.Equal(t, "5", n.Value)
	n, _ = e.Node("second")
	require.Equal(t, "", n.Value)
	set("n", "2")
	n, _ = e.Node("total")
	require.Equal(t, "12", n.Value, "what the count took away came back")
	_, err := e.Add("r")
	require.Error(t, err)
	again := f.New(Options{})
	require.Empty(t, again.Restore(e.Answers()))
	require.Equal(t, e.Record().Nested()["r"], again.Record().Nested()["r"])
}

func FuzzRecord(f *testing.F) {
	f.Add(Record{Form: "a", Version: "1", Answers: []Answer{{Path: "/data/m[2]/x", Type: "text", Value: "1"}}}.Encode())
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(b)
		if err != nil {
			return
		}
		r.Nested()
		again, err := DecodeRecord(r.Encode())
		require.NoError(t, err)
		require.True(t, bytes.Equal(r.Encode(), again.Encode()))
	})
}
