package store

import (
	"bytes"
	"cmp"
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
	var touched map[uuid.UUID]bool
	err := r.transact(ctx, func(tx *sql.Tx) error {
		a, err := r.applier(ctx, tx)
		if err != nil {
			return err
		}
		defer a.close()
		for _, b := range bundles {
			var (
				digest []byte
				body   bool
			)
			const there = `SELECT digest, body IS NOT NULL FROM bundles WHERE node = $1 AND first = $2`
			err := tx.QueryRowContext(ctx, there, b.Node[:], int64(b.First)).Scan(&digest, &body)
			switch {
			case errors.Is(err, sql.ErrNoRows):
				if err := r.fits(ctx, tx, b); err != nil {
					return err
				}
				if err := r.insertBundle(ctx, tx, b); err != nil {
					return err
				}
			case err != nil:
				return err
			case !bytes.Equal(digest, b.Digest[:]):
				return &ForkError{Node: b.Node, First: b.First, Ours: Digest(digest), Theirs: b.Digest}
			case body || b.Body == nil:
				continue
			default:
				const fill = `UPDATE bundles SET body = $1 WHERE digest = $2`
				if _, err := tx.ExecContext(ctx, fill, r.keys.Seal(bodyPlace(b.Digest), b.Body), b.Digest[:]); err != nil {
					return err
				}
			}
			for i := range b.Changes {
				if err := a.apply(&b.Changes[i]); err != nil {
					return err
				}
			}
		}
		touched = a.touched
		return a.finish()
	})
	if err != nil {
		return err
	}
	return r.reindex(ctx, touched)
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
func (r *Replica) fits(ctx context.Context, tx *sql.Tx, b Bundle) error {
	tip, err := tipOf(ctx, tx, b.Node)
	if err != nil {
		return err
	}
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

func (r *Replica) insertBundle(ctx context.Context, tx *sql.Tx, b Bundle) error {
	var body []byte
	if b.Body != nil {
		body = r.keys.Seal(bodyPlace(b.Digest), b.Body)
	}
	const insert = `
		INSERT INTO bundles (node, first, last, prev, digest, division, audience, head, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	_, err := tx.ExecContext(ctx, insert, b.Node[:], int64(b.First), int64(b.Last), b.Prev[:], b.Digest[:], b.Division, int64(b.Audience), b.Head, body)
	return err
}

// An applier applies changes within one transaction: statements are prepared
// once, and each entity's row is worked out once, at the end.
type applier struct {
	r       *Replica
	ctx     context.Context
	tx      *sql.Tx
	touched map[uuid.UUID]bool
	made    []*sql.Stmt

	insertChange, insertSuperseded, deleteHead, isSuperseded, insertHead,
	selectHeads, selectField, upsertEntity, insertBlob, upsertID *sql.Stmt
}

func (r *Replica) applier(ctx context.Context, tx *sql.Tx) (*applier, error) {
	a := &applier{r: r, ctx: ctx, tx: tx, touched: map[uuid.UUID]bool{}}
	for _, s := range []struct {
		into **sql.Stmt
		text string
	}{
		{&a.insertChange, `INSERT INTO changes (node, seq, entity, content) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`},
		{&a.insertSuperseded, `INSERT INTO superseded (entity, field, node, seq) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`},
		{&a.deleteHead, `DELETE FROM heads WHERE entity = $1 AND field = $2 AND node = $3 AND seq = $4`},
		{&a.isSuperseded, `SELECT count(*) FROM superseded WHERE entity = $1 AND field = $2 AND node = $3 AND seq = $4`},
		{&a.insertHead, `INSERT INTO heads (entity, field, node, seq, clock, author, kind, division, value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`},
		{&a.selectHeads, `SELECT field, node, seq, clock, author, kind, division, value FROM heads WHERE entity = $1 ORDER BY field, clock DESC, node DESC, seq DESC`},
		{&a.selectField, `SELECT field, node, seq, clock, author, kind, division, value FROM heads WHERE entity = $1 AND field = $2 ORDER BY clock DESC, node DESC, seq DESC`},
		{&a.upsertEntity, `
			INSERT INTO entities (id, kind, division, state, due, parent, updated, conflicts, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, division = excluded.division, state = excluded.state, due = excluded.due,
				parent = excluded.parent, updated = excluded.updated, conflicts = excluded.conflicts, content = excluded.content`},
		{&a.insertBlob, `INSERT INTO blobrefs (digest, size, node, seq) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`},
		{&a.upsertID, `INSERT INTO idnumbers (entity, blind) VALUES ($1, $2) ON CONFLICT (entity) DO UPDATE SET blind = excluded.blind`},
	} {
		stmt, err := tx.PrepareContext(ctx, s.text)
		if err != nil {
			a.close()
			return nil, err
		}
		*s.into = stmt
		a.made = append(a.made, stmt)
	}
	return a, nil
}

func (a *applier) close() {
	for _, s := range a.made {
		s.Close()
	}
}

// apply adds one change to the state. A change that is here already changes
// nothing.
func (a *applier) apply(c *Change) error {
	done, err := a.insertChange.ExecContext(a.ctx, c.Node[:], int64(c.Seq), c.Entity[:], a.r.keys.Seal(place("changes/content", c.Node, c.Seq), c.Raw))
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	for _, f := range c.Fields {
		for _, s := range f.Supersedes {
			if _, err := a.insertSuperseded.ExecContext(a.ctx, c.Entity[:], f.Name, s.Node[:], int64(s.Seq)); err != nil {
				return err
			}
			if _, err := a.deleteHead.ExecContext(a.ctx, c.Entity[:], f.Name, s.Node[:], int64(s.Seq)); err != nil {
				return err
			}
		}
		// A change may arrive after the one that replaced it.
		var replaced int
		if err := a.isSuperseded.QueryRowContext(a.ctx, c.Entity[:], f.Name, c.Node[:], int64(c.Seq)).Scan(&replaced); err != nil {
			return err
		}
		if replaced > 0 {
			continue
		}
		sealed := a.r.keys.Seal(headPlace(c.Entity, f.Name, c.ChangeID), f.Value)
		if _, err := a.insertHead.ExecContext(a.ctx, c.Entity[:], f.Name, c.Node[:], int64(c.Seq), int64(c.Clock), c.Author[:], string(c.Kind), c.Division, sealed); err != nil {
			return err
		}
	}
	for _, b := range c.Blobs {
		if _, err := a.insertBlob.ExecContext(a.ctx, b.Digest[:], b.Size, c.Node[:], int64(c.Seq)); err != nil {
			return err
		}
	}
	a.touched[c.Entity] = true
	return nil
}

func headPlace(entity uuid.UUID, field string, id ChangeID) string {
	return place("heads/value/"+string(entity[:])+field, id.Node, id.Seq)
}

// finish works out the row of every entity that was touched.
func (a *applier) finish() error {
	for _, id := range slices.SortedFunc(maps.Keys(a.touched), func(x, y uuid.UUID) int { return bytes.Compare(x[:], y[:]) }) {
		if err := a.entity(id); err != nil {
			return err
		}
	}
	return nil
}

// entity works out one entity from its heads.
func (a *applier) entity(id uuid.UUID) error {
	heads, err := a.headRows(a.selectHeads, id, id[:])
	if err != nil {
		return err
	}
	if len(heads) == 0 {
		return nil
	}
	content := map[string]Value{}
	var conflicts []string
	newest := heads[0]
	for i := 0; i < len(heads); {
		field := heads[i].field
		first, torn := heads[i], false
		for ; i < len(heads) && heads[i].field == field; i++ {
			torn = torn || !bytes.Equal(heads[i].Value, first.Value)
			if cmp.Or(cmp.Compare(heads[i].Clock, newest.Clock), heads[i].ChangeID.compare(newest.ChangeID)) > 0 {
				newest = heads[i]
			}
		}
		if !first.Value.IsNull() {
			content[field] = first.Value
		}
		if torn {
			conflicts = append(conflicts, field)
		}
	}
	packed, err := encoder.Marshal(content)
	if err != nil {
		return err
	}
	if _, err := a.upsertEntity.ExecContext(a.ctx, id[:], string(newest.kind), newest.division,
		content["state"].Text(), content["due"].Text(), content["parent"].Text(), int64(newest.Clock), strings.Join(conflicts, " "),
		a.r.keys.Seal("entities/content/"+string(id[:]), packed)); err != nil {
		return err
	}
	if newest.kind == Member {
		if number := content["id_no"].Text(); number != "" {
			_, err := a.upsertID.ExecContext(a.ctx, id[:], a.r.keys.BlindIndex(number))
			return err
		}
	}
	return nil
}

type headRow struct {
	Head
	field    string
	kind     Kind
	division string
}

func (a *applier) heads(entity uuid.UUID, field string) ([]headRow, error) {
	return a.headRows(a.selectField, entity, entity[:], field)
}

func (a *applier) headRows(stmt *sql.Stmt, entity uuid.UUID, args ...any) ([]headRow, error) {
	rows, err := stmt.QueryContext(a.ctx, args...)
	if err != nil {
		return nil, err
	}
	return a.r.scanHeads(rows, entity)
}

func (r *Replica) scanHeads(rows *sql.Rows, entity uuid.UUID) ([]headRow, error) {
	defer rows.Close()
	var list []headRow
	for rows.Next() {
		var (
			h                    headRow
			node, author, sealed []byte
			seq, clock           int64
		)
		if err := rows.Scan(&h.field, &node, &seq, &clock, &author, &h.kind, &h.division, &sealed); err != nil {
			return nil, err
		}
		h.Node, h.Author = uuid.UUID(node), uuid.UUID(author)
		h.Seq, h.Clock = uint64(seq), Clock(clock)
		value, err := r.keys.Open(headPlace(entity, h.field, h.ChangeID), sealed)
		if err != nil {
			return nil, &DamagedError{r.dir, fmt.Sprintf("field %s of %s", h.field, entity), err}
		}
		h.Value = value
		list = append(list, h)
	}
	return list, rows.Err()
}
