package standards_test

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ironfeet/forms/standards"
)

// The reference is domain.md §3.8 once more, in plain Go over big.Rat, written from
// the pseudo-rules and sharing no code with the workbook's evaluation.
type homeModel struct {
	urban                           bool
	members                         int // all adults of working age, counted
	ill                             bool
	wage, farm, cost, rent, support *big.Rat // a year
	pension                         *big.Rat // basic pension a month, 12 months
	border                          *big.Rat // border subsidy a year, not counted
	medical, school, public         *big.Rat
	money                           *big.Rat
	car                             *big.Rat // nil: none
	houses                          int64
	area                            *big.Rat
}

func rat(n int64, d ...int64) *big.Rat {
	if len(d) > 0 {
		return big.NewRat(n, d[0])
	}
	return new(big.Rat).SetInt64(n)
}

func sumOf(list ...*big.Rat) *big.Rat {
	out := new(big.Rat)
	for _, r := range list {
		out.Add(out, r)
	}
	return out
}

func prod(list ...*big.Rat) *big.Rat {
	out := rat(1)
	for _, r := range list {
		out.Mul(out, r)
	}
	return out
}

func least(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func most(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// decide says the category and the amount in fen.
func (h homeModel) decide() (string, int64) {
	month, disposable := rat(600), rat(19200)
	if h.urban {
		month, disposable = rat(850), rat(39600)
	}
	n := rat(int64(h.members))
	S := prod(month, rat(12))
	line := prod(S, n)

	G := sumOf(
		prod(h.wage, rat(90, 100)),
		new(big.Rat).Sub(h.farm, h.cost),
		h.rent, h.support,
		most(rat(0), new(big.Rat).Sub(prod(h.pension, rat(12)), rat(143*12))),
	)
	deduction := rat(0)
	if h.ill {
		deduction = least(h.medical, rat(12000))
	}
	Y := most(rat(0), new(big.Rat).Sub(G, deduction))
	R := sumOf(line, h.medical, least(h.school, h.public))

	assets := func(perHead, car int64, houses int64) bool {
		if h.money.Cmp(prod(rat(perHead), S, n)) > 0 {
			return false
		}
		if h.car != nil && (car == 0 || h.car.Cmp(prod(rat(car), S)) > 0) {
			return false
		}
		if houses == 1 {
			return h.houses <= 1
		}
		return h.houses <= 1 || h.houses <= 2 && h.area.Cmp(prod(rat(30), n)) <= 0
	}
	switch {
	case Y.Cmp(line) < 0 && assets(2, 0, 1):
		monthly := new(big.Rat).Quo(new(big.Rat).Sub(line, Y), rat(12))
		whole, rest := new(big.Int).QuoRem(monthly.Num(), monthly.Denom(), new(big.Int))
		if rest.Sign() > 0 {
			whole.Add(whole, big.NewInt(1))
		}
		return "dibao", whole.Int64() * 100
	case prod(rat(2), Y).Cmp(prod(rat(3), line)) < 0 && assets(3, 8, 1):
		return "edge", 0
	case G.Cmp(prod(disposable, n)) < 0 && assets(4, 12, 2) && (G.Sign() <= 0 || R.Cmp(prod(rat(8, 10), G)) > 0):
		return "rigid", 0
	}
	return "none", 0
}

func yuan(r *big.Rat) string { return r.FloatString(2) }

func (h homeModel) record() record {
	list := adults(h.members)
	if h.ill {
		list[0].(record)["major_ill"] = "yes"
	}
	rec := household(list, []any{
		income("a", "wage", "year", yuan(h.wage)),
		income("a", "business", "year", yuan(h.farm), "cost", yuan(h.cost)),
		income("a", "property", "year", yuan(h.rent)),
		income("a", "transfer", "year", yuan(h.support), "sub", "support"),
		income("a", "transfer", "month", yuan(h.pension), "sub", "basic_pension"),
		income("a", "transfer", "year", yuan(h.border), "sub", "border_subsidy"),
	}, "expenses", []any{medical("a", yuan(h.medical)),
		record{"spender": "a", "spend": "education", "self_paid": yuan(h.school), "public_rate": yuan(h.public)}},
		"money_exact", yuan(h.money), "houses_count", fmt.Sprint(h.houses), "houses_area", yuan(h.area))
	if h.urban {
		rec["area"] = "urban"
	}
	if h.car != nil {
		rec["veh_car_has"], rec["veh_car_count"], rec["veh_car_value"] = "some", "1", yuan(h.car)
	}
	return rec
}

func TestTheRulesAgreeWithAReferenceInPlainGo(t *testing.T) {
	rs := rules(t)
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		// Amounts cluster at the limits, where a category turns.
		members := rapid.IntRange(1, 6).Draw(t, "members")
		limits := []int64{0, 600, 850, 7200, 10200, 10800, 14400, 19200, 12000, 1716}
		fen := func(name string) *big.Rat {
			return rapid.OneOf(
				rapid.Map(rapid.Int64Range(0, 5_000_000), func(f int64) *big.Rat { return rat(f, 100) }),
				rapid.Custom(func(t *rapid.T) *big.Rat {
					l := rapid.SampledFrom(limits).Draw(t, "limit") * int64(rapid.SampledFrom([]int{1, members}).Draw(t, "times"))
					return most(rat(0), sumOf(rat(l), rat(rapid.Int64Range(-2, 2).Draw(t, "off"), 100)))
				}),
				rapid.Just(rat(0)),
			).Draw(t, name)
		}
		h := homeModel{
			urban: rapid.Bool().Draw(t, "urban"), members: members, ill: rapid.Bool().Draw(t, "ill"),
			wage: fen("wage"), farm: fen("farm"), cost: fen("cost"), rent: fen("rent"), support: fen("support"),
			pension: rapid.Map(rapid.Int64Range(0, 30000), func(f int64) *big.Rat { return rat(f, 100) }).Draw(t, "pension"), border: fen("border"),
			medical: fen("medical"), school: fen("school"), public: fen("public"),
			money:  rapid.SampledFrom([]*big.Rat{rat(0), rat(14400 * int64(members)), rat(14400*int64(members)*100+1, 100), rat(90000)}).Draw(t, "money"),
			car:    rapid.SampledFrom([]*big.Rat{nil, nil, rat(57600), rat(5760001, 100), rat(86400), rat(200000)}).Draw(t, "car"),
			houses: rapid.Int64Range(0, 3).Draw(t, "houses"), area: rapid.SampledFrom([]*big.Rat{rat(30 * int64(members)), rat(3001*int64(members), 100), rat(20)}).Draw(t, "area"),
		}
		want, amount := h.decide()
		d := rs.Outcome(h.record(), day)
		seen[want]++
		if d.Category != want || int64(d.Amount) != amount {
			t.Fatalf("%s %d, the reference says %s %d: %+v; missing %v", d.Category, d.Amount, want, amount, d.Facts, d.Missing)
		}
	})
	assert.Len(t, seen, 4, "every category must occur: %v", seen)
}

