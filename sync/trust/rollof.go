package trust

import (
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// RollOf is the roll of certificates, and of what roots say of each other, that lie before one, in a file for example,
// and not in a replica. Those that the root did not sign are left out and listed
// by Faults; nothing is revoked and nothing accepted.
func RollOf(root ed25519.PublicKey, raws ...[]byte) *Roll {
	roll := emptyRoll(root)
	for _, raw := range raws {
		if m, err := cose.Parse(raw); err == nil && m.Type == cose.Succession {
			roll.vouches = append(roll.vouches, raw)
			continue
		}
		roll.pending = append(roll.pending, pending{uuid.Nil, raw})
	}
	roll.settle()
	return roll
}

func emptyRoll(root ed25519.PublicKey) *Roll {
	return &Roll{
		root:  slices.Clone(root),
		nodes: map[uuid.UUID][]Certificate{}, people: map[uuid.UUID][]Certificate{},
		revoked: map[uuid.UUID]Revocation{}, personRevoked: map[uuid.UUID]time.Time{},
		accepted: map[acceptedAt]store.Digest{},
	}
}
