package standards_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ironfeet/forms/standards"
)

const workbook = "../../assets/yunqi/standards/云栖县标准.md"

// rules reads the sample standards, with replacements in its text: another
// county's parameters.
func rules(t testing.TB, changes ...string) *standards.RuleSet {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(workbook))
	require.NoError(t, err)
	text := string(data)
	for i := 0; i < len(changes); i += 2 {
		require.Contains(t, text, changes[i])
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	rs, report := standards.Read("云栖县标准.md", []byte(text))
	require.Empty(t, report.Errors)
	require.Empty(t, report.Warnings)
	return rs
}

type record = map[string]any

// adult is an ordinary counted member, changed as told.
func member(id, birth string, with ...string) record {
	return row(record{"id": id, "name": id, "birth": birth, "counted": "yes", "dis_kind": "0", "major_ill": "no", "job": "casual", "support": "able",
		"father": "ok", "mother": "ok"}, with)
}

func row(r record, with []string) record {
	for i := 0; i < len(with); i += 2 {
		if with[i+1] == "" {
			delete(r, with[i])
		} else {
			r[with[i]] = with[i+1]
		}
	}
	return r
}

func adults(n int) []any {
	var list []any
	for i := range n {
		list = append(list, member(string(rune('a'+i)), "1986-05-01"))
	}
	return list
}

func income(person, kind, unit, amount string, with ...string) record {
	r := record{"person": person, "kind": kind, "unit": unit, "amount": amount, "counts": "yes"}
	if unit == "month" {
		r["times"] = "12"
	}
	if kind == "business" {
		r["cost"] = "0"
	}
	return row(r, with)
}

func medical(person, self string) record {
	return record{"spender": person, "spend": "medical", "self_paid": self, "designated": "yes"}
}

// household has no assets, and answers the four kinds of income by its rows.
func household(members []any, incomes []any, with ...any) record {
	h := record{"area": "rural", "members": members, "incomes": incomes, "expenses": []any{},
		"veh_car_has": "none", "houses_count": "1", "houses_area": "90", "money_range": "none", "business_has": "no"}
	for _, kind := range []string{"wage", "business", "property", "transfer"} {
		h["has_"+kind] = "no"
		for _, i := range incomes {
			if i.(record)["kind"] == kind {
				h["has_"+kind] = "yes"
			}
		}
	}
	for i := 0; i < len(with); i += 2 {
		if with[i+1] == nil {
			delete(h, with[i].(string))
		} else {
			h[with[i].(string)] = with[i+1]
		}
	}
	return h
}

func yearly(amount string) []any { return []any{income("a", "transfer", "year", amount)} }

