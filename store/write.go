package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// An Edit is what somebody wants to set on one entity. What it replaces is worked
// out by the replica: the present heads of each field, or Seen where it is given,
// that is what the author had before his eyes when he decided. A value set
// meanwhile by somebody else then stays as a conflict and is not lost (invariant 4).
type Edit struct {
	Kind     Kind
	Entity   uuid.UUID // zero: a new id is given, returned in the change
	Division string
	Fields   map[string]Value
	Seen     map[string][]ChangeID
	Blobs    []BlobRef
}

// Write sets fields in one transaction, durable when it returns. It returns one
// change an edit, in their order.
func (r *Replica) Write(ctx context.Context, author uuid.UUID, edits ...Edit) ([]Change, error) {
	return r.commit(ctx, author, uuid.Nil, edits)
}

// Finish writes like Write and drops a draft in the same transaction: a visit is
// either still a draft or signed, never both and never neither.
func (r *Replica) Finish(ctx context.Context, author, draft uuid.UUID, edits ...Edit) ([]Change, error) {
	return r.commit(ctx, author, draft, edits)
}

// clockAhead is how far the node's own last clock may run before the wall clock
// and still be followed. Beyond it the tablet's clock was wrong and has been put
// right: following it would carry the mistake on.
const clockAhead = 48 * time.Hour

// tick is the clock of the next own change. Others' clocks are not followed: what
// supersedes what is written in the changes, so order needs no common time, and a
// tablet whose clock is days ahead cannot drag everybody else with it.
func (r *Replica) tick() Clock {
	now := Clock(max(r.world.Now().UnixMilli(), 0)) << 16
	if r.last >= now && r.last.Time().Before(r.world.Now().Add(clockAhead)) {
		return r.last + 1
	}
	return now
}

func (r *Replica) commit(ctx context.Context, author, draft uuid.UUID, edits []Edit) ([]Change, error) {
	if len(edits) == 0 {
		return nil, nil
	}
	changes := make([]Change, 0, len(edits))
	var a *applier
	seq, last := uint64(0), Clock(0)
	err := r.transact(ctx, func(tx *sql.Tx) (err error) {
		if a, err = r.applier(ctx, tx); err != nil {
			return err
		}
		before := r.last
		defer func() { r.last = before }() // until the transaction is through
		seq = r.seq.Load()
		for _, e := range edits {
			c, err := a.change(author, e, seq+1)
			if err != nil {
				return err
			}
			seq = c.Seq
			r.last = c.Clock
			if err := r.insertJournal(ctx, tx, &c); err != nil {
				return err
			}
			if err := a.apply(&c); err != nil {
				return err
			}
			changes = append(changes, c)
		}
		last = r.last
		if draft != uuid.Nil {
			if err := dropDraft(ctx, tx, draft); err != nil {
				return err
			}
		}
		return a.finish()
	}, func() {
		r.seq.Store(seq)
		r.last = max(r.last, last)
		r.find.take(a.shown)
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}

func (r *Replica) insertJournal(ctx context.Context, tx *sql.Tx, c *Change) error {
	const insert = `INSERT INTO journal (seq, division, kind, content) VALUES ($1, $2, $3, $4)`
	_, err := tx.ExecContext(ctx, insert, int64(c.Seq), c.Division, string(c.Kind), r.keys.Seal(place("journal/content", r.id.Node, c.Seq), c.Raw))
	return err
}

// change makes the change that an edit asks for.
func (a *applier) change(author uuid.UUID, e Edit, seq uint64) (Change, error) {
	if e.Entity == uuid.Nil {
		e.Entity = a.r.world.NewID()
	}
	if author == uuid.Nil {
		author = a.r.id.Node
	}
	if e.Kind == "" || !validDivision(e.Division) {
		return Change{}, fmt.Errorf("write %q %s: division %q has not 6, 9 or 12 digits", e.Kind, e.Entity, e.Division)
	}
	c := Change{
		ChangeID: ChangeID{Node: a.r.id.Node, Seq: seq}, Clock: a.r.tick(), Author: author,
		Kind: e.Kind, Entity: e.Entity, Division: e.Division, Blobs: sortBlobs(e.Blobs),
	}
	for name, value := range e.Fields {
		f := Field{Name: name, Value: value}
		if value == nil {
			f.Value = Null()
		}
		if seen, given := e.Seen[name]; given {
			f.Supersedes = slices.Clone(seen)
		} else {
			s, err := a.state(e.Entity)
			if err != nil {
				return Change{}, err
			}
			for _, h := range s.of(name) {
				f.Supersedes = append(f.Supersedes, h.ChangeID)
			}
		}
		f.Supersedes = sortIDs(f.Supersedes)
		c.Fields = append(c.Fields, f)
	}
	slices.SortFunc(c.Fields, func(x, y Field) int { return strings.Compare(x.Name, y.Name) })
	var err error
	c.Raw, err = EncodeChange(&c)
	return c, err
}

// Settle decides a conflict: the value supersedes every head of the field.
func (r *Replica) Settle(ctx context.Context, author, entity uuid.UUID, field string, value Value) error {
	e, err := r.Entity(ctx, entity)
	if err != nil {
		return err
	}
	_, err = r.Write(ctx, author, Edit{Kind: e.Kind, Entity: entity, Division: e.Division, Fields: map[string]Value{field: value}})
	return err
}

// Unsealed returns own changes that are not yet in a bundle, by their place in the
// log, at most max.
func (r *Replica) Unsealed(ctx context.Context, most int) ([]Change, error) {
	return r.unsealed(ctx, r.read, most)
}

func (r *Replica) unsealed(ctx context.Context, q rowsQueryer, most int) ([]Change, error) {
	return r.journalRows(ctx, q, `ORDER BY seq LIMIT $1`, most)
}

func (r *Replica) journalRows(ctx context.Context, q rowsQueryer, where string, args ...any) ([]Change, error) {
	rows, err := q.QueryContext(ctx, `SELECT seq, content FROM journal `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer rows.Close()
	var list []Change
	for rows.Next() {
		var seq int64
		var sealed []byte
		if err := rows.Scan(&seq, &sealed); err != nil {
			return nil, err
		}
		raw, err := r.keys.Open(place("journal/content", r.id.Node, uint64(seq)), sealed)
		if err != nil {
			return nil, &DamagedError{r.dir, fmt.Sprintf("change %d of the journal", seq), err}
		}
		c, err := DecodeChange(raw)
		if err != nil {
			return nil, &DamagedError{r.dir, fmt.Sprintf("change %d of the journal", seq), err}
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// Append keeps the node's own sealed bundle and takes its changes out of the
// journal, in one transaction.
func (r *Replica) Append(ctx context.Context, b Bundle) error {
	return r.transact(ctx, func(tx *sql.Tx) error {
		tip, err := tipOf(ctx, tx, b.Node)
		if err != nil {
			return err
		}
		if err := fits(&b, tip); err != nil {
			return err
		}
		a, err := r.applier(ctx, tx)
		if err != nil {
			return err
		}
		if err := a.bundle(&b); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `DELETE FROM journal WHERE seq BETWEEN $1 AND $2`, int64(b.First), int64(b.Last))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n != int64(b.Last-b.First+1) {
			return errors.Join(err, fmt.Errorf("bundle %d–%d holds changes that are not in the journal", b.First, b.Last))
		}
		return nil
	})
}
