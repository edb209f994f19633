package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"

	"github.com/fxamacker/cbor/v2"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// Parse reads the head of a bundle as it arrived and checks the body against the
// size and digest that the head names. Nothing is believed yet: the message is
// handed out to be verified by Open. Errors: *DamagedError, *LimitError,
// *NewerError.
func Parse(raw []byte) (store.Bundle, *cose.Message, error) {
	if len(raw) > MaxRaw {
		return store.Bundle{}, nil, &LimitError{What: "bytes", Got: int64(len(raw)), Limit: MaxRaw}
	}
	var p pair
	if err := decodeOuter.Unmarshal(raw, &p); err != nil {
		return store.Bundle{}, nil, &DamagedError{What: "not a bundle", Cause: err}
	}
	if !bytes.Equal(cose.Encode(p), raw) {
		return store.Bundle{}, nil, &DamagedError{What: "not in canonical form"}
	}
	b := store.Bundle{Head: p.Head, Body: p.Body}
	m, err := parseHead(&b)
	return b, m, err
}

var decodeOuter = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, MaxNestedLevels: 4, MaxArrayElements: 16, MaxMapPairs: 16,
	}.DecMode()
	if err != nil {
		panic("cbor options: " + err.Error())
	}
	return mode
}()

// parseHead fills a bundle from its head.
func parseHead(b *store.Bundle) (*cose.Message, error) {
	if len(b.Head) > MaxHead {
		return nil, &LimitError{What: "bytes of head", Got: int64(len(b.Head)), Limit: MaxHead}
	}
	m, err := cose.Parse(b.Head)
	if err != nil {
		return nil, &DamagedError{What: "the head", Cause: err}
	}
	if m.Type != cose.Bundle {
		return nil, &DamagedError{What: "signed for something else than a bundle"}
	}
	h, err := readHead(m)
	if err != nil {
		return nil, err
	}
	b.Node, b.First, b.Last = h.Node, h.First, h.Last
	b.Division, b.Audience = h.Division, uint8(h.Audience)
	b.Prev = store.Digest{}
	if h.Prev != nil {
		if b.Prev, err = h.Prev.Digest(); err != nil {
			return nil, damaged(b, "the digest of the bundle before", err)
		}
	}
	b.Digest = sha256.Sum256(b.Head)
	if b.Body == nil {
		return m, nil
	}
	want, err := h.Body.Digest()
	if err != nil {
		return nil, damaged(b, "the digest of the body", err)
	}
	if uint64(len(b.Body)) != h.Packed || sha256.Sum256(b.Body) != want {
		return nil, damaged(b, "the body is not the one that was signed", nil)
	}
	return m, nil
}

// readHead decodes the payload and checks what can be checked without a key.
func readHead(m *cose.Message) (headBody, error) {
	var h headBody
	if err := cose.Decode(m.Payload, &h); err != nil {
		return h, &DamagedError{What: "the head", Cause: err}
	}
	if h.Version > version || h.Compressor > foldedZstd || !known(h.Dictionary) {
		return h, &NewerError{Node: h.Node, First: h.First, Last: h.Last, Version: h.Version, Dictionary: h.Dictionary}
	}
	fault := ""
	switch {
	case h.Version != version:
		fault = "no version"
	case h.Compressor == 0:
		fault = "no compressor"
	case h.First == 0 || h.Last < h.First || h.Last-h.First >= MaxChanges:
		fault = "impossible sequence numbers"
	case (h.First > 1) != (h.Prev != nil):
		fault = "only a node's first bundle has nothing before it"
	case h.Audience > 2:
		fault = "unknown audience"
	case !isDivision(h.Division):
		fault = "the division is no code of 6, 9 or 12 digits"
	case h.Packed == 0 || h.Packed > MaxBody || h.Plain == 0 || h.Plain > MaxPlain:
		fault = "impossible sizes"
	}
	if fault != "" {
		return h, &DamagedError{Node: h.Node, First: h.First, Last: h.Last, What: fault}
	}
	return h, nil
}

func isDivision(s string) bool {
	if len(s) != 6 && len(s) != 9 && len(s) != 12 {
		return false
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

func damaged(b *store.Bundle, what string, cause error) *DamagedError {
	return &DamagedError{Node: b.Node, First: b.First, Last: b.Last, What: what, Cause: cause}
}

// Open verifies the head under the node's key and the body under the head, and
// fills Changes. A withheld body leaves Changes empty and is no error. Memory is
// bounded by the expanded size that was signed (invariant 10).
func Open(b *store.Bundle, pub ed25519.PublicKey) error {
	m, err := parseHead(b)
	if err != nil {
		return err
	}
	if err := m.Verify(pub); err != nil {
		return damaged(b, "the head", err)
	}
	return decode(b, m)
}

// Decode fills Changes of a bundle that was verified when it arrived, as the
// replica's own log holds it.
func Decode(b *store.Bundle) error {
	m, err := parseHead(b)
	if err != nil {
		return err
	}
	return decode(b, m)
}

// DecodeParsed is Decode of what Parse has just read.
func DecodeParsed(b *store.Bundle, m *cose.Message) error { return decode(b, m) }

// Expanded is the size of the changes that a parsed head names, 0 if it has none.
func Expanded(m *cose.Message) uint64 {
	h, err := readHead(m)
	if err != nil {
		return 0
	}
	return h.Plain
}

func decode(b *store.Bundle, m *cose.Message) error {
	b.Changes = nil
	if b.Body == nil {
		return nil
	}
	h, err := readHead(m)
	if err != nil {
		return err
	}
	plain, err := unpack(b, h)
	if err != nil {
		return damaged(b, "the body", err)
	}
	changes := make([]store.Change, 0, h.Last-h.First+1)
	for rest := plain; len(rest) > 0; {
		var item cbor.RawMessage
		after, err := decodeItem.UnmarshalFirst(rest, &item)
		if err != nil {
			return damaged(b, "the changes", err)
		}
		if len(changes) == cap(changes) {
			return damaged(b, "more changes than the head names", nil)
		}
		change, err := store.DecodeChange(rest[:len(rest)-len(after)])
		if err != nil {
			return damaged(b, "the changes", err)
		}
		changes = append(changes, change)
		rest = after
	}
	if fault := fit(b, changes); fault != "" {
		return damaged(b, fault, nil)
	}
	b.Changes = changes
	return nil
}

// decodeItem only finds where a change ends; store.DecodeChange is the judge.
var decodeItem = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		IndefLength: cbor.IndefLengthForbidden, MaxNestedLevels: 32, MaxArrayElements: 1 << 20, MaxMapPairs: 1 << 16,
	}.DecMode()
	if err != nil {
		panic("cbor options: " + err.Error())
	}
	return mode
}()

var errSize = errors.New("the expanded size is not the one that was signed")
