package standards_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ironfeet/forms/standards"
)

var day = time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)

func TestHouseholdsAreReadHoweverTheyAreWritten(t *testing.T) {
	flat := `{"area":"农村","members":[{"id":"1","name":"甲","birth":"1986-05-01","counted":"是","dis_kind":"0","major_ill":"no"}],
	 "has_wage":"yes","has_business":"no","has_property":false,"has_transfer":"no",
	 "incomes":[{"person":"1","kind":"工资","unit":"月","amount":"500.50","times":"12"}],
	 "veh_car_has":"none","houses_count":"1","money_range":"none"}`
	nested := `{"area":"rural","members":[{"name":"甲","birth":"1986-05-01","counted":true,"dis_kind":"0","major_ill":false}],
	 "has_business":false,"has_property":false,"has_transfer":false,
	 "incomes":[{"who":"甲","kind":"wage","unit":"month","amount":500.50,"months":12}],
	 "assets":{"veh_car":{"has":false},"houses":{"count":1},"money":{"range":"无"}}}`
	var texts []string
	short := strings.Replace(nested, `{"veh_car":{"has":false},"houses":{"count":1},"money":{"range":"无"}}`, `{"veh_car":"无","houses":1,"money":0}`, 1)
	require.NotEqual(t, nested, short)
	for _, text := range []string{flat, short, strings.Replace(nested, "无", "none", 1)} {
		h, err := standards.ReadHousehold([]byte(text))
		require.NoError(t, err)
		d := rules(t).Decide(h, day)
		require.Empty(t, d.Missing)
		require.Equal(t, "dibao", d.Category)
		texts = append(texts, d.Yuan)
	}
	// 600 - 500.50 * 90 % = 149.55, rounded up to a yuan.
	require.Equal(t, []string{"150", "150", "150"}, texts)
}

func TestWhatIsNotReadableOfAHousehold(t *testing.T) {
	for _, c := range []struct{ name, text, place, why string }{
		{"no JSON", `{"area":`, "area", "not_json"},
		{"a list", `[]`, "", "not_json"},
		{"something behind the end", `{} {}`, "", "not_json"},
		{"a key twice", `{"area":"rural","area":"urban"}`, "area", "twice"},
		{"a key twice by another name", `{"veh_car_count":1,"assets":{"veh_car":{"count":2}}}`, "assets.veh_car.count", "twice"},
		{"members that are no list", `{"members":{}}`, "members", "no_list"},
		{"a member that is none", `{"members":[1]}`, "members[1]", "bad_value"},
		{"a day written otherwise", `{"members":[{"birth":"1960.1.1"}]}`, "members[1].birth", "no_day"},
		{"scientific notation", `{"incomes":[{"amount":1e300}]}`, "incomes[1].amount", "no_number"},
		{"a number in words", `{"incomes":[{"amount":"三千"}]}`, "incomes[1].amount", "no_number"},
		{"an amount of fifty digits", `{"money_exact":` + strings.Repeat("9", 50) + `}`, "money_exact", "no_number"},
		{"an income of nobody", `{"members":[{"name":"甲"}],"incomes":[{"person":"乙"}]}`, "incomes[1].person", "nobody"},
		{"an id of two", `{"members":[{"id":"1"},{"id":"1"}]}`, "members[2].id", "twice"},
		{"too deep", strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9), "a.a.a.a.a.a", "too_large"},
		{"too many rows", `{"members":[` + strings.Repeat("{},", 200) + `{}]}`, "members", "too_many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := standards.ReadHousehold([]byte(c.text))
			var fault *standards.HouseholdError
			require.ErrorAs(t, err, &fault)
			assert.Equal(t, c.why, fault.Why, err)
			if c.place != "" && c.name != "a key twice by another name" {
				assert.Equal(t, c.place, fault.Place)
			}
			assert.NotEmpty(t, fault.Error())
			assert.Equal(t, "household."+c.why, fault.Code())
		})
	}
	_, err := standards.ReadHousehold(make([]byte, 2<<20))
	require.Error(t, err)
	// Every fault at once.
	_, err = standards.ReadHousehold([]byte(`{"members":[{"birth":"x"},{"birth":"y"}]}`))
	var joined interface{ Unwrap() []error }
	require.True(t, errors.As(err, &joined))
	require.Len(t, joined.Unwrap(), 2)
}

