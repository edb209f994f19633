package trust

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// What a certificate speaks about.
const (
	ForNode   = "node"
	ForPerson = "person"
)

// A Certificate is the county root's word about a key: whose it is, what its owner
// may do, where and how long.
type Certificate struct {
	Subject     uuid.UUID
	What        string // ForNode or ForPerson
	Name        string // of the person or the machine, for people
	Key         ed25519.PublicKey
	Recipient   string // age1…: nodes only, where carriers for it are sealed to
	Role        Role
	Scope       []string  // division codes, at least one; each holds all codes it is a prefix of
	From, Until time.Time // whole seconds; Until is the first moment at which it no longer counts
	Raw         []byte    // the signed bytes
}

// certificateBody is the payload, version 1. Numbers are never reused.
type certificateBody struct {
	Version   uint64    `cbor:"1,keyasint"`
	Subject   uuid.UUID `cbor:"2,keyasint"`
	What      string    `cbor:"3,keyasint"`
	Name      string    `cbor:"4,keyasint"`
	Key       coseKey   `cbor:"5,keyasint"`
	Recipient string    `cbor:"6,keyasint,omitempty"`
	Role      string    `cbor:"7,keyasint"`
	Scope     []string  `cbor:"8,keyasint"`
	From      int64     `cbor:"9,keyasint"`
	Until     int64     `cbor:"10,keyasint"`
}

// coseKey is a COSE_Key (RFC 9052 §7) of type OKP on curve Ed25519.
type coseKey struct {
	Type  int64  `cbor:"1,keyasint"`
	Curve int64  `cbor:"-1,keyasint"`
	X     []byte `cbor:"-2,keyasint"`
}

const (
	okp          = 1
	curveEd25519 = 6
)

// Limits of a certificate.
const (
	maxName  = 200 // bytes
	maxScope = 64  // divisions
)

// CertField is the field of a person or node entity that holds the certificate of
// a key: "cert." and the first eight hexadecimal digits of the key's id.
func CertField(pub ed25519.PublicKey) string {
	return certPrefix + hex.EncodeToString(cose.KeyID(pub)[:4])
}

const certPrefix = "cert."

// Covers says whether the division lies in the certificate's scope.
func (c Certificate) Covers(division string) bool {
	return slices.ContainsFunc(c.Scope, func(scope string) bool { return store.Within(scope, division) })
}

// check says what makes a certificate unusable.
func (c Certificate) check() error {
	switch {
	case c.Subject == uuid.Nil:
		return errors.New("a certificate needs a subject")
	case c.What != ForNode && c.What != ForPerson:
		return errors.New("a certificate is for a node or a person")
	case c.Name == "" || len(c.Name) > maxName:
		return errors.New("a certificate needs a name of at most 200 bytes")
	case len(c.Key) != ed25519.PublicKeySize:
		return errors.New("a certificate needs an Ed25519 key")
	case !slices.Contains(Roles, c.Role) || c.What == ForNode && !slices.Contains(Roles[:3], c.Role):
		return errors.New("a certificate needs a role")
	case len(c.Scope) == 0 || len(c.Scope) > maxScope || slices.ContainsFunc(c.Scope, func(s string) bool { return !isDivision(s) }):
		return errors.New("a certificate needs one to 64 divisions of 6, 9 or 12 digits")
	case !c.From.Before(c.Until):
		return errors.New("a certificate needs a time in which it counts")
	case c.Recipient != "" && (c.What != ForNode || !strings.HasPrefix(c.Recipient, "age1") || len(c.Recipient) > maxName):
		return errors.New("only a node has a recipient, and it begins with age1")
	}
	return nil
}

func isDivision(s string) bool {
	if len(s) != 6 && len(s) != 9 && len(s) != 12 {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// VerifyCertificate reads a certificate that the root signed. A time of validity
// that has passed is no fault here: whether it counts depends on what it is asked
// for.
func VerifyCertificate(raw []byte, root ed25519.PublicKey) (Certificate, error) {
	m, err := cose.Parse(raw)
	if err != nil {
		return Certificate{}, &RefusedError{Rule: BadCertificate, Cause: err}
	}
	var b certificateBody
	if m.Type != cose.Certificate {
		err = cose.ErrMalformed
	} else if err = m.Verify(root); err == nil {
		err = cose.Decode(m.Payload, &b)
	}
	if err == nil && (b.Version != 1 || b.Key.Type != okp || b.Key.Curve != curveEd25519) {
		err = errors.New("a newer certificate than this program knows")
	}
	if err != nil {
		return Certificate{}, &RefusedError{Rule: BadCertificate, Cause: err}
	}
	c := Certificate{
		Subject: b.Subject, What: b.What, Name: b.Name, Key: b.Key.X, Recipient: b.Recipient, Role: Role(b.Role),
		Scope: b.Scope, From: time.Unix(b.From, 0).UTC(), Until: time.Unix(b.Until, 0).UTC(), Raw: slices.Clone(raw),
	}
	if err := c.check(); err != nil {
		return Certificate{}, &RefusedError{Rule: BadCertificate, Node: b.Subject, Cause: err}
	}
	return c, nil
}

// CertificateEdit is the change by which the county publishes a certificate.
// Division is the county's own code: every node of the county must be able to
// judge every other.
func CertificateEdit(c Certificate, division string) store.Edit {
	kind := store.Person
	if c.What == ForNode {
		kind = store.Node
	}
	return store.Edit{Kind: kind, Entity: c.Subject, Division: division, Fields: map[string]store.Value{
		CertField(c.Key): store.Bytes(c.Raw),
		"name":           store.Text(c.Name),
	}}
}
