package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"ironfeet/store/world"
	"ironfeet/sync/cose"
)

// A Root is the county's own key, which signs every certificate. Only the county
// holds it: as the secret "root.key" of its vault, 32 bytes of seed.
type Root struct {
	key ed25519.PrivateKey
}

// NewRoot makes the key of a new county.
func NewRoot(w world.World) (Root, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(w.Rand, seed); err != nil {
		return Root{}, fmt.Errorf("make the county's root key: %w", err)
	}
	return Root{ed25519.NewKeyFromSeed(seed)}, nil
}

// RootFromSeed opens the root from its seed as Seed returned it.
func RootFromSeed(seed []byte) (Root, error) {
	if len(seed) != ed25519.SeedSize {
		return Root{}, fmt.Errorf("open the county's root key: %d bytes, not %d", len(seed), ed25519.SeedSize)
	}
	return Root{ed25519.NewKeyFromSeed(seed)}, nil
}

// Seed is the secret to keep.
func (r Root) Seed() []byte { return r.key.Seed() }

// Public is what every node of the county knows.
func (r Root) Public() ed25519.PublicKey { return r.key.Public().(ed25519.PublicKey) }

// Certify signs a certificate and returns it as it will be read: times in whole
// seconds, UTC, with Raw.
func (r Root) Certify(c Certificate) (Certificate, error) {
	c.From, c.Until = c.From.UTC().Truncate(time.Second), c.Until.UTC().Truncate(time.Second)
	if err := c.check(); err != nil {
		return Certificate{}, fmt.Errorf("certify %s: %w", c.Subject, err)
	}
	raw, err := cose.Sign(r.key, cose.KeyID(r.Public()), cose.Certificate, cose.Encode(certificateBody{
		Version: 1, Subject: c.Subject, What: c.What, Name: c.Name,
		Key:       coseKey{Type: okp, Curve: curveEd25519, X: c.Key},
		Recipient: c.Recipient, Role: string(c.Role), Scope: c.Scope, From: c.From.Unix(), Until: c.Until.Unix(),
	}))
	if err != nil {
		return Certificate{}, fmt.Errorf("certify %s: %w", c.Subject, err)
	}
	return VerifyCertificate(raw, r.Public())
}

// Fingerprint names a root key in five groups of four characters that can be read
// out over the phone: the first 100 bits of the key's SHA-256 in Crockford's
// base 32.
func Fingerprint(pub ed25519.PublicKey) string { return FingerprintOf(sha256.Sum256(pub)) }

// FingerprintOf is Fingerprint where only the key's SHA-256 is known.
func FingerprintOf(sum [32]byte) string { return group(base32Text(sum[:], fingerprintChars)) }
