package registry

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"ironfeet/store"
)

// Merged is the state of a household or member that was found to be another one
// (package duplicates). Its entity stays, with all that was signed about it, and
// its field "parent" (household) or "merged_into" (member) names the other.
const Merged = "merged"

// maxMerges bounds a chain of merges: A is B, B is C.
const maxMerges = 16

// Standing follows merges from an entity to the one that stands for it: itself if
// it was never merged.
func Standing(ctx context.Context, r *store.Replica, id uuid.UUID) (uuid.UUID, error) {
	seen := map[uuid.UUID]bool{}
	for range maxMerges {
		e, err := r.Entity(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return id, nil
		}
		if err != nil {
			return uuid.Nil, err
		}
		if e.Text("state") != Merged || seen[id] {
			return id, nil
		}
		seen[id] = true
		field := "parent"
		if e.Kind == store.Member {
			field = "merged_into"
		}
		next, err := uuid.Parse(e.Text(field))
		if err != nil {
			return id, nil
		}
		id = next
	}
	return id, nil
}
