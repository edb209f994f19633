// Package idnumber reads citizen identity numbers (公民身份号码, GB 11643-1999) as
// people and spreadsheets write them, and says precisely what is wrong with one.
//
// Six digits of region, eight of birth, three of sequence (odd: male), one check
// character (ISO 7064 MOD 11-2). A region code nobody assigned is no fault: codes
// are abolished, numbers stay.
package idnumber

import (
	"strings"
	"time"
)

// A Class says what a text is, as an identity number.
type Class string

// The classes. Only Valid and Old can be a key for matching.
const (
	Valid      Class = "valid"
	Old        Class = "old"        // 15 digits, converted: Number.Text has 18
	Empty      Class = "empty"      //
	Damaged    Class = "damaged"    // a spreadsheet kept 15 digits of a number, or scientific notation
	Suspect    Class = "suspect"    // ends in 000: may be a damaged number whose check passes by accident
	BadCheck   Class = "bad_check"  // check character is another
	BadBirth   Class = "bad_birth"  // no such day, or in the future
	BadLength  Class = "bad_length" // neither 15 nor 18 characters
	BadSymbols Class = "bad_symbols"
	LetterO    Class = "letter_o" // letter O typed for zero
)

// A Number is what a text turned out to be.
type Number struct {
	Text   string // normalised; 18 characters where Class is Valid, Old or Suspect
	Class  Class
	Birth  time.Time // zero unless the birth part is a day
	Male   bool
	Expect byte // the right check character, where Class is BadCheck
}

// Key says whether the number may be used to match a person exactly.
func (n Number) Key() bool { return n.Class == Valid || n.Class == Old }

// Prefix is the first 15 digits, which survive a spreadsheet's damage; "" if they
// do not stand there.
func (n Number) Prefix() string {
	if len(n.Text) < 15 || strings.Trim(n.Text[:15], "0123456789") != "" {
		return ""
	}
	return n.Text[:15]
}

// Normalise removes what surrounds a number in practice: spaces of every kind, a
// leading apostrophe or tab, a byte order mark; full-width digits and letters
// become plain, x becomes X.
func Normalise(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' {
			r = r - '！' + '!'
		}
		switch {
		case r == 'x':
			return 'X'
		case r == '\'' || r == '‘' || r == '’' || r == '`' || r <= ' ' || r == '\u00a0' || r == '\u3000' || r == '\ufeff' || r == '\u200b' || r >= '\u2000' && r <= '\u200a':
			return -1
		}
		return r
	}, s)
}

// Parse classifies a text. A day after today is no birth.
func Parse(s string, today time.Time) Number {
	n := Number{Text: Normalise(s)}
	t := n.Text
	switch {
	case t == "":
		n.Class = Empty
	case scientific(t):
		n.Class = Damaged
	case strings.ContainsAny(t, "Oo"):
		n.Class = LetterO
	case strings.Trim(t, "0123456789X") != "" || strings.ContainsRune(t[:len(t)-1], 'X'):
		n.Class = BadSymbols
	case len(t) == 15 && t[14] != 'X':
		long := t[:6] + "19" + t[6:]
		n.Text, n.Class = long+string(Check(long)), Old
		n.birth(today)
	case len(t) != 18:
		n.Class = BadLength
	case Check(t) != t[17]:
		n.birth(today)
		n.Class, n.Expect = BadCheck, Check(t)
		if strings.HasSuffix(t, "000") {
			n.Class = Damaged // a spreadsheet kept fifteen digits
		}
	default:
		n.Class = Valid
		n.birth(today)
		if n.Class == Valid && strings.HasSuffix(t, "000") {
			n.Class = Suspect
		}
	}
	return n
}

// FromNumber classifies what stood in a numeric cell: a binary floating-point
// number cannot hold 18 digits, so the text is never a key, whatever it looks like.
func FromNumber(s string, today time.Time) Number {
	n := Parse(s, today)
	if len(n.Text) >= 15 || scientific(n.Text) {
		n.Class = Damaged
	}
	return n
}

func scientific(s string) bool {
	mantissa, exponent, found := strings.Cut(strings.ToUpper(s), "E")
	return found && strings.Trim(mantissa, "0123456789.") == "" && mantissa != "" && strings.Trim(exponent, "+0123456789") == "" && exponent != ""
}

// birth reads the birth part and marks a day that cannot be.
func (n *Number) birth(today time.Time) {
	day, err := time.Parse("20060102", n.Text[6:14])
	if err != nil || day.After(today) || day.Year() < 1850 {
		n.Class = BadBirth
		return
	}
	n.Birth, n.Male = day, (n.Text[16]-'0')%2 == 1
}

// Check is the check character of the first 17 digits (ISO 7064 MOD 11-2).
func Check(s string) byte {
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(s[i]-'0') * w
	}
	return "10X98765432"[sum%11]
}
