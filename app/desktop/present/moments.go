package present

import (
	"strings"
	"time"

	"ironfeet/app/casework/idnumber"
	"ironfeet/forms"
)

// A Part is one field of a date or time.
type Part struct{ Name, Example string }

// PartsOf are the fields that a kind of moment is typed in.
func PartsOf(k Kind) []Part {
	date := []Part{{"year", "2026"}, {"month", "03"}, {"day", "01"}}
	clock := []Part{{"hour", "09"}, {"minute", "30"}}
	switch k {
	case KindYear:
		return date[:1]
	case KindMonth:
		return date[:2]
	case KindTime:
		return clock
	case KindDateTime:
		return append(date, clock...)
	}
	return date
}

// Assemble makes an answer of the fields. Not whole: something is still to be
// typed; all blank is the blank answer.
func Assemble(k Kind, texts []string) (value string, whole bool) {
	blank := 0
	for _, t := range texts {
		if t == "" {
			blank++
		}
	}
	if blank == len(texts) {
		return "", true
	}
	if blank > 0 {
		return "", false
	}
	two := func(s string) string {
		if len(s) == 1 {
			return "0" + s
		}
		return s
	}
	for i := range texts {
		if i == 0 && k != KindTime {
			if len(texts[0]) < 4 {
				return "", false
			}
			continue
		}
		texts[i] = two(texts[i])
	}
	switch k {
	case KindYear:
		return texts[0] + "-01-01", true // ODK keeps a whole date
	case KindMonth:
		return texts[0] + "-" + texts[1] + "-01", true
	case KindTime:
		return texts[0] + ":" + texts[1], true
	case KindDateTime:
		return strings.Join(texts[:3], "-") + "T" + texts[3] + ":" + texts[4], true
	}
	return strings.Join(texts, "-"), true
}

// Disassemble parts an answer into the fields.
func Disassemble(k Kind, value string) []string {
	out := make([]string, len(PartsOf(k)))
	pieces := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune("-T: ", r) })
	copy(out, pieces)
	return out
}

// Moment is now, as the answer of a kind.
func Moment(k Kind, now time.Time) string {
	switch k {
	case KindTime:
		return now.Format("15:04")
	case KindDateTime:
		return now.Format("2006-01-02T15:04")
	case KindYear:
		return now.Format("2006") + "-01-01"
	case KindMonth:
		return now.Format("2006-01") + "-01"
	}
	return now.Format(time.DateOnly)
}

// CleanNumber takes what people type around a number out: spaces, thousands
// separators, 元, full-width digits of a Chinese keyboard.
func CleanNumber(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r == '．' || r == '。':
			return '.'
		case r == '－' || r == '−':
			return '-'
		case r == ',' || r == '，' || r == ' ' || r == '\u3000' || r == '元' || r == '¥' || r == '￥':
			return -1
		}
		return r
	}, s)
	return s
}

// CleanIdentity is an identity number as it is kept: plain digits, capital X.
func CleanIdentity(s string) string { return idnumber.Normalise(s) }

// PadKeys are the keys of a number pad for a question, row by row.
func PadKeys(n forms.Node) string {
	switch {
	case n.Type == "decimal":
		return "123456789.0⌫"
	case n.Type == "text":
		return "123456789X0⌫"
	}
	return "123456789-0⌫"
}