// A household of sixty is no error, and no slower than its size.
func TestAHouseholdOfSixty(t *testing.T) {
	var members []any
	for i := range 60 {
		members = append(members, member(fmt.Sprintf("m%d", i), "1986-05-01"))
	}
	d := rules(t).Decide(household(members, []any{income("m0", "transfer", "year", "431999.99")}), day)
	assert.Equal(t, "dibao", d.Category)
	assert.Equal(t, "1", d.Yuan)
	assert.Len(t, d.Persons, 60)
}

// Amounts beyond any sense are asked back, not decided on.
func TestAmountsBeyondAnySense(t *testing.T) {
	for _, c := range []struct {
		name string
		home record
		want string
	}{
		{"an income of a hundred million", household(adults(1), yearly("100000000")), "incomes 1：收入金额不合常理，请核对"},
		{"a negative income", household(adults(1), yearly("-5")), "incomes 1：收入金额不合常理，请核对"},
		{"an expense of a hundred million", household(adults(1), yearly("1"), "expenses", []any{medical("a", "100000000")}), "expenses 1：支出金额不合常理，请核对"},
		{"negative savings", household(adults(1), yearly("1"), "money_exact", "-1"), "存款金额不合常理，请核对"},
		{"no number", household(adults(1), yearly("很多")), "incomes 1：收入金额不合常理，请核对"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := rules(t).Decide(c.home, day)
			assert.Equal(t, standards.Undecided, d.Category)
			assert.Contains(t, d.Missing, c.want)
		})
	}
}

func TestChecksAskAPersonAndExcludeNobody(t *testing.T) {
	family := adults(2)
	family[1].(record)["residence"] = "prison"
	family = append(family, member("研究生", "2002-01-01", "school", "postgraduate"))
	d := rules(t).Decide(household(family, yearly("100"), "business_has", "some", "business_state", "operating"), day)
	require.Equal(t, "dibao", d.Category, "a company is looked at, it does not exclude by itself")
	var said []string
	for _, c := range d.Checks {
		said = append(said, c.Check+" "+c.Row)
		assert.NotEmpty(t, c.Label)
	}
	assert.Equal(t, []string{"business ", "away_counted b", "postgraduate 研究生"}, said)

	d = rules(t).Decide(household(adults(1), yearly("100"), "business_has", "some", "business_state", "dormant"), day)
	assert.Empty(t, d.Checks)
}

// What a child or an old person may have does not wait for the household's result.
func TestPersonsDoNotWaitForTheHousehold(t *testing.T) {
	h := household([]any{member("g", "1955-01-01"), member("girl", "2016-01-01", "father", "dead", "mother", "deported")}, nil, "has_wage", nil)
	d := rules(t).Decide(h, day)
	require.Equal(t, standards.Undecided, d.Category)
	require.Len(t, d.Persons[1].Offers, 1)
	assert.Equal(t, "child", d.Persons[1].Offers[0].Offer)

	// What depends on the household's category does.
	h = household([]any{member("son", "1991-01-01", "dis_kind", "5", "dis_grade", "3", "job", "none")}, nil, "has_wage", nil)
	assert.Empty(t, rules(t).Decide(h, day).Offers)
}

// Self-care that nobody asked about leaves the level open, not at "alone".
func TestSelfCareNotAsked(t *testing.T) {
	d := rules(t).Decide(household([]any{member("a", "1950-01-01", "support", "none")}, nil), day)
	require.Equal(t, "tekun", d.Category)
	require.Len(t, d.Offers, 1)
	assert.Empty(t, d.Offers[0].Level)
	assert.Equal(t, []string{"a/self_care"}, d.Offers[0].Missing)
}

