package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Bundle is a run of one node's changes as it travelled: head and body are the
// bytes as received, which is what was signed.
type Bundle struct {
	Node        uuid.UUID
	First, Last uint64
	Prev        Digest // of the head before it; zero for a node's first
	Digest      Digest // SHA-256 of Head
	Division    string // who may hold the body: scope,
	Audience    uint8  // and least role (0 everyone, 1 township and up, 2 county)
	Head        []byte
	Body        []byte   // nil when it was withheld from this node
	Changes     []Change // decoded by whoever verified it; not returned by Bundles
	Pos         uint64   // order of arrival here: the cursor of a pull
}

// A BundleQuery selects bundles; zero parts select all.
type BundleQuery struct {
	AfterPos uint64
	Node     *uuid.UUID
	FromSeq  uint64
	Limit    int
}

// Bundles returns bundles by arrival, or, where one node is asked for, by its log.
func (r *Replica) Bundles(ctx context.Context, q BundleQuery) ([]Bundle, error) {
	return r.bundles(ctx, r.read, q)
}

func (r *Replica) bundles(ctx context.Context, on rowsQueryer, q BundleQuery) ([]Bundle, error) {
	where := `WHERE pos > $1`
	args := []any{int64(q.AfterPos)}
	if q.Node != nil {
		where += ` AND node = $2 AND last >= $3 ORDER BY first`
		args = append(args, q.Node[:], int64(q.FromSeq))
	} else {
		where += ` ORDER BY pos`
	}
	if q.Limit > 0 {
		where += fmt.Sprintf(" LIMIT %d", q.Limit)
	}
	return r.bundlesWhere(ctx, on, where, args...)
}

func (r *Replica) bundlesWhere(ctx context.Context, on rowsQueryer, where string, args ...any) ([]Bundle, error) {
	rows, err := on.QueryContext(ctx, `SELECT pos, node, first, last, prev, digest, division, audience, head, body FROM bundles `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read bundles: %w", err)
	}
	defer rows.Close()
	var list []Bundle
	for rows.Next() {
		var (
			b                          Bundle
			pos, first, last           int64
			node, prev, digest, sealed []byte
		)
		if err := rows.Scan(&pos, &node, &first, &last, &prev, &digest, &b.Division, &b.Audience, &b.Head, &sealed); err != nil {
			return nil, fmt.Errorf("read bundles: %w", err)
		}
		b.Pos, b.Node, b.First, b.Last = uint64(pos), uuid.UUID(node), uint64(first), uint64(last)
		b.Prev, b.Digest = Digest(prev), Digest(digest)
		if sealed != nil {
			if b.Body, err = r.keys.Open(bodyPlace(b.Digest), sealed); err != nil {
				return nil, &DamagedError{r.dir, fmt.Sprintf("bundle %d–%d of node %s", b.First, b.Last, b.Node), err}
			}
		}
		list = append(list, b)
	}
	return list, rows.Err()
}

// A Held bundle waits or was set aside, visible and whole (invariant 3).
type Held struct {
	Digest      Digest // of Raw
	Node        uuid.UUID
	First, Last uint64
	Reason      string // stable code
	Detail      string
	Raw         []byte
	Since       time.Time
}

// Hold keeps a bundle aside. Holding it again keeps the first day.
func (r *Replica) Hold(ctx context.Context, h Held) error {
	if h.Since.IsZero() {
		h.Since = r.world.Now()
	}
	const upsert = `
		INSERT INTO held (digest, node, first, last, reason, detail, raw, since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (digest) DO UPDATE SET reason = excluded.reason, detail = excluded.detail`
	return r.transact(ctx, func(tx *sql.Tx) error {
		d := h.Digest.String()
		_, err := tx.ExecContext(ctx, upsert, h.Digest[:], h.Node[:], int64(h.First), int64(h.Last), h.Reason,
			r.keys.Seal("held/detail/"+d, []byte(h.Detail)), r.keys.Seal("held/raw/"+d, h.Raw), h.Since.UnixMilli())
		return err
	})
}

// HeldBundles returns everything held, by node and place in its log.
func (r *Replica) HeldBundles(ctx context.Context) ([]Held, error) {
	rows, err := r.read.QueryContext(ctx, `SELECT digest, node, first, last, reason, detail, raw, since FROM held ORDER BY node, first, digest`)
	if err != nil {
		return nil, fmt.Errorf("read what is held: %w", err)
	}
	defer rows.Close()
	var list []Held
	for rows.Next() {
		var (
			h                         Held
			digest, node, detail, raw []byte
			first, last, since        int64
		)
		if err := rows.Scan(&digest, &node, &first, &last, &h.Reason, &detail, &raw, &since); err != nil {
			return nil, err
		}
		h.Digest, h.Node, h.First, h.Last, h.Since = Digest(digest), uuid.UUID(node), uint64(first), uint64(last), time.UnixMilli(since)
		said, err := r.keys.Open("held/detail/"+h.Digest.String(), detail)
		if err == nil {
			h.Detail = string(said)
			h.Raw, err = r.keys.Open("held/raw/"+h.Digest.String(), raw)
		}
		if err != nil {
			return nil, &DamagedError{r.dir, "held bundle " + h.Digest.String(), err}
		}
		list = append(list, h)
	}
	return list, rows.Err()
}

