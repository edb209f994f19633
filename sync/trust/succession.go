package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// A county's root may be followed by another. Each signs for the other, as fields of
// the county's node, and from then on both certify alike:
//
//	old root ──vouches for──▶ new root ──vouches for──▶ old root
//
// A node that enrolled under the old one learns of the new one that way, and one that
// enrols under the new one believes what was certified under the old.

// vouchBody is the payload, version 1.
type vouchBody struct {
	Version uint64  `cbor:"1,keyasint"`
	Key     coseKey `cbor:"2,keyasint"` // of the other root
	At      int64   `cbor:"3,keyasint"` // Unix seconds
}

const vouchPrefix = "root."

// Vouch is this root's word that another certifies as it does itself.
func (r Root) Vouch(other ed25519.PublicKey, at time.Time) ([]byte, error) {
	raw, err := cose.Sign(r.key, cose.KeyID(r.Public()), cose.Succession, cose.Encode(vouchBody{
		Version: 1, Key: coseKey{Type: okp, Curve: curveEd25519, X: other}, At: at.Unix(),
	}))
	if err != nil {
		return nil, fmt.Errorf("vouch for another root: %w", err)
	}
	return raw, nil
}

// VouchEdit is the change by which the county publishes what roots say of each other.
func VouchEdit(node uuid.UUID, division string, vouches ...[]byte) store.Edit {
	e := store.Edit{Kind: store.Node, Entity: node, Division: division, Fields: map[string]store.Value{}}
	for _, raw := range vouches {
		digest := store.DigestOf(raw)
		e.Fields[vouchPrefix+hex.EncodeToString(digest[:4])] = store.Bytes(raw)
	}
	return e
}

// vouched reads a vouch if one of these roots signed it.
func vouched(raw []byte, roots []ed25519.PublicKey) (ed25519.PublicKey, bool) {
	m, err := cose.Parse(raw)
	if err != nil || m.Type != cose.Succession {
		return nil, false
	}
	for _, root := range roots {
		if !bytes.Equal(cose.KeyID(root), m.KID) || m.Verify(root) != nil {
			continue
		}
		var b vouchBody
		if cose.Decode(m.Payload, &b) != nil || b.Version != 1 || b.Key.Type != okp || b.Key.Curve != curveEd25519 || len(b.Key.X) != ed25519.PublicKeySize {
			return nil, false
		}
		return b.Key.X, true
	}
	return nil, false
}

// follow finds every root that the first leads to.
func (r *Roll) follow() {
	r.roots = []ed25519.PublicKey{r.root}
	for grown := true; grown && len(r.roots) < maxRoots; {
		grown = false
		for _, raw := range r.vouches {
			other, ok := vouched(raw, r.roots)
			if ok && !r.IsRoot(other) {
				r.roots, grown = append(r.roots, other), true
			}
		}
	}
}

// maxRoots bounds a county's history.
const maxRoots = 64

// IsRoot says whether a key is the county's root, or one that follows it or went
// before.
func (r *Roll) IsRoot(key ed25519.PublicKey) bool {
	return slices.ContainsFunc(r.Roots(), func(root ed25519.PublicKey) bool { return root.Equal(key) })
}

// Roots are all of them, that under which the roll stands first.
func (r *Roll) Roots() []ed25519.PublicKey {
	if len(r.roots) == 0 {
		return []ed25519.PublicKey{r.root}
	}
	return r.roots
}

// Verify reads a certificate that one of the roots signed. One that is on the roll,
// byte for byte, was verified when it came there.
func (r *Roll) Verify(raw []byte) (Certificate, error) {
	for _, everybody := range []map[uuid.UUID][]Certificate{r.nodes, r.people} {
		for _, list := range everybody {
			for _, c := range list {
				if bytes.Equal(c.Raw, raw) {
					return c, nil
				}
			}
		}
	}
	if m, err := cose.Parse(raw); err == nil {
		for _, root := range r.Roots() {
			if bytes.Equal(cose.KeyID(root), m.KID) {
				return VerifyCertificate(raw, root)
			}
		}
	}
	return VerifyCertificate(raw, r.root)
}
