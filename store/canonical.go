package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"unicode/utf8"

	"github.com/x448/float16"
)

// maxDepth bounds nesting of values.
const maxDepth = 32

var (
	errNotCanonical = errors.New("not in the deterministic form of RFC 8949 §4.2.1")
	errCut          = errors.New("ends too early")
	errDeep         = errors.New("nested deeper than 32 levels")
)

// canonical checks that b begins with one CBOR item in deterministic form and
// returns what follows it. The library decodes other forms too, and what two nodes
// could encode differently must not be signed.
func canonical(b []byte, depth int) (rest []byte, err error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	major, argument, rest, err := head(b)
	if err != nil {
		return nil, err
	}
	switch major {
	case 0, 1:
		return rest, nil
	case 2, 3:
		if argument > uint64(len(rest)) {
			return nil, errCut
		}
		if major == 3 && !utf8.Valid(rest[:argument]) {
			return nil, errNotCanonical
		}
		return rest[argument:], nil
	case 4:
		for range argument { // each round consumes a byte or fails
			if rest, err = canonical(rest, depth+1); err != nil {
				return nil, err
			}
		}
		return rest, nil
	case 5:
		var last []byte
		for range argument {
			key := rest
			if rest, err = canonical(rest, depth+1); err != nil {
				return nil, err
			}
			key = key[:len(key)-len(rest)]
			if last != nil && bytes.Compare(last, key) >= 0 {
				return nil, errNotCanonical
			}
			last = key
			if rest, err = canonical(rest, depth+1); err != nil {
				return nil, err
			}
		}
		return rest, nil
	case 6:
		return canonical(rest, depth+1)
	}
	return rest, nil // head has checked simple values and floats
}

// head reads the first byte and argument of an item and checks that it is as
// short as can be.
func head(b []byte) (major byte, argument uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, errCut
	}
	major, info := b[0]>>5, b[0]&31
	rest = b[1:]
	if info < 24 {
		if major == 7 && (info < 20 || info > 23) {
			return 0, 0, nil, errNotCanonical
		}
		return major, uint64(info), rest, nil
	}
	if info > 27 {
		return 0, 0, nil, errNotCanonical // indefinite or reserved
	}
	n := 1 << (info - 24)
	if len(rest) < n {
		return 0, 0, nil, errCut
	}
	switch n {
	case 1:
		argument = uint64(rest[0])
	case 2:
		argument = uint64(binary.BigEndian.Uint16(rest))
	case 4:
		argument = uint64(binary.BigEndian.Uint32(rest))
	case 8:
		argument = binary.BigEndian.Uint64(rest)
	}
	rest = rest[n:]
	if major == 7 {
		if !shortestFloat(n, argument) {
			return 0, 0, nil, errNotCanonical
		}
		return major, argument, rest, nil
	}
	if n == 1 && argument < 24 || n > 1 && argument>>(4*n) == 0 {
		return 0, 0, nil, errNotCanonical
	}
	return major, argument, rest, nil
}

func shortestFloat(n int, bits uint64) bool {
	switch n {
	case 2:
		return !float16.Frombits(uint16(bits)).IsNaN() || bits == 0x7e00
	case 4:
		f := math.Float32frombits(uint32(bits))
		return f == f && float16.Fromfloat32(f).Float32() != f
	case 8:
		f := math.Float64frombits(bits)
		return f == f && float64(float32(f)) != f
	}
	return false // one-byte simple values are none of ours
}

// whole checks that b is exactly one item.
func whole(b []byte) error {
	rest, err := canonical(b, 0)
	if err == nil && len(rest) > 0 {
		err = errNotCanonical
	}
	return err
}
