package cose

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	gocose "github.com/veraison/go-cose"
)

// A Proof is a signature over something that both sides have anyhow, with no more
// of its own than fits into a line: a COSE_Sign1 with two protected headers,
// algorithm and key id, and with its purpose and what it is about in the
// external_aad (RFC 9052 §4.3). Since no other message of ours has an external_aad,
// none can be taken for a proof, nor a proof for any other.
type Proof struct {
	KID     []byte
	Payload []byte

	alg    int64
	parsed *gocose.Sign1Message
}

func proof(alg gocose.Algorithm, kid, payload []byte) *gocose.Sign1Message {
	m := gocose.NewSign1Message()
	m.Headers.Protected.SetAlgorithm(alg)
	m.Headers.Protected[gocose.HeaderLabelKeyID] = kid
	m.Payload = payload
	return m
}

// Prove signs a payload together with what it is about.
func Prove(key ed25519.PrivateKey, about, payload []byte) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("prove: the key has %d bytes, not %d", len(key), ed25519.PrivateKeySize)
	}
	signer, err := gocose.NewSigner(gocose.AlgorithmEdDSA, key)
	if err != nil {
		return nil, fmt.Errorf("prove: %w", err)
	}
	m := proof(gocose.AlgorithmEdDSA, KeyID(key.Public().(ed25519.PublicKey)), payload)
	if err := m.Sign(nil, about, signer); err != nil {
		return nil, fmt.Errorf("prove: %w", err)
	}
	return m.MarshalCBOR()
}

// ParseProof reads a proof without verifying it.
func ParseProof(raw []byte) (*Proof, error) {
	parsed := gocose.NewSign1Message()
	if err := parsed.UnmarshalCBOR(raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	alg, err := parsed.Headers.Protected.Algorithm()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	kid, isBytes := parsed.Headers.Protected[gocose.HeaderLabelKeyID].([]byte)
	if !isBytes || len(parsed.Payload) == 0 {
		return nil, ErrMalformed
	}
	again := proof(alg, kid, parsed.Payload)
	again.Signature = parsed.Signature
	if canonical, err := again.MarshalCBOR(); err != nil || !bytes.Equal(canonical, raw) {
		return nil, ErrMalformed
	}
	return &Proof{KID: kid, Payload: parsed.Payload, alg: int64(alg), parsed: again}, nil
}

// Verify says whether the owner of the key signed exactly this, about this.
func (p *Proof) Verify(pub ed25519.PublicKey, about []byte) error {
	if p.alg != EdDSA && p.alg != Ed25519 {
		return fmt.Errorf("%w %d", ErrAlgorithm, p.alg)
	}
	if len(pub) != ed25519.PublicKeySize || p.parsed.Verify(about, verifier{gocose.Algorithm(p.alg), pub}) != nil {
		return ErrSignature
	}
	return nil
}

// ProofOf is the proof that has these parts, as Prove made it. Where both sides know
// everything but the signature, the rest need not travel.
func ProofOf(kid, payload, signature []byte) *Proof {
	m := proof(gocose.AlgorithmEdDSA, kid, payload)
	m.Signature = signature
	return &Proof{KID: kid, Payload: payload, alg: EdDSA, parsed: m}
}

// Signature is the proof's own.
func (p *Proof) Signature() []byte { return p.parsed.Signature }