// A family with one 特困 member: he is kept by himself, the others are decided on
// without him and without his income.
func TestAFamilyWithOnePersonInExtremeHardship(t *testing.T) {
	uncle := member("uncle", "1950-01-01", "support", "none")
	uncle["self_care"] = []any{"none"}
	h := household([]any{uncle, member("a", "1986-05-01"), member("b", "1986-05-01")}, []any{
		income("uncle", "transfer", "year", "1200"), income("a", "transfer", "year", "14399")})
	d := rules(t).Decide(h, day)
	require.Empty(t, d.Missing)
	assert.Equal(t, "dibao 1", d.Category+" "+d.Yuan, "14,399 below 7,200 x 2, without the uncle's 1,200")
	require.NotEmpty(t, d.Persons[0].Offers)
	assert.Equal(t, "tekun", d.Persons[0].Offers[0].Offer)

	stays := rules(t, "| tekun.leaves_household | true", "| tekun.leaves_household | false").Decide(h, day)
	assert.Equal(t, "dibao 501", stays.Category+" "+stays.Yuan, "15,599 below 7,200 x 3")
}

func TestOtherCountiesParameters(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes []string
		home    record
		want    string
	}{
		{"tiers, below a third", []string{"| dibao.method | difference", "| dibao.method | tiers"}, household(adults(3), yearly("7199")), "dibao 1500"},
		{"tiers, exactly a third", []string{"| dibao.method | difference", "| dibao.method | tiers"}, household(adults(3), yearly("7200")), "dibao 1050"},
		{"tiers, exactly two thirds", []string{"| dibao.method | difference", "| dibao.method | tiers"}, household(adults(3), yearly("14400")), "dibao 600"},
		{"an income window of six months", []string{"| income.window_months | 12", "| income.window_months | 6"}, household(adults(3), yearly("10800")), "edge 0"},
		{"living costs as they are", []string{"| rigid.living_mode | deemed", "| rigid.living_mode | actual"},
			household(adults(4), yearly("48000"), "expenses", []any{medical("a", "12000")}), "none 0"},
		{"the ratio to the income after illness", []string{"| rigid.denominator | gross", "| rigid.denominator | net"},
			household([]any{member("a", "1986-05-01", "major_ill", "yes"), member("b", "1986-05-01"), member("c", "1986-05-01"), member("d", "1986-05-01")},
				[]any{income("b", "transfer", "year", "55200")}, "expenses", []any{medical("a", "12000")}), "rigid 0"},
		{"work costs of a fifth", []string{"| income.work_cost_pct | 10", "| income.work_cost_pct | 20"}, household(adults(1), []any{income("a", "wage", "month", "700")}), "dibao 40"},
		{"the edge line at two", []string{"| edge.multiple | 1.5", "| edge.multiple | 2"}, household(adults(2), yearly("21600")), "edge 0"},
		{"tiers by county: the standard", []string{"| std.dibao.month | | 600", "| std.dibao.month | | 500"}, household(adults(2), yearly("0")), "dibao 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := rules(t, c.changes...).Decide(c.home, day)
			assert.Equal(t, c.want, d.Category+" "+d.Yuan, "%+v %v", d.Facts, d.Missing)
		})
	}
}

func FuzzReadHousehold(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(examples), "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal("no examples", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"members":[{"supporters":[{}]}],"incomes":[{"kind":"wage","amount":"-0.0"}]}`))
	rs := rules(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := standards.ReadHousehold(data)
		if err != nil {
			return
		}
		if d := rs.Decide(h, day); d.Category == "" || d.Amount < 0 {
			t.Fatalf("%+v", d)
		}
	})
}

// What 57号 Art. 13 leaves out of income counts nothing, whatever was ticked.
func TestIncomesThatDoNotCount(t *testing.T) {
	for _, sub := range []string{"veteran", "family_planning", "scholarship", "bravery", "assistance", "border_subsidy"} {
		d := rules(t).Decide(household(adults(1), []any{income("a", "transfer", "year", "5000", "sub", sub)}), day)
		assert.Equal(t, "dibao 600", d.Category+" "+d.Yuan, sub)
	}
	for _, sub := range []string{"elder_subsidy", "pension", "support", "other"} {
		d := rules(t).Decide(household(adults(1), []any{income("a", "transfer", "year", "1200", "sub", sub)}), day)
		assert.Equal(t, "dibao 500", d.Category+" "+d.Yuan, sub)
	}
	// 特困 leaves out more (43号 Art. 6): the same old man with medical benefits.
	h := lonely("100")
	h["incomes"] = []any{income("a", "transfer", "year", "9000", "sub", "medical_insurance")}
	assert.Equal(t, "tekun", rules(t).Decide(h, day).Category)
}