// TestWorkedExamples are the examples of domain.md §3.9.
func TestWorkedExamples(t *testing.T) {
	elders := []any{member("a", "1960-01-01"), member("b", "1962-12-01")}
	eldersIncome := []any{
		income("a", "transfer", "month", "200", "sub", "support"),
		income("a", "transfer", "month", "180", "sub", "basic_pension"), income("b", "transfer", "month", "180", "sub", "basic_pension"),
		income("a", "business", "year", "5000", "cost", "800"),
	}
	uraemia := func() record {
		return household([]any{member("a", "1986-05-01"), member("b", "1987-05-01", "major_ill", "yes"), member("c", "2012-01-01")},
			[]any{income("a", "wage", "month", "2400"), income("a", "business", "year", "3000")}, "expenses", []any{medical("b", "12000")})
	}
	alone := func(self ...string) record {
		return household([]any{row(member("a", "1954-02-01", "support", "none"), nil)}, []any{
			income("a", "transfer", "month", "143", "sub", "basic_pension"), income("a", "transfer", "month", "50", "sub", "elder_subsidy"),
			income("a", "property", "year", "1200"),
		}, "self", self)
	}
	careless := func(self ...any) record {
		h := alone()
		h["members"].([]any)[0].(record)["self_care"] = self
		return h
	}
	child := func(since string) record {
		return household([]any{member("grandmother", "1955-01-01"), member("girl", "2016-01-01", "father", "dead", "mother", "lost", "mother_since", since)}, nil)
	}
	above := []string{"| edge.require_above_dibao | false", "| edge.require_above_dibao | true"}
	withCar := household(adults(4), yearly("24000"), "veh_car_has", "some", "veh_car_count", "1", "veh_car_value", "45000")

	for _, c := range []struct {
		name     string
		changes  []string
		home     record
		category string
		yuan     string
		offers   []string
	}{
		{name: "1 couple of elders", home: household(elders, eldersIncome), category: "dibao", yuan: "576"},
		{name: "2 basic pension counts", changes: []string{"| income.exclude_basic_pension | true", "| income.exclude_basic_pension | false"},
			home: household(elders, eldersIncome), category: "dibao", yuan: "290"},
		{name: "3 exactly the standard", home: household(adults(3), yearly("21600")), category: "edge", yuan: "0"},
		{name: "4 exactly one and a half", home: household(adults(2), yearly("21600")), category: "none", yuan: "0"},
		{name: "5 grade-3 intellectual in an edge family",
			home:     household([]any{member("a", "1960-06-01"), member("b", "1961-01-01"), member("son", "1991-01-01", "dis_kind", "5", "dis_grade", "3")}, yearly("27000")),
			category: "edge", yuan: "0", offers: []string{"single son 600"}},
		{name: "6 jobless grade-2 son", home: household([]any{member("a", "1968-01-01"), member("b", "1970-01-01"),
			member("son", "1996-01-01", "dis_kind", "4", "dis_grade", "2", "job", "none")}, yearly("39600")),
			category: "none", yuan: "0", offers: []string{"single son 600"}},
		{name: "7 a car", home: withCar, category: "edge", yuan: "0"},
		{name: "7b edge must lie above", changes: above, home: withCar, category: "rigid", yuan: "0"},
		{name: "8 medical bills", home: household(adults(4), yearly("48000"), "expenses", []any{medical("a", "12000")}), category: "rigid", yuan: "0"},
		{name: "9 exactly the ratio", home: household(adults(4), yearly("48000"), "expenses", []any{medical("a", "9600")}), category: "none", yuan: "0"},
		{name: "10 exactly the average income", home: household(adults(2), yearly("38400"), "expenses", []any{medical("a", "22000")}), category: "none", yuan: "0"},
		{name: "11 private kindergarten", home: household(adults(3), yearly("34200"), "expenses",
			[]any{record{"spender": "c", "spend": "education", "self_paid": "14400", "public_rate": "4800"}}), category: "none", yuan: "0"},
		{name: "12 uraemia", home: uraemia(), category: "dibao", yuan: "390"},
		{name: "12b without the deduction", changes: []string{"| income.deduct_illness | true", "| income.deduct_illness | false"},
			home: uraemia(), category: "edge", yuan: "0", offers: []string{"single b 600"}},
		{name: "13 alone at 72, half care", home: careless("dress", "walk", "wash"), category: "tekun", yuan: "780", offers: []string{"tekun a 780 半护理", "care a 450 半护理"}},
		{name: "13b full care", home: careless("dress", "walk", "wash", "eat"), category: "tekun", yuan: "780", offers: []string{"tekun a 780 全护理", "care a 900 全护理"}},
		{name: "14 only son in prison", home: household([]any{member("a", "1958-01-01", "support", "unable", "self_care", "none")}, nil), category: "tekun", yuan: "780",
			offers: []string{"tekun a 780 全自理", "care a 90 全自理"}},
		{name: "14b a working daughter", home: household([]any{member("a", "1958-01-01")}, []any{income("a", "transfer", "month", "300")}), category: "dibao", yuan: "300"},
		{name: "15 man of 59", home: household([]any{member("a", "1967-02-01", "support", "none")}, []any{income("a", "transfer", "month", "200")}),
			category: "dibao", yuan: "400", offers: []string{"retest60 a 0 until 2027-02-01"}},
		{name: "16 mother out of reach for eight months", home: child("2025-07-01"), category: "dibao", yuan: "1200", offers: []string{"child girl 0 until 2034-01-01"}},
		{name: "16b five months", home: child("2025-10-10"), category: "dibao", yuan: "1200", offers: []string{"child_mother_watch girl 0 until 2026-04-10"}},
		{name: "17 turned 18", home: household([]any{member("g", "1955-01-01"), member("x", "2008-03-01", "child_aid", "yes", "school", "none")}, yearly("14400")),
			category: "edge", yuan: "0", offers: []string{"child_end x 0 until 2026-03-01"}},
		{name: "17b six months' transition", changes: []string{"| transition.child_months | 0", "| transition.child_months | 6"},
			home:     household([]any{member("g", "1955-01-01"), member("x", "2008-03-01", "child_aid", "yes", "school", "none")}, yearly("14400")),
			category: "edge", yuan: "0", offers: []string{"child_end x 0 until 2026-09-01"}},
		{name: "18 son hired", home: household(adults(3), yearly("28080"), "current_aid", "dibao"), category: "edge", yuan: "0"},
		{name: "19 who counts", home: household([]any{member("father", "1975-01-01"), member("mother", "1976-01-01"), member("son", "2005-09-01"),
			member("daughter", "2001-09-01", "counted", "no"), member("grandmother", "1950-01-01"),
			member("uncle", "1980-01-01", "counted", "no"), member("lodger", "1981-01-01", "counted", "no")}, yearly("24000")), category: "dibao", yuan: "400"},
		{name: "20 a yuan below", home: household(adults(3), yearly("21599")), category: "dibao", yuan: "1"},
		{name: "21 urban", home: household(adults(3), yearly("36000"), "area", "urban"), category: "edge", yuan: "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := rules(t, c.changes...).Decide(c.home, time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC))
			require.Empty(t, d.Missing)
			assert.Equal(t, c.category, d.Category, "%+v", d.Facts)
			assert.Equal(t, c.yuan, d.Amount.String())
			var offers []string
			for _, o := range d.Offers {
				s := strings.TrimSpace(o.Offer + " " + o.Row + " " + o.Amount.String() + " " + o.Level)
				if o.Until != "" {
					s += " until " + o.Until
				}
				offers = append(offers, s)
			}
			assert.Equal(t, c.offers, offers)
			if strings.HasPrefix(c.name, "18") {
				assert.Equal(t, &standards.Grace{Category: "dibao", Label: "低保", Until: "2026-09-10"}, d.Grace)
			}
			if c.category == "rigid" {
				assert.Equal(t, "2027-03-10", d.ValidUntil)
			}
			assert.NotEmpty(t, d.Steps)
		})
	}
}

