// Package cose signs what travels: every head of a bundle, certificate,
// attestation, receipt, request and manifest is a COSE_Sign1 (RFC 9052 §4.2) over
// deterministic CBOR (RFC 8949 §4.2.1).
//
// A message has exactly three protected headers: the algorithm (1), the content
// type (3) and the key id (4). The content type is signed so that a signature made
// for one purpose is worthless for another; the key id is signed so that no byte
// of a message can be changed without being noticed. The unprotected header is
// empty. What was signed is kept and forwarded as the bytes that were received.
//
// The layout is specified in sync/FORMAT.md, section 2. This package knows neither
// who owns a key nor what a payload means, and is the only one that knows go-cose.
package cose

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	gocose "github.com/veraison/go-cose"
)

// A Type says what a message is for.
type Type string

// The types of format version 1.
const (
	Bundle      Type = "application/ironfeet-bundle+cbor"
	Certificate Type = "application/ironfeet-certificate+cbor"
	Attestation Type = "application/ironfeet-attestation+cbor"
	Receipt     Type = "application/ironfeet-receipt+cbor"
	Request     Type = "application/ironfeet-request+cbor"
	Manifest    Type = "application/ironfeet-manifest+cbor"
	Purge       Type = "application/ironfeet-purge+cbor"
	Succession  Type = "application/ironfeet-succession+cbor"
)

// Algorithms by their number in the IANA registry "COSE Algorithms". EdDSA is
// written, and means Ed25519 here; both are read, because RFC 9864 deprecates -8
// for -19.
const (
	EdDSA   = -8
	Ed25519 = -19
)

// MaxMessage is the most bytes a message may have: the largest is a receipt that
// names thousands of photos.
const MaxMessage = 1 << 20

// KeyIDSize is the length of a key id in bytes.
const KeyIDSize = 8

var (
	// ErrMalformed means that the bytes are no signed message of ours, or one that
	// was not written in its only permitted form.
	ErrMalformed = errors.New("not a signed message in canonical form")

	// ErrSignature means that the message was changed after signing or was signed
	// with another key.
	ErrSignature = errors.New("the signature does not fit")

	// ErrAlgorithm means that this version does not know a signature or hash algorithm.
	ErrAlgorithm = errors.New("unknown algorithm")
)

// KeyID names a public key by the first eight bytes of its SHA-256. It selects
// among known keys and proves nothing.
func KeyID(pub ed25519.PublicKey) []byte {
	sum := sha256.Sum256(pub)
	return slices.Clone(sum[:KeyIDSize])
}

// Sign returns the message as bytes. Ed25519 signatures are deterministic: the
// same input gives the same bytes.
func Sign(key ed25519.PrivateKey, kid []byte, t Type, payload []byte) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("sign %s: the key has %d bytes, not %d", t, len(key), ed25519.PrivateKeySize)
	}
	if len(payload) == 0 {
		return nil, fmt.Errorf("sign %s: nothing to sign", t)
	}
	signer, err := gocose.NewSigner(gocose.AlgorithmEdDSA, key)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", t, err)
	}
	m := message(gocose.AlgorithmEdDSA, t, kid, payload)
	if err := m.Sign(nil, nil, signer); err != nil {
		return nil, fmt.Errorf("sign %s: %w", t, err)
	}
	raw, err := m.MarshalCBOR()
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", t, err)
	}
	return raw, nil
}

func message(alg gocose.Algorithm, t Type, kid, payload []byte) *gocose.Sign1Message {
	m := gocose.NewSign1Message()
	m.Headers.Protected.SetAlgorithm(alg)
	m.Headers.Protected[gocose.HeaderLabelContentType] = string(t)
	m.Headers.Protected[gocose.HeaderLabelKeyID] = kid
	m.Payload = payload
	return m
}

// A Message was parsed, but is believed only after Verify.
type Message struct {
	KID       []byte
	Type      Type
	Algorithm int64
	Payload   []byte
	Raw       []byte

	parsed *gocose.Sign1Message
}

// Parse reads a message without verifying it. It refuses with ErrMalformed what
// is not byte for byte the canonical form.
func Parse(raw []byte) (m *Message, err error) {
	if len(raw) > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrMalformed, len(raw), MaxMessage)
	}
	parsed := gocose.NewSign1Message()
	if err := parsed.UnmarshalCBOR(raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	alg, err := parsed.Headers.Protected.Algorithm()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	t, isText := parsed.Headers.Protected[gocose.HeaderLabelContentType].(string)
	kid, isBytes := parsed.Headers.Protected[gocose.HeaderLabelKeyID].([]byte)
	if !isText || !isBytes || len(parsed.Payload) == 0 {
		return nil, fmt.Errorf("%w: content type, key id or payload is missing", ErrMalformed)
	}
	again := message(alg, Type(t), kid, parsed.Payload)
	again.Signature = parsed.Signature
	canonical, err := again.MarshalCBOR()
	if err != nil || !bytes.Equal(canonical, raw) {
		return nil, ErrMalformed
	}
	return &Message{KID: kid, Type: Type(t), Algorithm: int64(alg), Payload: parsed.Payload, Raw: raw, parsed: again}, nil
}

// Verify says whether the owner of the key signed exactly this message.
func (m *Message) Verify(pub ed25519.PublicKey) error {
	if m.Algorithm != EdDSA && m.Algorithm != Ed25519 {
		return fmt.Errorf("%w %d", ErrAlgorithm, m.Algorithm)
	}
	if len(pub) != ed25519.PublicKeySize {
		return ErrSignature
	}
	if err := m.parsed.Verify(nil, verifier{gocose.Algorithm(m.Algorithm), pub}); err != nil {
		return ErrSignature
	}
	return nil
}

// A verifier checks Ed25519 under either of its two numbers; go-cose's own knows
// only -8.
type verifier struct {
	alg gocose.Algorithm
	pub ed25519.PublicKey
}

func (v verifier) Algorithm() gocose.Algorithm { return v.alg }

func (v verifier) Verify(content, signature []byte) error {
	if !ed25519.Verify(v.pub, content, signature) {
		return ErrSignature
	}
	return nil
}

// Assemble is the message that has these parts, as Sign made it, byte for byte. Where
// both sides know everything but the signature, the rest need not travel.
func Assemble(kid []byte, t Type, payload, signature []byte) ([]byte, error) {
	m := message(gocose.AlgorithmEdDSA, t, kid, payload)
	m.Signature = signature
	raw, err := m.MarshalCBOR()
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", t, err)
	}
	return raw, nil
}

// Signature is the message's own.
func (m *Message) Signature() []byte { return m.parsed.Signature }
