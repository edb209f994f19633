package trust

import (
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
)

// RollOf is the roll of certificates that lie before one, in a file for example,
// and not in a replica. Those that the root did not sign are left out and listed
// by Faults; nothing is revoked and nothing accepted.
func RollOf(root ed25519.PublicKey, raws ...[]byte) *Roll {
	roll := emptyRoll(root)
	for _, raw := range raws {
		roll.add(uuid.Nil, raw)
	}
	roll.sort()
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
