// Package retention lets go of what need not be kept any longer (个人信息保护法
// Art. 19, 47), by the county's policy, and leaves a certificate of what went.
//
// What goes are photos and drawings of visits that are older than the policy says
// and that no newer visit names, and what nothing names at all. The signed records
// stay with the digests of what they named; periods are local (domain.md §8), so
// there is no default.
package retention

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"ironfeet/app/casework/visit"
	"ironfeet/store"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

// Why something goes.
const (
	TooOld  = "too_old" // its visit ended before the day of the policy
	Unnamed = "unnamed" // nothing names it any more
	Expired = "expired" // an export's file whose days are over
	Partial = "partial" // an upload that nobody went on with
)

// An Item is one thing that goes, or went.
type Item struct {
	Why    string       `cbor:"1,keyasint"`
	Digest store.Digest `cbor:"2,keyasint"`
	Size   int64        `cbor:"3,keyasint"`
	Of     uuid.UUID    `cbor:"4,keyasint"`           // the visit
	Ended  int64        `cbor:"5,keyasint,omitempty"` // of the visit, Unix seconds
}

const pageSize = 500

// Plan lists the photos and drawings of visits that ended before a day, and the
// files that nothing names, by visit and digest. Nothing is touched.
func Plan(ctx context.Context, r *store.Replica, before time.Time) ([]Item, error) {
	var list []Item
	kept := map[store.Digest]bool{}
	var at store.Place
	for {
		page, err := r.PageByPlace(ctx, store.Visit, "", "", at, pageSize)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			at = store.Place{Division: e.Division, ID: e.ID}
			s, err := visit.FromEntity(e)
			if err != nil {
				return nil, err
			}
			for _, b := range s.Content.Blobs() {
				if !s.EndedAt().Before(before) {
					kept[b.Digest] = true
					continue
				}
				list = append(list, Item{TooOld, b.Digest, b.Size, s.ID, s.Content.Ended / 1000})
			}
		}
		if len(page) < pageSize {
			break
		}
	}
	garbage, err := r.Garbage(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range garbage {
		list = append(list, Item{Why: Unnamed, Digest: b.Digest, Size: b.Size})
	}
	var here []Item
	for _, i := range list {
		ok, err := r.HasBlob(ctx, i.Digest)
		if err != nil {
			return nil, err
		}
		if ok && !kept[i.Digest] {
			here = append(here, i)
		}
	}
	slices.SortFunc(here, func(a, b Item) int {
		if c := bytes.Compare(a.Of[:], b.Of[:]); c != 0 {
			return c
		}
		return bytes.Compare(a.Digest[:], b.Digest[:])
	})
	return slices.CompactFunc(here, func(a, b Item) bool { return a.Digest == b.Digest }), nil
}

// Carry removes what a plan lists, and returns what went.
func Carry(ctx context.Context, r *store.Replica, plan []Item) ([]Item, error) {
	var digests []store.Digest
	for _, i := range plan {
		digests = append(digests, i.Digest)
	}
	gone, err := r.Purge(ctx, digests)
	went := map[store.Digest]bool{}
	for _, b := range gone {
		went[b.Digest] = true
	}
	var out []Item
	for _, i := range plan {
		if went[i.Digest] {
			out = append(out, i)
		}
	}
	return out, err
}

// A Certificate says what was removed, when, by which policy, and who stood for it;
// signed by the county's node, whose enrolment it carries.
type Certificate struct {
	Version    int    `cbor:"1,keyasint"`
	County     string `cbor:"2,keyasint"`
	At         int64  `cbor:"3,keyasint"` // Unix seconds
	By         string `cbor:"4,keyasint"` // names as they are enrolled
	Approved   string `cbor:"5,keyasint"`
	Policy     string `cbor:"6,keyasint"`
	Reason     string `cbor:"7,keyasint"`
	Items      []Item `cbor:"8,keyasint"`
	Node       []byte `cbor:"9,keyasint"` // the signer's enrolment
	Checkpoint []byte `cbor:"10,keyasint,omitempty"`
}

const certificateVersion = 1

// MaxCertificate bounds what Verify reads.
const MaxCertificate = 64 << 20

var (
	encode, _ = cbor.CoreDetEncOptions().EncMode()
	decode, _ = cbor.DecOptions{MaxArrayElements: 4_000_000, MaxMapPairs: 64, MaxNestedLevels: 8, DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
)

// Sign signs a certificate.
func Sign(c Certificate, key ed25519.PrivateKey) ([]byte, error) {
	c.Version = certificateVersion
	payload, err := encode.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("sign what was removed: %w", err)
	}
	return cose.Sign(key, cose.KeyID(key.Public().(ed25519.PublicKey)), cose.Purge, payload)
}

// ErrCertificate means a file is no certificate of the county's.
var ErrCertificate error = notCertified{errors.New("this is no certificate of removal that the county signed")}

type notCertified struct{ error }

func (notCertified) Code() string { return "retention.certificate" }

// Verify reads a certificate with nothing but the county's public key.
func Verify(raw []byte, root ed25519.PublicKey) (Certificate, error) {
	var c Certificate
	if len(raw) > MaxCertificate {
		return c, ErrCertificate
	}
	msg, err := cose.Parse(raw)
	if err != nil || msg.Type != cose.Purge || decode.Unmarshal(msg.Payload, &c) != nil || c.Version != certificateVersion {
		return Certificate{}, ErrCertificate
	}
	node, err := trust.VerifyCertificate(c.Node, root)
	if err != nil || node.What != trust.ForNode || node.Role != trust.County || msg.Verify(node.Key) != nil {
		return Certificate{}, ErrCertificate
	}
	return c, nil
}
