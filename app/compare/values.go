package compare

import (
	"strconv"
	"strings"
	"time"

	"ironfeet/app/casework/idnumber"
)

// amount reads what departments write for money: 12,345.60元, 1.2万元, ¥800, a
// number of fifteen digits that a spreadsheet holds in binary. The answer is a
// plain decimal in yuan.
func amount(c Cell) (string, bool) {
	if c.Numeric {
		return plainDecimal(c.Text)
	}
	t := moneySigns.Replace(idnumber.Normalise(c.Text))
	shift := 0
	for _, unit := range []struct {
		suffix string
		places int
	}{{"万", 4}, {"亿", 8}, {"千", 3}} {
		if cut, ok := strings.CutSuffix(t, unit.suffix); ok {
			t, shift = cut, unit.places
			break
		}
	}
	sign := ""
	if rest, ok := strings.CutPrefix(t, "-"); ok {
		sign, t = "-", rest
	}
	whole, part, _ := strings.Cut(t, ".")
	if whole == "" && part == "" || strings.Trim(whole+part, "0123456789") != "" || len(whole)+len(part)+shift > 30 {
		return "", false
	}
	for range shift {
		next := "0"
		if part != "" {
			next, part = part[:1], part[1:]
		}
		whole += next
	}
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if part != "" {
		whole += "." + part
	}
	return sign + whole, true
}

var moneySigns = strings.NewReplacer(",", "", "，", "", " ", "", "\u00a0", "", "￥", "", "¥", "", "元", "", "整", "")

// plainDecimal writes a spreadsheet's number as it is shown: fifteen significant
// digits, 0.30000000000000004 is 0.3.
func plainDecimal(s string) (string, bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f > 1e15 || f < -1e15 {
		return "", false
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'e', 14, 64), 64)
	if err != nil {
		return "", false
	}
	return strconv.FormatFloat(short, 'f', -1, 64), true
}

// day reads what departments write for a day: 2024-03-05, 2024.3.5, 2024/3/5,
// 20240305, 2024年3月5日, 2024年3月 (its first day), a day number of Excel.
func day(c Cell) (string, bool) {
	t := strings.TrimSpace(idnumber.Normalise(c.Text))
	if t == "" {
		return "", false
	}
	if c.Date {
		return t, true
	}
	if i := strings.IndexAny(t, "T:"); i > 0 { // a time of day behind it; spaces are gone
		if j := strings.LastIndexAny(t[:i], "-/."); j > 0 && t[i] == ':' {
			t = t[:min(len(t), j+3)]
		} else if t[i] == 'T' {
			t = t[:i]
		}
	}
	var parts []string
	for _, p := range strings.FieldsFunc(t, func(r rune) bool { return strings.ContainsRune("-/.年月日号", r) }) {
		if strings.Trim(p, "0123456789") != "" {
			return "", false
		}
		parts = append(parts, p)
	}
	if len(parts) == 1 {
		switch n := len(parts[0]); {
		case n == 8:
			parts = []string{parts[0][:4], parts[0][4:6], parts[0][6:]}
		case n == 6 && !c.Numeric:
			parts = []string{parts[0][:4], parts[0][4:]}
		case n == 5: // a day number whose format was lost
			serial, _ := strconv.Atoi(parts[0])
			if serial < 20_000 || serial > 80_000 {
				return "", false
			}
			return time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, serial).Format(time.DateOnly), true
		default:
			return "", false
		}
	}
	if len(parts) == 2 {
		parts = append(parts, "1")
	}
	if len(parts) != 3 || len(parts[0]) != 4 {
		return "", false
	}
	y, _ := strconv.Atoi(parts[0])
	m, _ := strconv.Atoi(parts[1])
	d, _ := strconv.Atoi(parts[2])
	at := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if at.Year() != y || int(at.Month()) != m || at.Day() != d || y < 1850 || y > 2200 {
		return "", false
	}
	return at.Format(time.DateOnly), true
}