// Release lets go of a held bundle.
func (r *Replica) Release(ctx context.Context, d Digest) error {
	return r.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM held WHERE digest = $1`, d[:])
		return err
	})
}

// Withdraw takes a node's bundles that hold changes beyond a sequence number out
// of the log and the state, and returns them, to be held or judged anew. It costs
// what the entities cost that they touch.
func (r *Replica) Withdraw(ctx context.Context, node uuid.UUID, after uint64) ([]Bundle, error) {
	out, err := r.Bundles(ctx, BundleQuery{Node: &node, FromSeq: after + 1})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	touched, named := map[uuid.UUID]bool{}, []BlobRef{}
	for i := range out {
		if err := r.unpack(&out[i]); err != nil {
			return nil, err
		}
		for _, c := range out[i].Changes {
			touched[c.Entity] = true
			named = append(named, c.Blobs...)
		}
		out[i].Changes = nil
	}
	var a *applier
	err = r.transact(ctx, func(tx *sql.Tx) (err error) {
		for _, ref := range named {
			if _, err := tx.ExecContext(ctx, `INSERT INTO disputed (digest) VALUES ($1) ON CONFLICT DO NOTHING`, ref.Digest[:]); err != nil {
				return err
			}
		}
		if a, err = r.applier(ctx, tx); err != nil {
			return err
		}
		// A bundle is withdrawn whole: it may begin before the number.
		gone := func(id ChangeID) bool { return id.Node == node && id.Seq >= out[0].First }
		for id := range touched {
			if err := a.without(id, gone); err != nil {
				return err
			}
		}
		if err := a.finish(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM bundles WHERE node = $1 AND first >= $2`, node[:], int64(out[0].First))
		return err
	}, func() { r.find.take(a.shown) })
	r.recent.forget(node)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// without works an entity out anew from all its changes but those that are gone.
func (a *applier) without(id uuid.UUID, gone func(ChangeID) bool) error {
	old, err := a.state(id)
	if err != nil {
		return err
	}
	if _, err := a.tx.ExecContext(a.ctx, `DELETE FROM blobrefs WHERE entity = $1`, id[:]); err != nil {
		return err
	}
	a.named[id] = map[Digest]bool{}
	rest, err := a.r.changes(a.ctx, a.tx, slices.DeleteFunc(slices.Clone(old.seen), gone))
	if err != nil {
		return err
	}
	fresh := &state{}
	for i := range rest {
		fresh.add(&rest[i])
		if err := a.names(&rest[i], false); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		a.states[id] = fresh
		return nil
	}
	delete(a.states, id)
	a.shown[id] = nil
	for _, remove := range []string{
		`DELETE FROM entities WHERE id = $1`, `DELETE FROM idnumbers WHERE entity = $1`,
		`INSERT INTO stale (entity) VALUES ($1) ON CONFLICT DO NOTHING`,
	} {
		if _, err := a.tx.ExecContext(a.ctx, remove, id[:]); err != nil {
			return err
		}
	}
	return nil
}

// SaveReceipt keeps the county's word for a node; an older one never replaces a
// newer one.
func (r *Replica) SaveReceipt(ctx context.Context, node uuid.UUID, upTo uint64, raw []byte) error {
	const upsert = `
		INSERT INTO receipts (node, upto, raw) VALUES ($1, $2, $3)
		ON CONFLICT (node) DO UPDATE SET upto = excluded.upto, raw = excluded.raw WHERE excluded.upto >= receipts.upto`
	return r.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, upsert, node[:], int64(upTo), raw)
		return err
	})
}

// Receipt returns the county's newest word for a node; zero if there is none.
func (r *Replica) Receipt(ctx context.Context, node uuid.UUID) (uint64, []byte, error) {
	var upTo int64
	var raw []byte
	err := r.read.QueryRowContext(ctx, `SELECT upto, raw FROM receipts WHERE node = $1`, node[:]).Scan(&upTo, &raw)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read the receipt for %s: %w", node, err)
	}
	return uint64(upTo), raw, nil
}

func sortChanges(list []Change) {
	slices.SortFunc(list, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Clock, b.Clock), a.ChangeID.compare(b.ChangeID))
	})
}
