package trust

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// A Receipt is the county's signed word that it holds, durably, every change of a
// node up to a sequence number, and which blobs. Only a receipt ends the node's
// care for them (invariant 1).
type Receipt struct {
	Node  uuid.UUID
	UpTo  uint64       // 0: nothing yet
	Tip   store.Digest // of the last bundle's head; zero if nothing
	Blobs []store.Digest
	At    time.Time // whole milliseconds, by the county's clock
}

// MaxReceiptBlobs is how many blobs one receipt may name; more need several.
const MaxReceiptBlobs = 10_000

type receiptBody struct {
	Version uint64      `cbor:"1,keyasint"`
	Node    uuid.UUID   `cbor:"2,keyasint"`
	UpTo    uint64      `cbor:"3,keyasint"`
	Tip     *cose.Hash  `cbor:"4,keyasint,omitempty"`
	Blobs   []blobEntry `cbor:"5,keyasint,omitempty"`
	At      int64       `cbor:"6,keyasint"`
}

// blobEntry is a SHA-256, 32 bytes.
type blobEntry = store.Digest

// SignReceipt signs with the county node's key.
func SignReceipt(key ed25519.PrivateKey, r Receipt) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("receipt for %s: the node's key is missing", r.Node)
	}
	if len(r.Blobs) > MaxReceiptBlobs {
		return nil, fmt.Errorf("receipt for %s: %d blobs, at most %d in one", r.Node, len(r.Blobs), MaxReceiptBlobs)
	}
	return cose.Sign(key, cose.KeyID(key.Public().(ed25519.PublicKey)), cose.Receipt, r.payload())
}

func (r Receipt) payload() []byte {
	body := receiptBody{Version: 1, Node: r.Node, UpTo: r.UpTo, Blobs: r.Blobs, At: r.At.UnixMilli()}
	if r.UpTo > 0 {
		tip := cose.HashOf(r.Tip)
		body.Tip = &tip
	}
	return cose.Encode(body)
}

// SignatureOf is the signature of a receipt, from which WholeReceipt makes it again.
func SignatureOf(receipt []byte) ([]byte, error) {
	m, err := cose.Parse(receipt)
	if err != nil {
		return nil, err
	}
	return m.Signature(), nil
}

// WholeReceipt is the receipt that a county node signed, made of what it says and the
// signature; false: no county node of the roll signed that.
func (r *Roll) WholeReceipt(said Receipt, signature []byte) ([]byte, bool) {
	for _, c := range r.County() {
		raw, err := cose.Assemble(cose.KeyID(c.Key), cose.Receipt, said.payload(), signature)
		if err != nil {
			continue
		}
		if m, err := cose.Parse(raw); err == nil && m.Verify(c.Key) == nil {
			return raw, true
		}
	}
	return nil, false
}

// VerifyReceipt reads a receipt and believes it if a county node of the roll
// signed it.
func (r *Roll) VerifyReceipt(raw []byte) (Receipt, Certificate, error) {
	refuse := func(err error) (Receipt, Certificate, error) {
		return Receipt{}, Certificate{}, &RefusedError{Rule: BadReceipt, Cause: err}
	}
	m, err := cose.Parse(raw)
	if err != nil {
		return refuse(err)
	}
	if m.Type != cose.Receipt {
		return refuse(cose.ErrMalformed)
	}
	certificate, found := find(r.County(), m.KID)
	if !found {
		return refuse(&RefusedError{Rule: UnknownNode})
	}
	if err := m.Verify(certificate.Key); err != nil {
		return refuse(err)
	}
	var b receiptBody
	if err := cose.Decode(m.Payload, &b); err != nil {
		return refuse(err)
	}
	if b.Version != 1 || len(b.Blobs) > MaxReceiptBlobs || (b.UpTo > 0) != (b.Tip != nil) {
		return refuse(fmt.Errorf("%w: version %d", cose.ErrMalformed, b.Version))
	}
	receipt := Receipt{Node: b.Node, UpTo: b.UpTo, Blobs: b.Blobs, At: time.UnixMilli(b.At).UTC()}
	if b.Tip != nil {
		if receipt.Tip, err = b.Tip.Digest(); err != nil {
			return refuse(err)
		}
	}
	return receipt, certificate, nil
}
