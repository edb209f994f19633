package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// The log is the bundles, as they were signed, and the journal of own changes that
// are in no bundle yet. Everything else follows from it.

// unpack fills a bundle's changes from its body.
func (r *Replica) unpack(b *Bundle) error {
	if b.Body == nil {
		b.Changes = nil
		return nil
	}
	err := r.open(b)
	for i := range b.Changes {
		if c := &b.Changes[i]; err == nil && (c.Node != b.Node || c.Seq != b.First+uint64(i)) {
			err = errors.New("its changes are not those that it names")
		}
	}
	if err != nil {
		return &DamagedError{r.dir, fmt.Sprintf("bundle %d–%d of node %s", b.First, b.Last, b.Node), err}
	}
	return nil
}

// plainBodies is the form of a body where nothing else is said: the changes, one
// behind the other.
func plainBodies(b *Bundle) error {
	b.Changes = nil
	for rest := b.Body; len(rest) > 0; {
		after, err := canonical(rest, 0)
		if err != nil {
			return err
		}
		c, err := DecodeChange(rest[:len(rest)-len(after)])
		if err != nil {
			return err
		}
		b.Changes = append(b.Changes, c)
		rest = after
	}
	return nil
}

type rowsQueryer interface {
	queryer
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// logPage bounds how many bundles are in memory while the log is being read.
const logPage = 64

// everyChange visits every change of the log: bundles by arrival, then the journal.
func (r *Replica) everyChange(ctx context.Context, q rowsQueryer, visit func(*Change) error) error {
	for after := uint64(0); ; {
		page, err := r.bundles(ctx, q, BundleQuery{AfterPos: after, Limit: logPage})
		if err != nil {
			return err
		}
		for i := range page {
			b := &page[i]
			after = b.Pos
			if err := r.unpack(b); err != nil {
				return err
			}
			for j := range b.Changes {
				if err := visit(&b.Changes[j]); err != nil {
					return err
				}
			}
			b.Changes, b.Body = nil, nil
		}
		if len(page) < logPage {
			break
		}
	}
	own, err := r.unsealed(ctx, q, 1<<30)
	if err != nil {
		return err
	}
	for i := range own {
		if err := visit(&own[i]); err != nil {
			return err
		}
	}
	return nil
}

// changes returns changes by their ids, in that order. Each must be in the log.
func (r *Replica) changes(ctx context.Context, q rowsQueryer, ids []ChangeID) ([]Change, error) {
	list := make([]Change, 0, len(ids))
	for _, id := range ids {
		c, err := r.change(ctx, q, id)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func (r *Replica) change(ctx context.Context, q rowsQueryer, id ChangeID) (Change, error) {
	if c, ok := r.recent.find(id); ok {
		return c, nil
	}
	page, err := r.bundlesWhere(ctx, q, `WHERE node = $1 AND first <= $2 AND last >= $2`, id.Node[:], int64(id.Seq))
	if err != nil {
		return Change{}, err
	}
	if len(page) == 1 {
		if err := r.unpack(&page[0]); err != nil {
			return Change{}, err
		}
		r.recent.keep(&page[0])
		if n := id.Seq - page[0].First; n < uint64(len(page[0].Changes)) {
			return page[0].Changes[n], nil
		}
	}
	if id.Node == r.id.Node {
		own, err := r.journalRows(ctx, q, `WHERE seq = $1`, int64(id.Seq))
		if err != nil {
			return Change{}, err
		}
		if len(own) == 1 {
			return own[0], nil
		}
	}
	return Change{}, &DamagedError{r.dir, fmt.Sprintf("change %d of node %s", id.Seq, id.Node), errors.New("it is not in the log; rebuild the state")}
}

// recent keeps the last unpacked bundles: whoever asks for one change of a bundle
// often asks for the next.
type recent struct {
	mu   sync.Mutex
	list []*Bundle
}

const mostRecent = 8

func (x *recent) find(id ChangeID) (Change, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range x.list {
		if n := id.Seq - b.First; b.Node == id.Node && id.Seq >= b.First && n < uint64(len(b.Changes)) {
			return b.Changes[n], true
		}
	}
	return Change{}, false
}

func (x *recent) keep(b *Bundle) {
	if len(b.Body) > 1<<20 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	kept := *b
	kept.Body = nil
	x.list = append(x.list, &kept)
	if len(x.list) > mostRecent {
		x.list = slices.Delete(x.list, 0, 1)
	}
}

// forget drops what is kept of a node, whose bundles are being withdrawn.
func (x *recent) forget(node uuid.UUID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = slices.DeleteFunc(x.list, func(b *Bundle) bool { return b.Node == node })
}
