// Package bundle is the form in which changes travel: a contiguous run of one
// node's changes, compressed, under a signed head.
//
//	raw  = [ head, body / null ]                    deterministic CBOR
//	head = COSE_Sign1( version, node, first, last, digest of the head before it,
//	                   division, audience, sizes and digest of the body )
//	body = zstd( fold( change change change … ) )   each as store wrote it
//
// A bundle's digest is the SHA-256 of its head, and the heads of one node form a
// chain (invariant 5):
//
//	head 1–3 ◀──prev── head 4–4 ◀──prev── head 5–9
//
// Since the head names the body by digest and size, a body can be withheld from a
// node that has no business with that village (invariant 7), and the chain still
// verifies. All changes of a bundle belong to the division that its head names.
//
// The format is specified in sync/FORMAT.md, section 3. This package knows whether
// a bundle is whole and who signed it, not whether the signer was allowed to.
package bundle

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// Limits (invariant 10).
const (
	MaxBody    = 16 << 20 // compressed bytes
	MaxPlain   = 64 << 20 // expanded bytes
	MaxChanges = 100_000
	MaxHead    = 4 << 10
	MaxRaw     = MaxBody + MaxHead + 16
)

// headBody is the payload of a head, version 1. Numbers are never reused; what is
// left out costs no byte.
type headBody struct {
	Version    uint64     `cbor:"1,keyasint"`
	Node       uuid.UUID  `cbor:"2,keyasint"`
	First      uint64     `cbor:"3,keyasint"`
	Last       uint64     `cbor:"4,keyasint"`
	Prev       *cose.Hash `cbor:"5,keyasint,omitempty"` // left out by a node's first bundle
	Division   string     `cbor:"6,keyasint"`
	Audience   uint64     `cbor:"7,keyasint,omitempty"`
	Compressor uint64     `cbor:"8,keyasint"`           // 1: zstd (RFC 8878); 2: folded, then zstd
	Dictionary uint64     `cbor:"9,keyasint,omitempty"` // 0: none
	Plain      uint64     `cbor:"10,keyasint"`          // bytes of the body expanded
	Packed     uint64     `cbor:"11,keyasint"`          // bytes of the body
	Body       cose.Hash  `cbor:"12,keyasint"`
}

const (
	version    = 1
	zstd1      = 1
	foldedZstd = 2
)

// Seal packs changes of one node and one division behind the bundle that prev
// names. They are written as they stand in the journal (Raw).
func Seal(key ed25519.PrivateKey, prev store.Tip, division string, audience uint8, changes []store.Change) (store.Bundle, error) {
	if len(key) != ed25519.PrivateKeySize {
		return store.Bundle{}, errors.New("seal a bundle: the node's key is missing")
	}
	if len(changes) == 0 || len(changes) > MaxChanges {
		return store.Bundle{}, fmt.Errorf("seal a bundle: %d changes, one to %d are possible", len(changes), MaxChanges)
	}
	b := store.Bundle{
		Node: changes[0].Node, First: changes[0].Seq, Last: changes[len(changes)-1].Seq, Prev: prev.Digest,
		Division: division, Audience: audience, Changes: changes,
	}
	if b.First != prev.Last+1 || prev.Last > 0 && prev.Node != b.Node {
		return store.Bundle{}, fmt.Errorf("seal a bundle: change %d of %s does not follow change %d of %s", b.First, b.Node, prev.Last, prev.Node)
	}
	if fault := fit(&b, changes); fault != "" {
		return store.Bundle{}, fmt.Errorf("seal a bundle: %s", fault)
	}
	raws, plain := make([][]byte, 0, len(changes)), 0
	for i := range changes {
		raw := changes[i].Raw
		if raw == nil {
			var err error
			if raw, err = store.EncodeChange(&changes[i]); err != nil {
				return store.Bundle{}, fmt.Errorf("seal a bundle: change %d: %w", changes[i].Seq, err)
			}
		}
		raws, plain = append(raws, raw), plain+len(raw)
	}
	if plain > MaxPlain {
		return store.Bundle{}, &LimitError{What: "expanded bytes", Got: int64(plain), Limit: MaxPlain}
	}
	var compressor uint64
	b.Body, compressor = pack(&b, raws)
	if len(b.Body) > MaxBody {
		return store.Bundle{}, &LimitError{What: "bytes", Got: int64(len(b.Body)), Limit: MaxBody}
	}
	h := headBody{
		Version: version, Node: b.Node, First: b.First, Last: b.Last, Division: division, Audience: uint64(audience),
		Compressor: compressor, Dictionary: newest, Plain: uint64(plain), Packed: uint64(len(b.Body)), Body: cose.HashOf(sha256.Sum256(b.Body)),
	}
	if b.First > 1 {
		prev := cose.HashOf(b.Prev)
		h.Prev = &prev
	}
	var err error
	if b.Head, err = cose.Sign(key, cose.KeyID(key.Public().(ed25519.PublicKey)), cose.Bundle, cose.Encode(h)); err != nil {
		return store.Bundle{}, fmt.Errorf("seal a bundle: %w", err)
	}
	b.Digest = sha256.Sum256(b.Head)
	return b, nil
}

