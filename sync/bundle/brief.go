package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// A Brief is a bundle without what a county knows that is sent one by its own node:
// whose it is, the key, the digests. Both sides make the same head of it, byte for
// byte; it is how a bundle travels, never how it is kept.
type Brief struct {
	_         struct{} `cbor:",toarray"`
	First     uint64
	More      uint64 // Last - First
	Place     any    // a number in the scope of the node's certificate, or the division itself
	Plain     uint64
	Prev      []byte // the first four bytes of the digest of the bundle before; empty for the first
	Signature []byte
	Body      []byte
}

const (
	prevBytes       = 4
	briefDictionary = 2 // of every brief bundle: another one needs another form of request
)

// ErrBefore means that a brief bundle follows another one than the county has: it must
// be sent whole to be judged.
var ErrBefore = errors.New("a brief bundle does not follow the bundle that is here")

// Shorten makes a bundle brief; ok is false where Whole would not give it back, as of
// another writer's version.
func Shorten(b store.Bundle, key ed25519.PublicKey, scope []string) (s Brief, ok bool) {
	m, err := cose.Parse(b.Head)
	if err != nil || b.Body == nil {
		return s, false
	}
	h, err := readHead(m)
	if err != nil {
		return s, false
	}
	s = Brief{First: b.First, More: b.Last - b.First, Place: b.Division, Plain: h.Plain, Prev: []byte{}, Signature: m.Signature(), Body: b.Body}
	if i := slices.Index(scope, b.Division); i >= 0 {
		s.Place = uint64(i)
	}
	if b.First > 1 {
		s.Prev = b.Prev[:prevBytes]
	}
	again, err := s.Whole(b.Node, cose.KeyID(key), scope, b.Prev)
	return s, err == nil && bytes.Equal(again.Head, b.Head)
}

// Whole is the bundle again; prev is the digest of the node's bundle that ends before
// it, as it is here. Nothing of it is believed yet: what was made of the wrong parts
// does not verify.
func (s Brief) Whole(node uuid.UUID, kid []byte, scope []string, prev store.Digest) (store.Bundle, error) {
	b := store.Bundle{Node: node, First: s.First, Last: s.First + s.More, Prev: prev, Body: s.Body}
	switch place := s.Place.(type) {
	case uint64:
		if place < uint64(len(scope)) {
			b.Division = scope[place]
		}
	case string:
		b.Division = place
	}
	if b.First == 0 || b.Last < b.First || !isDivision(b.Division) || len(s.Signature) != ed25519.SignatureSize {
		return b, &DamagedError{Node: node, First: b.First, Last: b.Last, What: "a brief bundle that is none"}
	}
	h := headBody{
		Version: version, Node: node, First: b.First, Last: b.Last, Division: b.Division,
		Compressor: foldedZstd, Dictionary: briefDictionary, Plain: s.Plain, Packed: uint64(len(s.Body)), Body: cose.HashOf(sha256.Sum256(s.Body)),
	}
	if b.First > 1 {
		if !bytes.Equal(s.Prev, prev[:prevBytes]) {
			return b, ErrBefore
		}
		hash := cose.HashOf(prev)
		h.Prev = &hash
	}
	var err error
	if b.Head, err = cose.Assemble(kid, cose.Bundle, cose.Encode(h), s.Signature); err != nil {
		return b, err
	}
	b.Digest = sha256.Sum256(b.Head)
	return b, nil
}
