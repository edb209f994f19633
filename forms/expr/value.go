package expr

import (
	"math"
	"strconv"
	"strings"
)

// Type says what a Value is.
type Type uint8

// Types of values. A computation without a result (NaN, an empty date) is blank.
const (
	Blank Type = iota
	NumberType
	StringType
	BooleanType
	NodesType
)

var typeNames = [...]string{"blank", "number", "string", "boolean", "nodeset"}

func (t Type) String() string { return typeNames[t] }

// A Value is what an expression yields. The zero Value is blank.
type Value struct {
	Type  Type
	num   float64 // of a boolean: 0 or 1
	str   string
	nodes []Node
}

// Num is a number; NaN is blank.
func Num(f float64) Value {
	if math.IsNaN(f) {
		return Value{}
	}
	return Value{Type: NumberType, num: f}
}

// Str is a text; the empty one is blank to arithmetic and conditions alike.
func Str(s string) Value { return Value{Type: StringType, str: s} }

// Boolean is true or false.
func Boolean(b bool) Value {
	v := Value{Type: BooleanType}
	if b {
		v.num = 1
	}
	return v
}

// Nodes is a set of nodes in document order.
func Nodes(nodes []Node) Value { return Value{Type: NodesType, nodes: nodes} }

// List returns the nodes of a node-set.
func (v Value) List() []Node { return v.nodes }

// String is the value as text: the first node's, a number without exponent.
func (v Value) String() string {
	switch v.Type {
	case NumberType:
		return FormatNumber(v.num)
	case StringType:
		return v.str
	case BooleanType:
		if v.num != 0 {
			return "true"
		}
		return "false"
	case NodesType:
		if len(v.nodes) > 0 {
			return v.nodes[0].Text()
		}
	}
	return ""
}

// Number is the value as a number, NaN where it is none. A date is the days since
// 1970-01-01.
func (v Value) Number() float64 {
	switch v.Type {
	case NumberType, BooleanType:
		return v.num
	case Blank:
		return math.NaN()
	}
	return toNumber(v.String())
}

// Bool is the value as a condition. A node counts by its value, not by its
// existence: blank and 0 are false.
func (v Value) Bool() bool {
	switch v.Type {
	case NumberType, BooleanType:
		return v.num != 0
	case StringType:
		return v.str != ""
	case NodesType:
		text := v.String()
		if f, ok := parseNumber(text); ok {
			return f != 0
		}
		return text != ""
	}
	return false
}

// IsBlank says whether nothing is there.
func (v Value) IsBlank() bool {
	return v.Type == Blank || v.Type != NumberType && v.Type != BooleanType && v.String() == ""
}

// FormatNumber writes a number as ODK XForms stores it: the shortest decimals
// that read back the same, never an exponent. FormatNumber(1e21) ->
// 1000000000000000000000.
func FormatNumber(f float64) string {
	switch {
	case math.IsNaN(f):
		return ""
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0" // and not -0
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// parseNumber reads a decimal as XPath writes it: 1 -2.5 .5; no exponent, no
// thousands separator.
func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	digits, dots := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			dots++
		case c == '-' && i == 0:
		default:
			return 0, false
		}
	}
	if digits == 0 || dots > 1 {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || !math.IsNaN(f)
}

// toNumber reads a number or, as ODK XForms does, a date as days since 1970.
func toNumber(s string) float64 {
	if f, ok := parseNumber(s); ok {
		return f
	}
	if d, ok := parseDateTime(s); ok {
		return d
	}
	switch strings.TrimSpace(s) {
	case "Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	return math.NaN()
}

// IsNumber says whether a text is a decimal number: 12, -0.5.
func IsNumber(s string) bool { _, ok := parseNumber(s); return ok && s != "" }

// IsDate says whether a text is a date that exists, with or without a time.
func IsDate(s string) bool { _, ok := parseDateTime(s); return ok }

// IsTime says whether a text is a time of day.
func IsTime(s string) bool { _, ok := parseClock(s); return ok }

// IsPoint says whether a text is a geopoint: latitude, longitude, and perhaps
// altitude and accuracy.
func IsPoint(s string) bool {
	parts := strings.Fields(s)
	if len(parts) < 2 || len(parts) > 4 {
		return false
	}
	for i, p := range parts {
		f, ok := parseNumber(p)
		if !ok || i == 0 && (f < -90 || f > 90) || i == 1 && (f < -180 || f > 180) {
			return false
		}
	}
	return true
}
