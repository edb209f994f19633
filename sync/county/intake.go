package county

import (
	"context"
	"errors"
	"sync"

	"ironfeet/sync/merge"
)

// An intake lets many nodes that push at once share one transaction, and so one sync
// of the disk: who comes while bundles are being taken waits, and all who waited are
// taken together. Each is answered only after the shared transaction is durable.
//
// Signatures are verified and contents judged before anybody waits, in each request's
// own goroutine, so that a turn is little more than the transaction.
//
// Whoever comes first leads: it takes its own and the others' bundles in its own
// goroutine, and then hands the lead to the next who waits. There is no goroutine of
// the intake's own, nothing to start and nothing to stop.
type intake struct {
	mu      sync.Mutex
	busy    bool
	waiting []*load
}

// A load is one request's bundles.
type load struct {
	arrivals []*merge.Arrival
	size     int
	outcomes []merge.Outcome
	err      error
	turn     chan bool // true: lead now; false: yours was taken
}

// Loads are taken together up to here.
const (
	maxLoads     = 64
	maxLoadBytes = 4 << 20
)

// errLeader means that the request that took this one's bundles along broke down:
// nothing is known of them, and sending them again is right.
var errLeader = errors.New("the bundles were not taken; they can be sent again")

func (in *intake) take(ctx context.Context, m *merge.Merger, raws [][]byte) ([]merge.Outcome, error) {
	own := &load{arrivals: m.Look(ctx, raws...), turn: make(chan bool, 1)}
	for _, raw := range raws {
		own.size += len(raw)
	}
	in.mu.Lock()
	in.waiting = append(in.waiting, own)
	if in.busy {
		in.mu.Unlock()
		if lead := <-own.turn; !lead {
			return own.outcomes, own.err
		}
		in.mu.Lock()
	}
	in.busy = true
	batch := in.next()
	in.mu.Unlock()

	for _, l := range batch {
		l.err = errLeader // until it is known better, also if the taking panics
	}
	defer func() {
		for _, l := range batch {
			if l != own {
				l.turn <- false
			}
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.busy = len(in.waiting) > 0; in.busy {
			in.waiting[0].turn <- true
		}
	}()
	var all []*merge.Arrival
	for _, l := range batch {
		all = append(all, l.arrivals...)
	}
	outcomes, err := m.TakeLooked(ctx, all...)
	if err != nil {
		for _, l := range batch {
			l.err = err
		}
		return nil, err
	}
	for _, l := range batch {
		n := len(l.arrivals)
		l.outcomes, l.err = outcomes[:n:n], nil
		outcomes = outcomes[n:]
	}
	return own.outcomes, nil
}

// next is what is taken together now, in the order of its coming; the lock is held.
func (in *intake) next() []*load {
	size, n := 0, 0
	for n < len(in.waiting) && n < maxLoads && (n == 0 || size < maxLoadBytes) {
		size += in.waiting[n].size
		n++
	}
	batch := in.waiting[:n:n]
	in.waiting = in.waiting[n:]
	return batch
}
