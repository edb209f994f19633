package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Apply merges others' verified bundles, whole or not at all. Order and repetition
// do not matter (invariant 2). A bundle that does not follow its node's last is a
// *GapError, one that contradicts what is here a *ForkError; then nothing is
// applied (invariant 5). A bundle that was here as a head only, and now comes with
// its body, is filled in.
func (r *Replica) Apply(ctx context.Context, bundles ...Bundle) error {
	var a *applier
	err := r.transact(ctx, func(tx *sql.Tx) (err error) {
		if a, err = r.applier(ctx, tx); err != nil {
			return err
		}
		tips := map[uuid.UUID]Tip{}
		for i := range bundles {
			b := &bundles[i]
			tip, known := tips[b.Node]
			if !known {
				if tip, err = scanTip(b.Node, a.selectTip.QueryRowContext(ctx, b.Node[:])); err != nil {
					return err
				}
				tips[b.Node] = tip
			}
			if b.First > tip.Last {
				if err := fits(b, tip); err != nil {
					return err
				}
				if err := a.bundle(b); err != nil {
					return err
				}
				tips[b.Node] = Tip{b.Node, b.Last, b.Digest}
			} else if fills, err := a.again(b); err != nil {
				return err
			} else if !fills {
				continue
			}
			for j := range b.Changes {
				if err := a.apply(&b.Changes[j]); err != nil {
					return err
				}
			}
		}
		return a.finish()
	}, func() { r.find.take(a.shown) })
	return err
}

// again takes a bundle whose place in the log is taken, and says whether it brings
// the body that was missing there.
func (a *applier) again(b *Bundle) (fills bool, err error) {
	var (
		digest []byte
		body   bool
	)
	const there = `SELECT digest, body IS NOT NULL FROM bundles WHERE node = $1 AND first = $2`
	err = a.tx.QueryRowContext(a.ctx, there, b.Node[:], int64(b.First)).Scan(&digest, &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		tip, err := tipOf(a.ctx, a.tx, b.Node)
		return false, errors.Join(err, &ForkError{b.Node, b.First, tip.Digest, b.Digest})
	case err != nil:
		return false, err
	case !bytes.Equal(digest, b.Digest[:]):
		return false, &ForkError{Node: b.Node, First: b.First, Ours: Digest(digest), Theirs: b.Digest}
	case body || b.Body == nil:
		return false, nil
	}
	const fill = `UPDATE bundles SET body = $1 WHERE digest = $2`
	_, err = a.tx.ExecContext(a.ctx, fill, a.r.keys.Seal(bodyPlace(b.Digest), b.Body), b.Digest[:])
	return true, err
}

// A GapError means an earlier bundle has not arrived yet. Nothing is wrong: keep
// it, and ask the sender for what is missing.
type GapError struct {
	Node        uuid.UUID
	Have, First uint64 // last change here; first change of the bundle
}

func (e *GapError) Error() string {
	return fmt.Sprintf("node %s: a bundle from change %d on, but the last one here is %d", e.Node, e.First, e.Have)
}

// Code is the key of the sentence.
func (e *GapError) Code() string { return "store.gap" }

// A ForkError means two different bundles claim one place in a node's log: the
// node was cloned, or restored from a copy.
type ForkError struct {
	Node         uuid.UUID
	First        uint64
	Ours, Theirs Digest
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("node %s: two different bundles from change %d on", e.Node, e.First)
}

// Code is the key of the sentence.
func (e *ForkError) Code() string { return "store.fork" }

// fits checks that a bundle follows the last one of its node.
func fits(b *Bundle, tip Tip) error {
	switch {
	case b.Last < b.First || b.First > tip.Last+1:
		return &GapError{b.Node, tip.Last, b.First}
	case b.First <= tip.Last || b.Prev != tip.Digest:
		return &ForkError{b.Node, b.First, tip.Digest, b.Digest}
	}
	return nil
}

func bodyPlace(d Digest) string { return "bundles/body/" + d.String() }

// place names a sealed cell by the change it belongs to, so that no cell can be
// moved to another row.
func place(column string, node uuid.UUID, seq uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], seq)
	return column + "/" + string(node[:]) + string(b[:])
}

func contentPlace(id uuid.UUID) string { return "entities/content/" + string(id[:]) }

// An applier applies changes within one transaction: each entity's row is read once and written once, at the end or when too many
// are in memory.
type applier struct {
	r      *Replica
	ctx    context.Context
	tx     *sql.Tx
	states map[uuid.UUID]*state
	named  map[uuid.UUID]map[Digest]bool // the blobs that entities name, of those that name one more
	dirty  int                           // bytes that came since the last flush
	shown  map[uuid.UUID]*Entity         // households and members as they are now, for the look-up; nil: gone
	plain  []byte                        // for use again
	sealed []byte

	selectTip, insertBundle, selectEntity, upsertEntity, selectBlobs, insertBlob, upsertID, deleteID, insertStale *sql.Stmt
}

// maxDirty bounds the changes in memory while a log is being applied.
const maxDirty = 32 << 20