// TestEveryComparisonAtItsLimit stands on, a fen below and a fen above each limit
// of §3.8: "below" is strictly below, "exceeds" strictly above.
func TestEveryComparisonAtItsLimit(t *testing.T) {
	rs := rules(t)
	above := rules(t, "| edge.require_above_dibao | false", "| edge.require_above_dibao | true")
	y := func(yearly string, with ...any) record {
		return household(adults(2), []any{income("a", "transfer", "year", yearly)}, with...)
	}
	car := func(value, yearly string) record {
		return y(yearly, "veh_car_has", "some", "veh_car_count", "1", "veh_car_value", value)
	}
	bills := func(self, yearly string) record { return y(yearly, "expenses", []any{medical("a", self)}) }
	old := func(birth string) record {
		return household([]any{member("a", birth, "support", "none", "self_care", "none")}, []any{income("a", "transfer", "year", "7199.99")})
	}
	child := func(since string) record {
		return household([]any{member("g", "1956-01-01"), member("c", "2016-01-01", "father", "dead", "mother", "prison", "mother_since", since)}, nil)
	}
	for _, c := range []struct {
		name            string
		rs              *standards.RuleSet
		below, at, over record
		wants           string // three results
	}{
		{"Y < S*n", rs, y("14399.99"), y("14400"), y("14400.01"), "dibao edge edge"},
		{"2Y < 3Sn", rs, y("21599.99"), y("21600"), y("21600.01"), "edge none none"},
		{"Y >= S*n where edge must lie above", above, car("45000", "14399.99"), car("45000", "14400"), car("45000", "14400.01"), "rigid edge edge"},
		{"G < disposable income * n", rs, bills("30000", "38399.99"), bills("30000", "38400"), bills("30000", "38400.01"), "rigid none none"},
		{"R > ratio * G", rs, bills("5599.99", "25000"), bills("5600", "25000"), bills("5600.01", "25000"), "none none rigid"},
		{"money, 低保", rs, y("100", "money_exact", "28799.99"), y("100", "money_exact", "28800"), y("100", "money_exact", "28800.01"), "dibao dibao edge"},
		{"money, 边缘", rs, y("100", "money_exact", "43199.99"), y("100", "money_exact", "43200"), y("100", "money_exact", "43200.01"), "edge edge rigid"},
		{"money, 刚性", rs, y("100", "money_exact", "57599.99"), y("100", "money_exact", "57600"), y("100", "money_exact", "57600.01"), "rigid rigid none"},
		{"a car, 边缘", rs, car("57599.99", "100"), car("57600", "100"), car("57600.01", "100"), "edge edge rigid"},
		{"a car, 刚性", rs, car("86399.99", "100"), car("86400", "100"), car("86400.01", "100"), "rigid rigid none"},
		{"houses, 低保 and 边缘", rs, y("100", "houses_count", "0"), y("100", "houses_count", "1"), y("100", "houses_count", "2", "houses_area", "60"), "dibao dibao rigid"},
		{"area of a second house", rs, y("100", "houses_count", "2", "houses_area", "59.9"), y("100", "houses_count", "2", "houses_area", "60"), y("100", "houses_count", "2", "houses_area", "60.1"), "rigid rigid none"},
		{"sixty years", rs, old("1966-03-11"), old("1966-03-10"), old("1966-03-09"), "dibao tekun tekun"},
		{"six months away", rs, child("2025-09-11"), child("2025-09-10"), child("2025-09-09"), "watch child child"},
		{"eighteen years", rs,
			household([]any{member("g", "1956-01-01"), member("c", "2008-03-11", "father", "dead", "mother", "deported")}, nil),
			household([]any{member("g", "1956-01-01"), member("c", "2008-03-10", "father", "dead", "mother", "deported")}, nil),
			household([]any{member("g", "1956-01-01"), member("c", "2008-03-09", "father", "dead", "mother", "deported")}, nil), "child dibao dibao"},
		{"three things one cannot do, and four", rs, careless("eat", "dress"), careless("eat", "dress", "bed"), careless("eat", "dress", "bed", "wash"), "半护理 半护理 全护理"},
		{"nothing and one", rs, careless("none"), careless("eat"), careless("eat", "wash"), "全自理 半护理 半护理"},
		{"own income of 特困", rs, lonely("7199.99"), lonely("7200"), lonely("7200.01"), "tekun edge edge"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, h := range []record{c.below, c.at, c.over} {
				d := c.rs.Decide(h, day)
				result := d.Category
				for _, o := range d.Offers {
					switch {
					case o.Offer == "tekun" && strings.Contains(c.wants, "护理"):
						result = o.Level
					case o.Offer == "child" && strings.Contains(c.wants, "child"):
						result = "child"
					case strings.HasSuffix(o.Offer, "_watch") && strings.Contains(c.wants, "watch"):
						result = "watch"
					}
				}
				got = append(got, result)
			}
			assert.Equal(t, c.wants, strings.Join(got, " "))
		})
	}
}

