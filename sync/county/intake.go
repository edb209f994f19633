package county

import (
	"context"

	"ironfeet/store/together"
	"ironfeet/sync/merge"
)

// An intake lets many nodes that push at once share one transaction, and so one sync
// of the disk. Each is answered only after the shared transaction is durable.
//
// Signatures are verified and contents judged before anybody waits, in each request's
// own goroutine, so that a turn is little more than the transaction.
type intake struct {
	merger *merge.Merger
	queue  together.Queue[*load]
}

// A load is one request's bundles.
type load struct {
	arrivals []*merge.Arrival
	size     int
	outcomes []merge.Outcome
}

// Loads are taken together up to here.
const (
	maxLoads     = 64
	maxLoadBytes = 4 << 20
)

func newIntake(m *merge.Merger) *intake {
	return &intake{merger: m, queue: together.Queue[*load]{Most: maxLoads, Size: maxLoadBytes, Large: func(l *load) int { return l.size }}}
}

func (in *intake) take(ctx context.Context, raws [][]byte) ([]merge.Outcome, error) {
	own := &load{arrivals: in.merger.Look(ctx, raws...)}
	for _, raw := range raws {
		own.size += len(raw)
	}
	err := in.queue.Do(own, func(batch []*load) error {
		var all []*merge.Arrival
		for _, l := range batch {
			all = append(all, l.arrivals...)
		}
		outcomes, err := in.merger.TakeLooked(ctx, all...)
		if err != nil {
			return err
		}
		for _, l := range batch {
			n := len(l.arrivals)
			l.outcomes, outcomes = outcomes[:n:n], outcomes[n:]
		}
		return nil
	})
	return own.outcomes, err
}