func TestMissing(t *testing.T) {
	on := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		home record
		want []string
	}{
		{"22 wages left blank", household(adults(3), yearly("1000"), "has_wage", nil), []string{"工资性收入未填"}},
		{"wages unknown", household(adults(3), yearly("1000"), "has_wage", "unknown"), []string{"工资性收入未填"}},
		{"wages without a row", household(adults(3), nil, "has_wage", "yes"), []string{"工资性收入未填"}},
		{"an amount left blank", household(adults(3), []any{income("a", "wage", "month", "")}), []string{"incomes 1：收入金额不全"}},
		{"a birth left blank", household([]any{member("韦小云", "")}, nil), []string{"韦小云：出生日期未填", "韦小云：残疾情况未填", "韦小云：赡养抚养义务人情况未填"}[:1]},
		{"no members", household(nil, nil), []string{"家庭成员未填"}},
		{"savings refused", household(adults(1), nil, "money_range", "refused"), []string{"存款和理财未填"}},
		{"a range that straddles the limit", household(adults(1), nil, "money_range", "r2"), []string{"存款和理财的确切数额"}},
		{"nothing at all", record{}, []string{"住房未填", "存款和理财未填", "家庭成员未填", "小汽车未填", "工资性收入未填", "户类型（农村、城镇）未填", "经营净收入未填", "财产净收入未填", "转移净收入未填"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := rules(t).Decide(c.home, on)
			assert.Equal(t, standards.Undecided, d.Category)
			assert.Zero(t, d.Amount)
			slices.Sort(c.want)
			assert.Subset(t, d.Missing, c.want)
			if c.name[0] == '2' {
				assert.Equal(t, c.want, d.Missing)
			}
		})
	}
	// A blank that changes nothing stands in nobody's way: above every limit
	// whatever the car is worth.
	d := rules(t).Decide(household(adults(1), yearly("90000"), "veh_car_has", "some", "veh_car_count", "1"), on)
	assert.Equal(t, "none", d.Category)
}