func careless(self ...string) record {
	var list []any
	for _, s := range self {
		list = append(list, s)
	}
	h := lonely("100")
	h["members"].([]any)[0].(record)["self_care"] = list
	return h
}

func lonely(yearly string) record {
	m := member("a", "1950-01-01", "support", "none")
	m["self_care"] = []any{"none"}
	return household([]any{m}, []any{income("a", "transfer", "year", yearly)})
}

// benchHomes are households like those of a county, each a little different.
func benchHomes(n int) []standards.Home {
	var out []standards.Home
	for i := range n {
		h := homeModel{members: 1 + i%5, ill: i%7 == 0, wage: rat(int64(i%90000), 1), farm: rat(int64(i % 5000)), cost: rat(int64(i % 900)), rent: rat(int64(i % 300)), support: rat(int64(i % 4000)),
			pension: rat(int64(i % 250)), border: rat(0), medical: rat(int64(i % 20000)), school: rat(int64(i % 3000)), public: rat(2000), money: rat(int64(i % 50000)), houses: 1, area: rat(90)}
		if i%9 == 0 {
			h.car = rat(45000)
		}
		out = append(out, standards.Home{Key: fmt.Sprint(i), Record: h.record(), On: day})
	}
	return out
}

// BenchmarkDecideOneOfMany is one household of such a county, with its trace.
func BenchmarkDecideOneOfMany(b *testing.B) {
	rs, homes := rules(b), benchHomes(500)
	i := 0
	for b.Loop() {
		rs.Decide(homes[i%len(homes)].Record, day)
		i++
	}
}

