package trust

import (
	"crypto/ed25519"
	"fmt"

	"github.com/google/uuid"

	"ironfeet/sync/cose"
)

// A node takes a new key by asking with the old one and proving that it has the new:
//
//	old key ──signs──▶ request( new key,
//	                            new key ──signs──▶ this node's id and old key id )
//	root    ──signs──▶ certificate of the new key
//
// From the first bundle on that the new key signed, the old one signs nothing more:
// what turns up behind it under the old key is set aside. Both are certified in
// between, so a crash at any moment leaves the node with a key that counts.

const renewal = "application/ironfeet-renewal+cbor"

// ProveKey is a new key's word that it is this node's, next to the old one.
func ProveKey(key ed25519.PrivateKey, node uuid.UUID, old ed25519.PublicKey) ([]byte, error) {
	return cose.Prove(key, []byte(renewal), cose.Encode([][]byte{node[:], cose.KeyID(old)}))
}

// VerifyKey says whether a new key's owner gave that word.
func VerifyKey(raw []byte, key ed25519.PublicKey, node uuid.UUID, oldKID []byte) error {
	p, err := cose.ParseProof(raw)
	if err != nil {
		return err
	}
	if err := p.Verify(key, []byte(renewal)); err != nil {
		return err
	}
	var said [][]byte
	if err := cose.Decode(p.Payload, &said); err != nil {
		return err
	}
	if len(said) != 2 || string(said[0]) != string(node[:]) || string(said[1]) != string(oldKID) {
		return fmt.Errorf("%w: for another node or key", cose.ErrSignature)
	}
	return nil
}
