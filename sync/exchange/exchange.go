// Package exchange is what a node and the county's server say to each other over
// HTTP, and how a request proves who makes it.
//
//	POST /v1/ask      token                     -> who is invited, and as what
//	POST /v1/enrol    token, keys               -> certificates
//	POST /v1/push     bundles                   -> outcomes, receipts
//	POST /v1/pull     cursor                    -> bundles in scope, heads of the others
//	POST /v1/renew    the node's next key       -> its certificate
//	POST /v1/photos   digests                   -> which are wanted; a receipt for those held
//	/v1/uploads/…     tus 1.0                   -> one photo, piece by piece
//	POST /v2/push, /v2/pull                     the same in fewer bytes, see brief.go
//	GET  /v1/photos/… one photo
//
// Bodies are deterministic CBOR. Every request but the first two is signed by the
// node's key over method, path, body, time and a nonce. What the county answers is
// believed only where it is signed itself: bundles, receipts, certificates.
//
// Specified in sync/FORMAT.md. This package knows neither sockets nor replicas.
package exchange

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// Limits of requests and answers (invariant 10).
const (
	MaxSmall = 64 << 10 // a request that carries no bundle
	MaxPush  = 17 << 20 // bundles of one push: one of the largest
	MaxPull  = 40 << 20 // an answer to a pull
	MaxPiece = 1 << 20  // a piece of a photo on a good link
	BadPiece = 64 << 10 // and on a bad one: what breaks costs no more
	MaxPhoto = 20 << 20

	MaxBundles = 256     // in one push or pull
	PageBytes  = 4 << 20 // a pull's answer ends after this many
)

// MediaType of bodies.
const MediaType = "application/cbor"

// Ask presents an invitation's token.
type Ask struct {
	Token string `cbor:"1,keyasint"`
}

// Invited says what an invitation is for.
type Invited struct {
	County string    `cbor:"1,keyasint"`
	Node   uuid.UUID `cbor:"2,keyasint"`
	Name   string    `cbor:"3,keyasint"`
	Role   string    `cbor:"4,keyasint"`
	Scope  []string  `cbor:"5,keyasint"`
	People []Guest   `cbor:"6,keyasint,omitempty"`
	Root   []byte    `cbor:"7,keyasint"` // the county's public root key, to compare with the invitation
}

// A Guest is a person who will work at the invited node.
type Guest struct {
	ID    uuid.UUID `cbor:"1,keyasint"`
	Name  string    `cbor:"2,keyasint"`
	Role  string    `cbor:"3,keyasint"`
	Scope []string  `cbor:"4,keyasint"`
}

// Enrol brings the public keys that were made where they will be used.
type Enrol struct {
	Token     string      `cbor:"1,keyasint"`
	Key       []byte      `cbor:"2,keyasint"` // the node's, Ed25519
	Recipient string      `cbor:"3,keyasint"` // age1…
	People    []PersonKey `cbor:"4,keyasint,omitempty"`
}

// A PersonKey is one person's public key.
type PersonKey struct {
	ID  uuid.UUID `cbor:"1,keyasint"`
	Key []byte    `cbor:"2,keyasint"`
}

// Enrolled answers Enrol: every certificate is signed by the root.
type Enrolled struct {
	County       []byte   `cbor:"1,keyasint"` // certificate of the county's own node
	Certificates [][]byte `cbor:"2,keyasint"`
}

// Push brings bundles.
type Push struct {
	Bundles [][]byte `cbor:"1,keyasint"`
}

// Pushed answers Push, an outcome a bundle in their order; receipts name the nodes
// whose bundles came.
type Pushed struct {
	Outcomes []Outcome `cbor:"1,keyasint"`
	Receipts [][]byte  `cbor:"2,keyasint"`
}

// An Outcome is what became of one bundle.
type Outcome struct {
	Status string `cbor:"1,keyasint"`           // of package merge
	Code   string `cbor:"2,keyasint,omitempty"` // why it waits or was set aside
	Last   uint64 `cbor:"3,keyasint"`           // what the county has of that node
}

// Pull asks for what has come since a cursor. Where nothing has, the answer is 204
// without a body.
type Pull struct {
	Since uint64 `cbor:"1,keyasint"`
}

// Pulled answers Pull.
type Pulled struct {
	Bundles  [][]byte `cbor:"1,keyasint,omitempty"`
	Cursor   uint64   `cbor:"2,keyasint"`
	More     bool     `cbor:"3,keyasint,omitempty"`
	Receipts [][]byte `cbor:"4,keyasint,omitempty"`
}

// Photos asks what is known of photos.
type Photos struct {
	Digests []store.Digest `cbor:"1,keyasint"`
}

// PhotosKnown answers Photos.
type PhotosKnown struct {
	Wanted  []store.Digest `cbor:"1,keyasint,omitempty"` // named by a visit here and not here yet
	Receipt []byte         `cbor:"2,keyasint,omitempty"` // for those that are held
}