// BenchmarkDetermine100000Households is a county's whole determination, with every
// comparison written down; reference is the ratio to the same arithmetic in straight
// Go over big.Rat, whatif what the draft of new standards costs beside it.
func BenchmarkDetermine100000Households(b *testing.B) {
	const all, some = 10_000, 2_000 // a tenth of them, five times over; the figures are for 100,000
	rs, draft := rules(b), rules(b, "| std.dibao.month | | 600", "| std.dibao.month | | 650")
	homes := benchHomes(some)
	var ours, reference, whatif, oursCPU, referenceCPU, whatifCPU time.Duration
	measure := func(wall, used *time.Duration, do func()) {
		start, before := time.Now(), cpu()
		do()
		*wall += time.Since(start)
		*used += cpu() - before
	}
	h := homeModel{members: 4, wage: rat(30000), farm: rat(3000), cost: rat(100), rent: rat(0), support: rat(0), pension: rat(200), medical: rat(12000), school: rat(0), public: rat(0), money: rat(100), houses: 1, area: rat(90)}
	for b.Loop() {
		measure(&ours, &oursCPU, func() {
			for range all / some {
				standards.DecideAll(rs, homes, func(int, standards.Decision) {})
			}
		})
		measure(&whatif, &whatifCPU, func() {
			for range all / some {
				standards.WhatIf(func(standards.Home) *standards.RuleSet { return rs }, draft, homes)
			}
		})
		measure(&reference, &referenceCPU, func() {
			for range all {
				h.decide()
			}
		})
	}
	tenfold := func(d time.Duration) float64 { return 10 * d.Seconds() / float64(b.N) }
	b.ReportMetric(tenfold(ours), "s/100000")
	b.ReportMetric(tenfold(oursCPU), "cpu-s/100000")
	b.ReportMetric(tenfold(whatif), "s/whatif100000")
	b.ReportMetric(tenfold(whatifCPU), "cpu-s/whatif100000")
	b.ReportMetric(float64(oursCPU)/float64(max(referenceCPU, 1)), "x-reference")
}

// TestWhatIfSaysWhatTwoDecisionsSay: whatever a draft changes, taking over what stays
// the same gives what two whole decisions give.
func TestWhatIfSaysWhatTwoDecisionsSay(t *testing.T) {
	today := rules(t)
	homes := benchHomes(120)
	for _, file := range []string{"05-grade-3-intellectual", "13-alone-at-72", "16-de-facto-unattended", "22-wages-blank", "18-son-hired", "03-exactly-the-standard"} {
		data, err := os.ReadFile(filepath.Join(filepath.FromSlash(examples), file+".json"))
		require.NoError(t, err)
		home, err := standards.ReadHousehold(data)
		require.NoError(t, err)
		homes = append(homes, standards.Home{Key: file, Record: home, On: day})
	}
	drafts := map[string][]string{
		"nothing":                      nil,
		"the standard":                 {"| std.dibao.month | | 600", "| std.dibao.month | | 700"},
		"a parameter of rows":          {"| income.work_cost_pct | 10", "| income.work_cost_pct | 50"},
		"a row another row is made of": {"| members | no_labour | age >= 60", "| members | no_labour | age >= 80"},
		"a fact":                       {"| Y | 计入的家庭年收入 | max(0, ${G} - ${deduction})", "| Y | 计入的家庭年收入 | max(0, ${G} - 2 * ${deduction})"},
		"a category":                   {"${Y} < ${S} * ${n} and ${assets_dibao}", "${Y} <= ${S} * ${n} and ${assets_dibao}"},
		"a row more":                   {"| members | age |", "| members | old | true() | 新 | |\n| members | age |"},
		"months of children":           {"| child.away_months | 6", "| child.away_months | 12"},
		"the window":                   {"| income.window_months | 12", "| income.window_months | 6"},
	}
	for name, change := range drafts {
		t.Run(name, func(t *testing.T) {
			draft := rules(t, change...)
			effects := standards.WhatIf(func(standards.Home) *standards.RuleSet { return today }, draft, homes)
			got := map[string]standards.Effect{}
			for _, e := range effects.Changed {
				got[e.Key] = e
			}
			changed := 0
			for _, h := range homes {
				a, b := today.Outcome(h.Record, h.On), draft.Outcome(h.Record, h.On)
				e, ok := got[h.Key]
				if a.Category != b.Category || a.Amount != b.Amount {
					changed++
					require.True(t, ok, h.Key)
				}
				if ok {
					require.Equal(t, []any{a.Category, a.Amount, b.Category, b.Amount}, []any{e.Before, e.BeforeAmount, e.After, e.AfterAmount}, h.Key)
				}
			}
			require.Equal(t, change == nil || name == "a row more", changed == 0 && len(effects.Changed) == 0, "%d changed", changed)
		})
	}
}
