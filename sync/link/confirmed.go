package link

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"ironfeet/store"
)

// Confirmed says up to which change of each node the county is known to have them:
// of this node itself by the county's signed receipt alone (invariant 1), of others
// by a receipt or because they were passed on to it or came from it.
func Confirmed(ctx context.Context, r *store.Replica) (map[uuid.UUID]uint64, error) {
	var s state
	raw, err := r.Setting(ctx, settingState)
	if err != nil {
		return nil, err
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("read what the county has: %w", err)
		}
	}
	own := r.Identity().Node
	out := map[uuid.UUID]uint64{}
	tips, err := r.Tips(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range append(tips, store.Tip{Node: own}) {
		upTo, _, err := r.Receipt(ctx, t.Node)
		if err != nil {
			return nil, err
		}
		if t.Node != own {
			upTo = max(upTo, s.Have[t.Node])
		}
		out[t.Node] = upTo
	}
	return out, nil
}