func TestNearLimitAndTrace(t *testing.T) {
	d := rules(t).Decide(household(adults(3), yearly("21599")), time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC))
	assert.True(t, d.Near)
	var found bool
	for _, s := range d.Steps {
		if s.Rule == "低保" && s.Op == "<" {
			found = true
			assert.Equal(t, "低保: ${Y} < ${S} * ${n}: 21599 < 21600 → true (near)", s.String())
		}
	}
	assert.True(t, found)
}

func TestReadTellsEveryProblem(t *testing.T) {
	data, err := os.ReadFile(filepath.FromSlash(workbook))
	require.NoError(t, err)
	for _, c := range []struct{ from, to, code, place string }{
		{"${Y} < ${S} * ${n} and", "${Y} < ${SS} * ${n} and", "standards.unknown_reference", "categories!C4"},
		{"| edge.multiple | 1.5", "| edge.multiple | ", "standards.no_value", "parameters!B3"},
		{"| edge.multiple | 1.5", "| std.dibao.month | 1.5", "standards.twice", "parameters!A3"},
		{"count(members) > 0", "count(members > 0", "standards.formula", "required!C3"},
		{"count(members) > 0", "counter(members) > 0", "standards.formula", "required!C3"},
		{"| valid_from | 2026-01-01", "| valid_from | 1.1.2026", "standards.bad_date", "settings!B5"},
		{"## categories", "## kategorien", "standards.no_sheet", "categories"},
		{"| members | age |", "| member | age |", "standards.unknown_list", "rows!A10"},
	} {
		t.Run(c.code+" "+c.place, func(t *testing.T) {
			require.Contains(t, string(data), c.from)
			rs, report := standards.Read("x.md", []byte(strings.Replace(string(data), c.from, c.to, 1)))
			assert.Nil(t, rs)
			var places []string
			for _, p := range report.Errors {
				places = append(places, p.Code+" "+p.Place())
				assert.NotEmpty(t, p.Message)
				assert.NotEmpty(t, p.Hint)
			}
			assert.Contains(t, places, c.code+" "+c.place)
		})
	}
}

func FuzzRead(f *testing.F) {
	data, err := os.ReadFile(filepath.FromSlash(workbook))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data))
	f.Add("## settings\n| name | value |\n| version | 1 |\n| valid_from | 2026-01-01 |\n## parameters\n| name | value |\n| p | 1 |\n## facts\n| name | formula |\n| x | 1 div 0 |\n## categories\n| category | condition |\n| a | ${x} > ${p} |\n")
	f.Fuzz(func(t *testing.T, text string) {
		rs, report := standards.Read("x.md", []byte(text))
		if (rs == nil) == report.OK() {
			t.Fatal("a rule set with errors, or none without")
		}
		if rs != nil {
			d := rs.Decide(household(adults(2), yearly("100")), time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC))
			if d.Category == "" {
				t.Fatal("no category")
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	rs := rules(b)
	home := household(adults(4), yearly("48000"), "expenses", []any{medical("a", "12000")})
	on := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		rs.Decide(home, on)
	}
}
