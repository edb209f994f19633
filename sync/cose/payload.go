package cose

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// ErrNotCanonical means that a payload is CBOR, but not in its only permitted form
// (RFC 8949 §4.2.1): two encodings of one thing would have two digests.
var ErrNotCanonical = errors.New("not deterministic CBOR")

var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
		MaxNestedLevels:  8,
		MaxArrayElements: 65_536,
		MaxMapPairs:      256,
	}.DecMode())
)

// must is for options that are constants of this file.
func must[T any](mode T, err error) T {
	if err != nil {
		panic("cbor options: " + err.Error())
	}
	return mode
}

// Encode writes a payload as deterministic CBOR. The value is one of our own
// structs: that it cannot be encoded is our own mistake.
func Encode(v any) []byte {
	b, err := encMode.Marshal(v)
	if err != nil {
		panic("encode payload: " + err.Error())
	}
	return b
}

// Decode reads a payload. Limits: 8 levels, 65,536 array elements, 256 map pairs.
// Keys it does not know are allowed, so that a newer writer may add some, but the
// whole must be deterministic: it is decoded without a plan, encoded again and
// compared.
func Decode(raw []byte, into any) error {
	var item any
	if err := decMode.Unmarshal(raw, &item); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	again, err := encMode.Marshal(item)
	if err != nil || !bytes.Equal(again, raw) {
		return ErrNotCanonical
	}
	if err := decMode.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	return nil
}

// SHA256 is the number of SHA-256 in the IANA registry "COSE Algorithms".
const SHA256 = -16

// A Hash is a digest that names its algorithm, as RFC 9360's COSE_CertHash does:
// [-16, 32 bytes]. A second hash suite is a new number, not a new format.
type Hash struct {
	_         struct{} `cbor:",toarray"`
	Algorithm int64
	Sum       []byte
}

// HashOf wraps a SHA-256.
func HashOf(sum [32]byte) Hash { return Hash{Algorithm: SHA256, Sum: sum[:]} }

// Digest unwraps a SHA-256 and refuses any other algorithm or length.
func (h Hash) Digest() (sum [32]byte, err error) {
	if h.Algorithm != SHA256 || len(h.Sum) != len(sum) {
		return sum, fmt.Errorf("%w: hash algorithm %d with %d bytes", ErrAlgorithm, h.Algorithm, len(h.Sum))
	}
	return [32]byte(h.Sum), nil
}

// DecodeBytes reads a payload that is one byte string.
func DecodeBytes(raw []byte, into *[]byte) error {
	if len(raw) == 0 || raw[0]>>5 != 2 {
		return ErrNotCanonical
	}
	if err := decMode.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	if head := BytesHead(len(*into)); !bytes.HasPrefix(raw, head) || len(raw) != len(head)+len(*into) {
		return ErrNotCanonical
	}
	return nil
}

// BytesHead is the shortest head of a byte string of n bytes (RFC 8949 §3).
func BytesHead(n int) []byte {
	switch {
	case n < 24:
		return []byte{0x40 | byte(n)}
	case n < 1<<8:
		return []byte{0x58, byte(n)}
	case n < 1<<16:
		return []byte{0x59, byte(n >> 8), byte(n)}
	}
	return []byte{0x5a, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}
