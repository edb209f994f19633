package link

import (
	"context"

	"ironfeet/store"
)

// A PhotoState says where one photo is on its way to the county. Nothing is called
// delivered before the county has signed for it (invariant 1).
type PhotoState struct {
	store.BlobRef
	State string // Delivered, Begun, Waiting
}

// The states of a photo that is here.
const (
	Delivered = "delivered" // the county has signed that it holds it
	Begun     = "begun"     // some of it is there; it goes on where it broke off
	Waiting   = "waiting"   // not sent yet
)

// PhotoStates are those of every photo that applied changes name and that is here, by
// digest. It asks nobody.
func (c *Client) PhotoStates(ctx context.Context) ([]PhotoState, error) {
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	named, err := c.Replica.NamedBlobs(ctx)
	if err != nil {
		return nil, err
	}
	signed := make(map[store.Digest]bool, len(c.state.Photos))
	for _, d := range c.state.Photos {
		signed[d] = true
	}
	list := make([]PhotoState, len(named))
	for i, ref := range named {
		list[i] = PhotoState{ref, Waiting}
		switch {
		case signed[ref.Digest]:
			list[i].State = Delivered
		case c.state.Begun != nil && *c.state.Begun == ref.Digest:
			list[i].State = Begun
		}
	}
	return list, nil
}
