package present

import (
	"math/big"
	"strings"

	"ironfeet/app/casework/visit"
	"ironfeet/forms"
)

// An amount is read back at once, so that a slip of a digit is heard (domain.md §7
// (9)): “2,400 元 · 一年约 28,800 元（二万八千八百元）”. What it is per, stands in the
// question's own words (每月) or in questions beside it, called unit, times and price
// as in the sample's 入户核查.

// perYear is how often a period comes in a year.
var perYear = map[string]int64{"day": 365, "week": 52, "month": 12, "quarter": 4, "season": 4, "half": 2, "year": 1, "once": 1, "time": 1}

// periods are the words by which a question says what its amount is per.
var periods = []struct{ word, unit string }{
	{"每月", "month"}, {"一个月", "month"}, {"a month", "month"}, {"per month", "month"}, {"monthly", "month"},
	{"每季", "quarter"}, {"a quarter", "quarter"}, {"每周", "week"}, {"a week", "week"}, {"每天", "day"}, {"a day", "day"},
	{"每年", "year"}, {"一年", "year"}, {"a year", "year"}, {"per year", "year"}, {"yearly", "year"},
}

// isMoney says whether a question asks for money.
func isMoney(n forms.Node) bool {
	if n.Type != "decimal" && n.Type != "integer" {
		return false
	}
	text := strings.ToLower(n.Label + " " + n.Hint)
	return strings.Contains(text, "元") || strings.Contains(text, "yuan") || has(n.Appearance, "money", "thousands-sep")
}

// Reading says an amount back in words; "" where there is nothing to say.
func (s *Session) Reading(v *visit.Visit, n forms.Node) string {
	beside := func(name string) (forms.Node, bool) {
		at := strings.LastIndexByte(n.Path, '/')
		b, ok := v.Entry.Node(n.Path[:at+1] + name)
		return b, ok && b.Relevant
	}
	unit, asked := beside("unit")
	if asked = asked && n.Name == "amount" && len(unit.Choices) > 0; !asked && !isMoney(n) {
		return ""
	}
	amount, ok := new(big.Rat).SetString(strings.TrimSpace(n.Value))
	if !ok || amount.Sign() < 0 || len(n.Value) > 18 {
		return ""
	}
	if !asked {
		said := s.T("money", grouped(amount))
		per := ""
		for _, p := range periods {
			if strings.Contains(strings.ToLower(n.Label+" "+n.Hint), p.word) {
				per = p.unit
				break
			}
		}
		if per != "" && per != "year" && amount.Sign() > 0 {
			return said + " · " + s.yearly(new(big.Rat).Mul(amount, big.NewRat(perYear[per], 1)))
		}
		if amount.Cmp(big.NewRat(10_000, 1)) >= 0 {
			said += s.inWords(amount)
		}
		return said
	}
	number := func(name string) (*big.Rat, bool) {
		b, ok := beside(name)
		if !ok || b.Value == "" {
			return nil, false
		}
		return new(big.Rat).SetString(b.Value)
	}
	switch unit.Value {
	case "":
		return ""
	case "jin":
		price, ok := number("price")
		if !ok {
			return ""
		}
		return s.T("jin_times", grouped(amount), grouped(price)) + " · " + s.yearly(amount.Mul(amount, price))
	}
	often, known := perYear[unit.Value]
	if !known {
		return ""
	}
	times := big.NewRat(often, 1)
	if t, ok := number("times"); ok {
		times = t
	}
	said := s.T("money", grouped(amount)) + "/" + Words(unit, unit.Value)
	return said + " · " + s.yearly(amount.Mul(amount, times))
}

func (s *Session) yearly(r *big.Rat) string { return s.T("yearly", grouped(r)) + s.inWords(r) }

// inWords adds the amount in Chinese numerals, which cannot be misread by a digit.
func (s *Session) inWords(r *big.Rat) string {
	if s.Say.Language() != "zh" {
		return ""
	}
	whole := new(big.Int).Quo(r.Num(), r.Denom())
	if !whole.IsInt64() || whole.Int64() >= 1e12 || whole.Sign() == 0 {
		return ""
	}
	return "（" + numeral(whole.Int64()) + "元）"
}

// grouped writes an amount with thousands separators and at most two decimals.
func grouped(r *big.Rat) string {
	text := r.FloatString(2)
	whole, cents, _ := strings.Cut(text, ".")
	var b strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 && whole[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	if cents = strings.TrimRight(cents, "0"); cents != "" {
		return b.String() + "." + cents
	}
	return b.String()
}

// numeral writes a whole number in Chinese: 28800 -> 二万八千八百.
func numeral(n int64) string {
	if n == 0 {
		return "零"
	}
	digits := []rune("零一二三四五六七八九")
	below := func(n int64) string { // under ten thousand
		var b strings.Builder
		zero := false
		for _, p := range []struct {
			value int64
			unit  string
		}{{1000, "千"}, {100, "百"}, {10, "十"}, {1, ""}} {
			d := n / p.value
			n %= p.value
			if d == 0 {
				zero = b.Len() > 0
				continue
			}
			if zero {
				b.WriteRune('零')
				zero = false
			}
			b.WriteRune(digits[d])
			b.WriteString(p.unit)
		}
		return b.String()
	}
	var b strings.Builder
	for _, p := range []struct {
		value int64
		unit  string
	}{{1e8, "亿"}, {1e4, "万"}, {1, ""}} {
		part := n / p.value
		n %= p.value
		if part == 0 {
			continue
		}
		if b.Len() > 0 && part < 1000 {
			b.WriteRune('零')
		}
		if part >= 10_000 {
			b.WriteString(numeral(part))
		} else {
			b.WriteString(below(part))
		}
		b.WriteString(p.unit)
	}
	text := b.String()
	if strings.HasPrefix(text, "一十") {
		text = strings.TrimPrefix(text, "一")
	}
	return text
}
