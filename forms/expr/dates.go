package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Dates have no time zone: a day is a day. 2024-03-01 is 19783, the number of
// days since 1970-01-01, wherever the tablet is. A date with a time is its wall
// clock; an offset written behind it is kept in the text and not computed with.

// civil returns the days since 1970-01-01 of a date that exists.
func civil(y, m, d int) (float64, bool) {
	if y < 1 || y > 9999 || m < 1 || m > 12 || d < 1 || d > 31 {
		return 0, false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if t.Day() != d {
		return 0, false // 2024-02-30
	}
	return float64(t.Unix() / 86400), true
}

// parseDateTime reads YYYY-MM-DD, or that with Thh:mm[:ss[.fff]] and an offset,
// as days since 1970-01-01 of the wall clock.
func parseDateTime(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 8 || len(s) > 40 || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	day, clock, timed := strings.Cut(s, "T")
	if !timed {
		day, clock, timed = strings.Cut(s, " ")
	}
	parts := strings.Split(day, "-")
	if len(parts) != 3 || len(parts[0]) != 4 {
		return 0, false
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || len(p) > 4 || v < 0 {
			return 0, false
		}
		n[i] = v
	}
	days, ok := civil(n[0], n[1], n[2])
	if !ok || !timed {
		return days, ok
	}
	f, ok := parseClock(clock)
	return days + f, ok
}

// parseClock reads hh:mm[:ss[.fff]] with an optional offset as a fraction of a day.
func parseClock(s string) (float64, bool) {
	s = strings.TrimSuffix(s, "Z")
	if i := strings.LastIndexAny(s, "+-"); i > 0 {
		s = s[:i]
	}
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	var total float64
	for i, p := range parts {
		f, ok := parseNumber(p)
		if !ok || f < 0 || i == 0 && f >= 24 || i > 0 && f >= 60 {
			return 0, false
		}
		total += f * [...]float64{3600, 60, 1}[i]
	}
	return total / 86400, true
}

// dayText is the date of a number of days.
func dayText(days float64) string {
	t, ok := dayTime(days)
	if !ok {
		return ""
	}
	return t.Format("2006-01-02")
}

func dayTime(days float64) (time.Time, bool) {
	if math.IsNaN(days) || days < -719162 || days > 2932896 {
		return time.Time{}, false
	}
	return time.Unix(0, 0).UTC().AddDate(0, 0, int(math.Floor(days))), true
}

// toDay reads whatever can be a date: a date, a date and time, or days.
func toDay(v Value) (float64, bool) {
	if v.IsBlank() {
		return 0, false
	}
	n := v.Number()
	return n, !math.IsNaN(n) && !math.IsInf(n, 0)
}

// formatDate writes a date by the codes of format-date: %Y %y %m %n %b %B? %d %e
// %a %H %h %M %S %3 %W.
func formatDate(days float64, format string) string {
	t, ok := dayTime(days)
	if !ok {
		return ""
	}
	milli := int64(math.Round((days - math.Floor(days)) * 86_400_000))
	t = t.Add(time.Duration(min(milli, 86_399_999)) * time.Millisecond)
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch format[i] {
		case 'Y':
			fmt.Fprintf(&b, "%04d", t.Year())
		case 'y':
			fmt.Fprintf(&b, "%02d", t.Year()%100)
		case 'm':
			fmt.Fprintf(&b, "%02d", t.Month())
		case 'n':
			fmt.Fprintf(&b, "%d", t.Month())
		case 'b':
			b.WriteString(t.Format("Jan"))
		case 'B':
			b.WriteString(t.Format("January"))
		case 'd':
			fmt.Fprintf(&b, "%02d", t.Day())
		case 'e':
			fmt.Fprintf(&b, "%d", t.Day())
		case 'a':
			b.WriteString(t.Format("Mon"))
		case 'A':
			b.WriteString(t.Format("Monday"))
		case 'H':
			fmt.Fprintf(&b, "%02d", t.Hour())
		case 'h':
			fmt.Fprintf(&b, "%d", t.Hour())
		case 'M':
			fmt.Fprintf(&b, "%02d", t.Minute())
		case 'S':
			fmt.Fprintf(&b, "%02d", t.Second())
		case '3':
			fmt.Fprintf(&b, "%03d", t.Nanosecond()/1e6)
		case 'W':
			_, week := t.ISOWeek()
			fmt.Fprintf(&b, "%02d", week)
		case 'j':
			fmt.Fprintf(&b, "%03d", t.YearDay())
		case '%':
			b.WriteByte('%')
		default:
			b.WriteByte('%')
			b.WriteByte(format[i])
		}
	}
	return b.String()
}

// monthsBetween is the number of whole months from one day to another.
func monthsBetween(from, to float64) float64 {
	a, ok1 := dayTime(from)
	b, ok2 := dayTime(to)
	if !ok1 || !ok2 {
		return math.NaN()
	}
	n := (b.Year()-a.Year())*12 + int(b.Month()) - int(a.Month())
	if b.Day() < a.Day() && n > 0 {
		n--
	} else if b.Day() > a.Day() && n < 0 {
		n++
	}
	return float64(n)
}

// addDate adds years, months, days, hours and minutes to a date (CHT); a month's
// missing day is its last. Without hours and minutes the result is a day.
func addDate(a []Value) Value {
	days, ok := toDay(a[0])
	if !ok {
		return Value{}
	}
	at, ok := dayTime(days)
	if !ok {
		return Value{}
	}
	var n [5]int
	for i := range a[1:] {
		f := a[i+1].Number()
		if f != f || math.Abs(f) > 1e6 {
			return Value{}
		}
		n[i] = int(f)
	}
	out := AddMonths(at, n[0]*12+n[1]).AddDate(0, 0, n[2])
	if n[3] == 0 && n[4] == 0 {
		return Str(out.Format("2006-01-02"))
	}
	out = out.Add(time.Duration(at.Hour()+n[3])*time.Hour + time.Duration(at.Minute()+n[4])*time.Minute)
	return Str(out.Format("2006-01-02T15:04:05.000Z07:00"))
}