func (r *Replica) applier(ctx context.Context, tx *sql.Tx) (*applier, error) {
	a := &applier{r: r, ctx: ctx, tx: tx, states: map[uuid.UUID]*state{}, shown: map[uuid.UUID]*Entity{}, named: map[uuid.UUID]map[Digest]bool{}}
	for _, s := range []struct {
		into **sql.Stmt
		text string
	}{
		{&a.selectTip, selectTip},
		{&a.insertBundle, `
			INSERT INTO bundles (node, first, last, prev, digest, division, audience, head, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`},
		{&a.selectEntity, `SELECT content FROM entities WHERE id = $1`},
		{&a.upsertEntity, `
			INSERT INTO entities (id, kind, division, state, due, parent, updated, conflicts, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, division = excluded.division, state = excluded.state, due = excluded.due,
				parent = excluded.parent, updated = excluded.updated, conflicts = excluded.conflicts, content = excluded.content`},
		{&a.selectBlobs, `SELECT digest FROM blobrefs WHERE entity = $1`},
		{&a.insertBlob, `
			INSERT INTO blobrefs (digest, entity, size, short, run)
			VALUES ($1, $2, $3, substr($1, 1, 6), (SELECT coalesce(max(n), 0) / 8192 FROM blobrefs))`},
		{&a.upsertID, `INSERT INTO idnumbers (entity, blind) VALUES ($1, $2) ON CONFLICT (entity) DO UPDATE SET blind = excluded.blind`},
		{&a.insertStale, `INSERT INTO stale (entity) SELECT $1 WHERE EXISTS (SELECT 1 FROM snapshot) ON CONFLICT DO NOTHING`},
		{&a.deleteID, `DELETE FROM idnumbers WHERE entity = $1`},
	} {
		stmt, err := r.kept.in(ctx, tx, s.text)
		if err != nil {
			return nil, err
		}
		*s.into = stmt
	}
	return a, nil
}

// bundle adds a bundle to the log.
func (a *applier) bundle(b *Bundle) error {
	var body []byte
	if b.Body != nil {
		var err error
		if body, err = a.r.keys.AppendSeal(a.sealed[:0], bodyPlace(b.Digest), b.Body); err != nil {
			return err
		}
		a.sealed = body
	}
	_, err := a.insertBundle.ExecContext(a.ctx, b.Node[:], int64(b.First), int64(b.Last), b.Prev[:], b.Digest[:], b.Division, int64(b.Audience), b.Head, body)
	return err
}

// state returns an entity's state, read once a transaction.
func (a *applier) state(id uuid.UUID) (*state, error) {
	if s := a.states[id]; s != nil {
		return s, nil
	}
	var sealed sql.RawBytes
	rows, err := a.selectEntity.QueryContext(a.ctx, id[:])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	s := &state{}
	if rows.Next() {
		if err := rows.Scan(&sealed); err != nil {
			return nil, err
		}
		if s, err = a.r.openState(id, sealed); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	a.states[id] = s
	return s, nil
}

func (r *Replica) openState(id uuid.UUID, sealed []byte) (*state, error) {
	plain, err := r.keys.Open(contentPlace(id), sealed)
	if err != nil {
		return nil, &DamagedError{r.dir, "entity " + id.String(), err}
	}
	s, err := readState(plain)
	if err != nil {
		return nil, &DamagedError{r.dir, "entity " + id.String(), err}
	}
	return s, nil
}

// apply adds one change to the state. A change that is here already changes
// nothing.
func (a *applier) apply(c *Change) error {
	if a.dirty > maxDirty {
		if err := a.finish(); err != nil {
			return err
		}
	}
	s, err := a.state(c.Entity)
	if err != nil {
		return err
	}
	first := len(s.seen) == 0
	if !s.add(c) {
		return nil
	}
	a.dirty += len(c.Raw)
	return a.names(c, first)
}

// names remembers which blobs a change names; first: it is the entity's first.
func (a *applier) names(c *Change, first bool) error {
	if len(c.Blobs) == 0 {
		return nil
	}
	named := a.named[c.Entity]
	if named == nil {
		named = map[Digest]bool{}
		if !first {
			if err := a.readNamed(c.Entity, named); err != nil {
				return err
			}
		}
		a.named[c.Entity] = named
	}
	for _, b := range c.Blobs {
		if named[b.Digest] {
			continue
		}
		if _, err := a.insertBlob.ExecContext(a.ctx, b.Digest[:], c.Entity[:], b.Size); err != nil {
			return err
		}
		named[b.Digest] = true
	}
	return nil
}

func (a *applier) readNamed(id uuid.UUID, into map[Digest]bool) error {
	rows, err := a.selectBlobs.QueryContext(a.ctx, id[:])
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var digest sql.RawBytes
		if err := rows.Scan(&digest); err != nil {
			return err
		}
		into[Digest(digest)] = true
	}
	return rows.Err()
}

// finish writes the row of every entity that was touched, and forgets them.
func (a *applier) finish() error {
	for _, id := range slices.SortedFunc(maps.Keys(a.states), func(x, y uuid.UUID) int { return bytes.Compare(x[:], y[:]) }) {
		if err := a.entity(id, a.states[id]); err != nil {
			return err
		}
	}
	clear(a.states)
	clear(a.named)
	a.dirty = 0
	return nil
}

// entity writes one entity's row.
func (a *applier) entity(id uuid.UUID, s *state) (err error) {
	e := s.entity(id)
	if e == nil {
		e = &Entity{ID: id}
	}
	a.plain = s.append(a.plain[:0])
	if a.sealed, err = a.r.keys.AppendSeal(a.sealed[:0], contentPlace(id), a.plain); err != nil {
		return err
	}
	if _, err := a.upsertEntity.ExecContext(a.ctx, id[:], string(e.Kind), e.Division,
		e.Text("state"), e.Text("due"), e.Text("parent"), int64(e.Updated), strings.Join(e.Conflicts, " "), a.sealed); err != nil {
		return err
	}
	if e.Kind == Household || e.Kind == Member {
		a.shown[id] = e
		if _, err := a.insertStale.ExecContext(a.ctx, id[:]); err != nil {
			return err
		}
	}
	if e.Kind == Member {
		if number := e.Text("id_no"); number != "" {
			_, err = a.upsertID.ExecContext(a.ctx, id[:], a.r.keys.BlindIndex(number))
		} else {
			_, err = a.deleteID.ExecContext(a.ctx, id[:])
		}
	}
	return err
}
