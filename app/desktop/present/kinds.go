package present

import (
	"strconv"
	"strings"

	"ironfeet/forms"
)

// A Kind is how a question is drawn. It follows from the question's type and
// appearance alone.
type Kind string

// The kinds.
const (
	KindNote      Kind = "note"
	KindText      Kind = "text"
	KindLong      Kind = "long"    // several lines
	KindDigits    Kind = "digits"  // text of digits: a phone, an identity number
	KindInteger   Kind = "integer" // with steps
	KindDecimal   Kind = "decimal"
	KindRange     Kind = "range"
	KindChoices   Kind = "choices"  // words to tap
	KindSearch    Kind = "search"   // a long list, to be searched: minimal, autocomplete
	KindLikert    Kind = "likert"   // choices in one row of equal parts
	KindHeadings  Kind = "headings" // the choices' words over a table: label
	KindRow       Kind = "row"      // a row of that table: list-nolabel
	KindRank      Kind = "rank"
	KindDate      Kind = "date"
	KindMonth     Kind = "month"
	KindYear      Kind = "year"
	KindTime      Kind = "time"
	KindDateTime  Kind = "datetime"
	KindPhotos    Kind = "photos"
	KindDrawing   Kind = "drawing" // draw, signature, annotate
	KindFile      Kind = "file"    // audio, video, file
	KindCode      Kind = "code"    // barcode
	KindPlace     Kind = "place"
	KindTrace     Kind = "trace" // geotrace, geoshape
	KindConfirmed Kind = "confirmed"
)

// manyChoices is from how many choices on a list is searched instead of shown.
const manyChoices = 24

// KindOf says how a question is drawn.
func KindOf(n forms.Node) Kind {
	a := n.Appearance
	switch n.Type {
	case "note":
		return KindNote
	case "select_one", "select_multiple":
		switch {
		case has(a, "label"):
			return KindHeadings
		case has(a, "list-nolabel", "list_nolabel"):
			return KindRow
		case has(a, "likert"):
			return KindLikert
		case has(a, "minimal", "autocomplete", "search") || strings.Contains(a, "search(") || len(n.Choices) > manyChoices:
			return KindSearch
		}
		return KindChoices
	case "rank":
		return KindRank
	case "integer":
		return KindInteger
	case "decimal":
		return KindDecimal
	case "range":
		return KindRange
	case "date":
		switch {
		case has(a, "month-year"):
			return KindMonth
		case has(a, "year"):
			return KindYear
		}
		return KindDate
	case "time":
		return KindTime
	case "dateTime":
		return KindDateTime
	case "image":
		if has(a, "draw", "signature", "annotate") {
			return KindDrawing
		}
		return KindPhotos
	case "audio", "video", "file":
		return KindFile
	case "barcode":
		return KindCode
	case "geopoint":
		return KindPlace
	case "geotrace", "geoshape":
		return KindTrace
	case "acknowledge":
		return KindConfirmed
	}
	switch {
	case has(a, "multiline"):
		return KindLong
	case has(a, "numbers"):
		return KindDigits
	}
	return KindText
}

// Columns is in how many columns an author wants choices, 0 as many as fit.
func Columns(n forms.Node) int {
	for _, w := range strings.Fields(strings.ToLower(n.Appearance)) {
		if w == "columns-1" || w == "vertical" {
			return 1
		}
		if rest, ok := strings.CutPrefix(w, "columns-"); ok {
			if k, err := strconv.Atoi(rest); err == nil && k > 0 && k <= 10 {
				return k
			}
		}
	}
	return 0
}

// Quick says whether a choice leads to the next page by itself.
func Quick(n forms.Node) bool { return has(n.Appearance, "quick") }

// Masked says whether what is typed is not to be read by others in the room.
func Masked(n forms.Node) bool { return has(n.Appearance, "masked") }

// A Scale is the range of a question of type range.
type Scale struct{ From, To, Step float64 }

// ScaleOf reads the parameters start, end and step; 0 to 10 by 1 without.
func ScaleOf(n forms.Node) Scale {
	s := Scale{0, 10, 1}
	for name, into := range map[string]*float64{"start": &s.From, "end": &s.To, "step": &s.Step} {
		if f, err := strconv.ParseFloat(n.Parameters[name], 64); err == nil {
			*into = f
		}
	}
	if s.To < s.From {
		s.From, s.To = s.To, s.From
	}
	if s.Step <= 0 || s.Step > s.To-s.From {
		s.Step = 1
	}
	return s
}

// Format writes a value of the scale, without digits that its step does not have.
func (s Scale) Format(f float64) string {
	digits := 0
	if _, frac, ok := strings.Cut(strconv.FormatFloat(s.Step, 'f', -1, 64), "."); ok {
		digits = len(frac)
	}
	return strconv.FormatFloat(f, 'f', digits, 64)
}

// Step moves an integer answer by one; blank becomes 1 upwards and stays blank
// downwards, and nothing goes below zero.
func Step(value string, by int) string {
	i, err := strconv.Atoi(strings.TrimSpace(value))
	switch {
	case err != nil && by < 0:
		return value
	case err != nil:
		return "1"
	}
	return strconv.Itoa(max(0, i+by))
}
