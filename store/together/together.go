// Package together lets many callers share one turn at something that costs as much
// for one as for many: a transaction with its sync of the disk.
package together

import (
	"errors"
	"sync"
)

// A Queue gathers items while a turn is being taken; all that waited are taken
// together in the next one. Each caller is answered when the turn that took its item
// is over.
//
// Whoever comes first leads: it takes its own and the others' items in its own
// goroutine, and then hands the lead to the next who waits. There is no goroutine of
// the queue's own, nothing to start and nothing to stop; a caller who is alone is
// served as if there were no queue.
type Queue[T any] struct {
	Most  int // items a turn
	Size  int // and, if it is not 0, of so much in all; one that is larger goes alone
	Large func(T) int

	mu      sync.Mutex
	busy    bool
	waiting []*place[T]
}

type place[T any] struct {
	item T
	err  error
	turn chan bool // true: lead now; false: yours was taken
}

// ErrLeader means that the caller whose turn it was broke down: nothing is known of
// the items, and handing them in again is right.
var ErrLeader = errors.New("the turn was broken off; what it was to take can be sent again")

// Do hands in an item and returns what take answered for the turn that took it. Every
// caller of one queue hands in the same take.
func (q *Queue[T]) Do(item T, take func([]T) error) error {
	own := &place[T]{item: item, turn: make(chan bool, 1)}
	q.mu.Lock()
	q.waiting = append(q.waiting, own)
	if q.busy {
		q.mu.Unlock()
		if lead := <-own.turn; !lead {
			return own.err
		}
		q.mu.Lock()
	}
	q.busy = true
	batch := q.next()
	q.mu.Unlock()

	err := ErrLeader // until it is known better, also if take panics
	defer func() {
		for _, p := range batch {
			if p.err = err; p != own {
				p.turn <- false
			}
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.busy = len(q.waiting) > 0; q.busy {
			q.waiting[0].turn <- true
		}
	}()
	items := make([]T, len(batch))
	for i, p := range batch {
		items[i] = p.item
	}
	err = take(items)
	return err
}

// next is what is taken together now, in the order of its coming; the lock is held.
func (q *Queue[T]) next() []*place[T] {
	size, n := 0, 0
	for n < len(q.waiting) && n < q.Most && (n == 0 || q.Size == 0 || size < q.Size) {
		if q.Size > 0 {
			size += q.Large(q.waiting[n].item)
		}
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}