// Renew brings a node's next key, asked for with the one it has.
type Renew struct {
	Key       []byte `cbor:"1,keyasint"` // Ed25519
	Recipient string `cbor:"2,keyasint"`
	Proof     []byte `cbor:"3,keyasint"` // of the new key, see trust.ProveKey
}

// Renewed answers Renew.
type Renewed struct {
	Certificate []byte `cbor:"1,keyasint"`
}

// A Fault is the body of every answer that is no success.
type Fault struct {
	Code string `cbor:"1,keyasint"`
}

// What a request's proof says of itself; what it is about, see about, travels as
// the request.
type claim struct {
	_     struct{} `cbor:",toarray"`
	Node  uuid.UUID
	Time  int64 // Unix milliseconds of the sender
	Nonce []byte
	Body  cose.Hash
}

// about is what a request's proof is about, as its external_aad: changing any of it
// makes the proof worthless.
func about(method, path string) []byte {
	return cose.Encode([]string{string(cose.Request), method, path})
}

const (
	scheme    = "Ironfeet "
	nonceSize = 8
	maxHeader = 1 << 10

	// Window is how far a request's time may be from the server's. A tablet's clock
	// may be wrong by days: the server answers its own time, and the client asks
	// again with that.
	Window = 10 * time.Minute
)

// Sign makes the Authorization header of a request.
func Sign(key ed25519.PrivateKey, node uuid.UUID, method, path string, body []byte, at time.Time, random io.Reader) (string, error) {
	nonce := make([]byte, nonceSize)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("sign a request: %w", err)
	}
	raw, err := cose.Prove(key, about(method, path), cose.Encode(claim{
		Node: node, Time: at.UnixMilli(), Nonce: nonce, Body: cose.HashOf(sha256.Sum256(body)),
	}))
	if err != nil {
		return "", fmt.Errorf("sign a request: %w", err)
	}
	return scheme + base64.RawStdEncoding.EncodeToString(raw), nil
}

// A Signed request is one whose proof could be read; nothing of it is believed
// before Verify.
type Signed struct {
	Node  uuid.UUID // zero in a brief one: the key says it
	KID   []byte
	At    time.Time // by the sender's clock
	proof *cose.Proof
	nonce []byte
	body  []byte // as much of the SHA-256 of the body as was signed
}

// Reasons why a request is refused. None says more to a stranger than that.
var (
	ErrUnsigned = errors.New("the request is not signed by a node of this county")
	ErrStale    = errors.New("the request's time is too far from the server's")
	ErrReplayed = errors.New("the request was made before")
)

// ParseHeader reads an Authorization header.
func ParseHeader(header string) (*Signed, error) {
	text, ok := strings.CutPrefix(header, scheme)
	if !ok || len(text) > maxHeader {
		return nil, ErrUnsigned
	}
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, ErrUnsigned
	}
	p, err := cose.ParseProof(raw)
	if err != nil {
		return nil, ErrUnsigned
	}
	var c claim
	if cose.Decode(p.Payload, &c) != nil || len(c.Nonce) != nonceSize {
		return nil, ErrUnsigned
	}
	sum, err := c.Body.Digest()
	if err != nil {
		return nil, ErrUnsigned
	}
	return &Signed{Node: c.Node, KID: p.KID, At: time.UnixMilli(c.Time), proof: p, nonce: c.Nonce, body: sum[:]}, nil
}

// Verify says whether the owner of the key made a request of this method and path
// now and for the first time. It needs no byte of the body; Holds checks that.
func (s *Signed) Verify(pub ed25519.PublicKey, method, path string, now time.Time, seen *Nonces) error {
	if s.proof.Verify(pub, about(method, path)) != nil {
		return ErrUnsigned
	}
	if s.At.Before(now.Add(-Window)) || s.At.After(now.Add(Window)) {
		return ErrStale
	}
	if !seen.first(s.Node, s.nonce, now) {
		return ErrReplayed
	}
	return nil
}

// Holds says whether this is the body that was signed.
func (s *Signed) Holds(body store.Hashed) bool {
	sum := body.Digest()
	return bytes.HasPrefix(sum[:], s.body)
}

// Nonces remembers the requests of the last two windows.
type Nonces struct {
	mu         sync.Mutex
	young, old map[string]bool
	turned     time.Time
}

// maxNonces bounds memory: beyond it the window is turned early, which only makes
// it shorter for what is older.
const maxNonces = 200_000

func (n *Nonces) first(node uuid.UUID, nonce []byte, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.young == nil || now.Sub(n.turned) > 2*Window || len(n.young) > maxNonces {
		n.old, n.young, n.turned = n.young, map[string]bool{}, now
	}
	key := string(node[:]) + string(nonce)
	if n.young[key] || n.old[key] {
		return false
	}
	n.young[key] = true
	return true
}

// Encode and Decode write and read bodies; Decode accepts only the form that
// Encode writes.
func Encode(v any) []byte { return cose.Encode(v) }

// Decode reads a body.
func Decode(body []byte, into any) error { return cose.Decode(body, into) }