// fit says what keeps changes from being the content of a bundle's head.
func fit(b *store.Bundle, changes []store.Change) string {
	for i := range changes {
		c := &changes[i]
		switch {
		case c.Node != b.Node || c.Seq != b.First+uint64(i):
			return fmt.Sprintf("change %d of node %s stands where change %d belongs", c.Seq, c.Node, b.First+uint64(i))
		case c.Division != b.Division:
			return fmt.Sprintf("change %d belongs to another division than its bundle", c.Seq)
		}
	}
	if uint64(len(changes)) != b.Last-b.First+1 {
		return fmt.Sprintf("%d changes where %d are named", len(changes), b.Last-b.First+1)
	}
	return ""
}

// pair is the outer form.
type pair struct {
	_    struct{} `cbor:",toarray"`
	Head []byte
	Body []byte // nil is written as null: withheld
}

// Encode returns the bundle as it travels.
func Encode(b store.Bundle) []byte { return cose.Encode(pair{Head: b.Head, Body: b.Body}) }

// Withhold returns the bundle without its body and changes, for a node that may
// only know that it exists.
func Withhold(b store.Bundle) store.Bundle {
	b.Body, b.Changes = nil, nil
	return b
}

// A LimitError names the limit that was exceeded.
type LimitError struct {
	What       string
	Got, Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("a bundle may have %d %s, this one has %d", e.Limit, e.What, e.Got)
}

// Code is the key of the sentence.
func (e *LimitError) Code() string { return "bundle.too_large" }

// A DamagedError means that the bytes are not what was signed, or not the form
// they must have. Node, First and Last are what the head says, where it could be
// read.
type DamagedError struct {
	Node        uuid.UUID
	First, Last uint64
	What        string // what is wrong, for the log
	Cause       error
}

func (e *DamagedError) Error() string {
	s := "damaged bundle"
	if e.Node != uuid.Nil {
		s += fmt.Sprintf(" %d-%d of node %s", e.First, e.Last, e.Node)
	}
	s += ": " + e.What
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *DamagedError) Unwrap() error { return e.Cause }

// Code is the key of the sentence.
func (e *DamagedError) Code() string { return "bundle.damaged" }

// A NewerError means that a newer program wrote the bundle. It is kept and
// forwarded as it is, and can be read after an update.
type NewerError struct {
	Node                uuid.UUID
	First, Last         uint64
	Version, Dictionary uint64
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("bundle %d-%d of node %s needs a newer program (format %d, dictionary %d)", e.First, e.Last, e.Node, e.Version, e.Dictionary)
}

// Code is the key of the sentence.
func (e *NewerError) Code() string { return "bundle.newer" }
