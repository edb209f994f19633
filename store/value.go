package store

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// Value is one deterministic CBOR item (RFC 8949 §4.2.1). The nil Value is no
// value at all and reads as empty; Null is the answer "nothing".
type Value []byte

// Values that are read or written, always in the one deterministic form.
var (
	encoder = must(cborOptions().EncMode())
	decoder = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		MaxNestedLevels:  maxDepth,
		MaxArrayElements: 1 << 20,
		MaxMapPairs:      1 << 20,
	}.DecMode())
)

func cborOptions() cbor.EncOptions {
	o := cbor.CoreDetEncOptions()
	o.Time = cbor.TimeRFC3339Nano // text: a number of seconds would be a float
	return o
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Text is a value of text.
func Text(s string) Value { return must(encoder.Marshal(strings.ToValidUTF8(s, "�"))) }

// Int is a whole number.
func Int(n int64) Value { return must(encoder.Marshal(n)) }

// Bool is a truth value.
func Bool(b bool) Value { return must(encoder.Marshal(b)) }

// Bytes is a value of bytes; nil bytes are empty bytes, not Null.
func Bytes(b []byte) Value {
	if b == nil {
		b = []byte{}
	}
	return must(encoder.Marshal(b))
}

// Null is the value that says: nothing.
func Null() Value { return Value{0xf6} }

// Of is any Go value that CBOR can hold: structs, slices, maps. It panics on
// channels and functions, which is a mistake of ours and never of the data.
func Of(v any) Value { return must(encoder.Marshal(v)) }

// Text returns a text, "" for anything else.
func (v Value) Text() string {
	if len(v) == 0 || v[0]>>5 != 3 {
		return ""
	}
	var s string
	if decoder.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// Int returns a whole number; false for anything else, and for what an int64
// cannot hold.
func (v Value) Int() (int64, bool) {
	if len(v) == 0 || v[0]>>5 > 1 {
		return 0, false
	}
	var n int64
	err := decoder.Unmarshal(v, &n)
	return n, err == nil
}

// Bool returns whether the value is true.
func (v Value) Bool() bool { return len(v) == 1 && v[0] == 0xf5 }

// Bytes returns bytes, nil for anything else.
func (v Value) Bytes() []byte {
	if len(v) == 0 || v[0]>>5 != 2 {
		return nil
	}
	var b []byte
	if decoder.Unmarshal(v, &b) != nil {
		return nil
	}
	return b
}

// IsNull reports whether there is no value, or the value Null.
func (v Value) IsNull() bool { return len(v) == 0 || len(v) == 1 && v[0] == 0xf6 }

// Into decodes the value into a Go value.
func (v Value) Into(into any) error { return decoder.Unmarshal(v, into) }

// Show returns the value for the eye: text as it stands, numbers in decimal, bytes
// by their length and beginning, everything else in CBOR's diagnostic notation.
func (v Value) Show() string {
	if v.IsNull() {
		return ""
	}
	switch v[0] >> 5 {
	case 0, 1:
		var n big.Int
		if decoder.Unmarshal(v, &n) == nil {
			return n.String()
		}
	case 2:
		b := v.Bytes()
		return fmt.Sprintf("%d B %s", len(b), hex.EncodeToString(b[:min(len(b), 8)]))
	case 3:
		return v.Text()
	case 7:
		if len(v) == 1 {
			return strconv.FormatBool(v.Bool())
		}
	}
	s, err := cbor.Diagnose(v)
	if err != nil {
		return fmt.Sprintf("%d B", len(v))
	}
	return s
}
