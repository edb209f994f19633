package export

import (
	"ironfeet/app/casework/visit"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaskID hides the birth date and sequence of an ID number: 459921********0013
// (domain.md §1). Anything shorter than ten characters is hidden whole.
func MaskID(s string) string { return keepEnds(s, 6, 4) }

// MaskPhone keeps three digits at the front and four at the end: 138****5678.
func MaskPhone(s string) string { return keepEnds(s, 3, 4) }

// MaskName keeps the first character: 韦**.
func MaskName(s string) string {
	if s == "" {
		return ""
	}
	_, n := utf8.DecodeRuneInString(s)
	return s[:n] + "**"
}

// MaskAccount keeps the last four digits of a bank account.
func MaskAccount(s string) string { return keepEnds(s, 0, 4) }

// MaskPlate keeps the province, the city and the last two: 桂F***12.
func MaskPlate(s string) string { return keepEnds(s, 2, 2) }

// MaskAddress keeps what leads to the village, not to the door.
func MaskAddress(s string) string {
	for _, end := range []string{"村", "社区", "居委会"} {
		if i := strings.Index(s, end); i >= 0 {
			return s[:i+len(end)] + "**"
		}
	}
	return MaskName(s)
}

// maskBirth keeps the year.
func maskBirth(s string) string {
	if len(s) < 4 {
		return strings.Repeat("*", utf8.RuneCountInString(s))
	}
	return s[:4] + "-**-**"
}

// maskPoint keeps two decimals of a degree: about a kilometre.
func maskPoint(s string) string {
	whole, part, _ := strings.Cut(s, ".")
	if len(part) > 2 {
		part = part[:2]
	}
	if part == "" {
		return whole
	}
	return whole + "." + part
}

// withhold says only that there is something.
func withhold(s string) string {
	if s == "" {
		return ""
	}
	return "**"
}

func keepEnds(s string, front, back int) string {
	r := []rune(s)
	if len(r) < front+back {
		return strings.Repeat("*", len(r))
	}
	return string(r[:front]) + strings.Repeat("*", len(r)-front-back) + string(r[len(r)-back:])
}

// masks say what is done to a field of this name, wherever it stands (domain.md §4,
// levels S1 to S3). Free text is withheld by its type, since anything can stand in it.
var masks = map[string]func(string) string{
	"name": MaskName, "head_name": MaskName, "respondent": MaskName, "signer": MaskName, "who": MaskName, "whose": MaskName, "owner": MaskName,
	"carer": MaskName, "interpreter": MaskName, "witness": MaskName,
	"alias": withhold, "support_who": withhold, "kin_who": withhold,
	"id_no": MaskID, "head_id_no": MaskID, "dis_no": MaskID,
	"phone": MaskPhone, "veh_car_plate": MaskPlate, "plate": MaskPlate, "account": MaskAccount, "bank_account": MaskAccount,
	"birth": maskBirth, "address": MaskAddress, "residence_place": MaskAddress, "longitude": maskPoint, "latitude": maskPoint, "location": withhold,
	"health": withhold, "disease": withhold, "major_ill": withhold, "dis_kind": withhold, "dis_grade": withhold, "self_care": withhold,
	"dementia": withhold, "clergy": withhold, "religion": withhold, "residence": withhold, "ethnic": withhold,
}

// maskOf is the mask of a field, nil for none.
func maskOf(name string) func(string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	if m := masks[name]; m != nil {
		return m
	}
	for _, s := range []struct {
		end  string
		mask func(string) string
	}{{"_name", MaskName}, {"_phone", MaskPhone}, {"_id_no", MaskID}, {"_plate", MaskPlate}, {"_account", MaskAccount}, {"_address", MaskAddress}, {"_birth", maskBirth}} {
		if strings.HasSuffix(name, s.end) {
			return s.mask
		}
	}
	return nil
}

// Never says whether an answer is in no export at all: what neighbours said
// (domain.md §4.8), and, unless children's data were approved, what concerns
// children (S3).
func Never(path string, children bool) bool {
	kind := visit.Protected(path)
	return kind == visit.Neighbours || kind == visit.Children && !children
}

// Plain takes out of a text what could deceive the eye or break a line: control
// characters, and marks that turn the direction of writing.
func Plain(s string) string {
	if strings.IndexFunc(s, unseen) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unseen(r):
			return -1
		}
		return r
	}, s)
}

// unseen are control characters, and the bidirectional marks of UAX #9.
func unseen(r rune) bool {
	return unicode.IsControl(r) || r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff
}
