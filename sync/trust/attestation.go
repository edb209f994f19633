package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// An Attestation is an investigator's own signature: I was there, and this is what
// we wrote down.
type Attestation struct {
	Visit  uuid.UUID
	Digest store.Digest // of the visit's content, which names every photo by its own digest
	Person uuid.UUID
	At     time.Time // whole milliseconds, by the device's clock
	Place  string    // where, as the device or the person says; may be empty
}

type attestationBody struct {
	Version uint64    `cbor:"1,keyasint"`
	Visit   uuid.UUID `cbor:"2,keyasint"`
	Digest  cose.Hash `cbor:"3,keyasint"`
	Person  uuid.UUID `cbor:"4,keyasint"`
	At      int64     `cbor:"5,keyasint"`
	Place   string    `cbor:"6,keyasint,omitempty"`
}

const maxPlace = 200 // bytes

// Attest signs with the person's key.
func Attest(key ed25519.PrivateKey, a Attestation) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("attest visit %s: the person's key is missing", a.Visit)
	}
	if len(a.Place) > maxPlace {
		return nil, fmt.Errorf("attest visit %s: the place has %d bytes, at most %d are kept", a.Visit, len(a.Place), maxPlace)
	}
	return cose.Sign(key, cose.KeyID(key.Public().(ed25519.PublicKey)), cose.Attestation, cose.Encode(attestationBody{
		Version: 1, Visit: a.Visit, Digest: cose.HashOf(a.Digest), Person: a.Person, At: a.At.UnixMilli(), Place: a.Place,
	}))
}

// VerifyAttestation reads an attestation and finds the certificate under which it
// counts: one of the person's own, for the key that signed, not past and not
// revoked at the time of signing. The rule UnknownPerson means that a certificate
// may still come.
func (r *Roll) VerifyAttestation(raw []byte) (Attestation, Certificate, error) {
	a, m, err := parseAttestation(raw)
	if err != nil {
		return Attestation{}, Certificate{}, &RefusedError{Rule: BadAttestation, Cause: err}
	}
	certificate, found := find(r.people[a.Person], m.KID)
	if !found {
		return a, Certificate{}, &RefusedError{Rule: UnknownPerson, Person: a.Person}
	}
	if err := m.Verify(certificate.Key); err != nil {
		return a, Certificate{}, &RefusedError{Rule: BadAttestation, Person: a.Person, Cause: err}
	}
	if !a.At.Before(certificate.Until) {
		return a, Certificate{}, &RefusedError{Rule: Expired, Person: a.Person}
	}
	if from, revoked := r.personRevoked[a.Person]; revoked && !a.At.Before(from) {
		return a, Certificate{}, &RefusedError{Rule: Revoked, Person: a.Person}
	}
	return a, certificate, nil
}

func parseAttestation(raw []byte) (Attestation, *cose.Message, error) {
	m, err := cose.Parse(raw)
	if err != nil {
		return Attestation{}, nil, err
	}
	if m.Type != cose.Attestation {
		return Attestation{}, nil, fmt.Errorf("%w: %s", cose.ErrMalformed, m.Type)
	}
	var b attestationBody
	if err := cose.Decode(m.Payload, &b); err != nil {
		return Attestation{}, nil, err
	}
	if b.Version != 1 || len(b.Place) > maxPlace {
		return Attestation{}, nil, fmt.Errorf("%w: version %d", cose.ErrMalformed, b.Version)
	}
	digest, err := b.Digest.Digest()
	if err != nil {
		return Attestation{}, nil, err
	}
	return Attestation{Visit: b.Visit, Digest: digest, Person: b.Person, At: time.UnixMilli(b.At).UTC(), Place: b.Place}, m, nil
}

// digestOf is the SHA-256 of a visit's content.
func digestOf(content []byte) store.Digest { return sha256.Sum256(content) }
