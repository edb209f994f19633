package exchange

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"ironfeet/sync/cose"
)

// On a slow link every byte is waited for, so the two requests that are made most
// often have a brief form: POST /v2/push and /v2/pull. Their body begins with the
// proof, of which only what the server does not know travels:
//
//	key id 8 | Unix ms 6 | nonce 4 | SHA-256 of the rest of the body 16 | signature 64
//
// The signature is over the same COSE structure as the header's, with the 26 bytes
// between key id and signature as its payload.

// BriefProof is the size of the proof before the body.
const BriefProof = cose.KeyIDSize + briefPayload + ed25519.SignatureSize

const (
	briefTime    = 6
	briefNonce   = 4
	briefSum     = 16
	briefPayload = briefTime + briefNonce + briefSum
)

// Brief says whether requests of this path have the brief form.
func Brief(path string) bool { return strings.HasPrefix(path, "/v2/") }

// SignBrief makes the proof that stands before a brief body.
func SignBrief(key ed25519.PrivateKey, method, path string, body []byte, at time.Time, random io.Reader) ([]byte, error) {
	payload := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())<<16)[:briefTime]
	payload = append(payload, make([]byte, briefNonce)...)
	if _, err := io.ReadFull(random, payload[briefTime:]); err != nil {
		return nil, fmt.Errorf("sign a request: %w", err)
	}
	sum := sha256.Sum256(body)
	payload = append(payload, sum[:briefSum]...)
	raw, err := cose.Prove(key, about(method, path), payload)
	if err != nil {
		return nil, fmt.Errorf("sign a request: %w", err)
	}
	p, err := cose.ParseProof(raw)
	if err != nil {
		return nil, fmt.Errorf("sign a request: %w", err)
	}
	return append(append(p.KID, payload...), p.Signature()...), nil
}

// ParseBrief reads the proof before a brief body. Whose it is, the key id says.
func ParseBrief(b []byte) (*Signed, error) {
	if len(b) != BriefProof {
		return nil, ErrUnsigned
	}
	kid, payload, signature := b[:cose.KeyIDSize], b[cose.KeyIDSize:cose.KeyIDSize+briefPayload], b[cose.KeyIDSize+briefPayload:]
	return &Signed{
		KID: kid, At: time.UnixMilli(int64(binary.BigEndian.Uint64(payload) >> 16)), proof: cose.ProofOf(kid, payload, signature),
		nonce: payload[:briefTime+briefNonce], body: payload[briefTime+briefNonce:],
	}, nil
}

// PushBrief brings bundles: each whole, as a byte string, or brief, as an array
// (bundle.Brief).
type PushBrief []cbor.RawMessage

// PushedBrief answers it.
type PushedBrief struct {
	_        struct{} `cbor:",toarray"`
	Outcomes []BriefOutcome
	Receipts []BriefReceipt
}

// Statuses are the outcomes by their number; Again asks for the bundle whole.
var Statuses = []string{"new", "already", "waiting", "aside", "withheld", Again}

// Again is the outcome of a brief bundle that follows another one than the county has.
const Again = "again"

// A BriefOutcome is what became of one bundle.
type BriefOutcome struct {
	_      struct{} `cbor:",toarray"`
	Status uint64
	Last   uint64
	Code   string
}

// A BriefReceipt is the county's word for everything up to a bundle of this push: which
// one, when, by how many milliseconds after the request's own time, and the signature.
// Whole is set instead where it is about something else.
type BriefReceipt struct {
	_         struct{} `cbor:",toarray"`
	Which     uint64
	After     int64
	Signature []byte
	Whole     []byte
}
