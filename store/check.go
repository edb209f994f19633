package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
)

// A Finding is something a check came upon. Grave ones break an invariant.
type Finding struct {
	Code   string // stable: "check.integrity", …
	Detail string
	Grave  bool
}

// Check looks for every invariant of this replica: the database's own integrity,
// unbroken chains, bundles that are what their digest says, no change missing from
// the state and none too many, a state equal to one worked out anew, blobs whole.
// Tests, the simulation and doctor call the same one.
func (r *Replica) Check(ctx context.Context) ([]Finding, error) {
	var found []Finding
	grave := func(code, format string, args ...any) {
		found = append(found, Finding{code, fmt.Sprintf(format, args...), true})
	}
	var said string
	if err := r.read.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
		grave("check.integrity", "%s %v", said, err)
	}
	before := map[uuid.UUID]Tip{}
	tips, err := r.Tips(ctx)
	if err != nil {
		return found, err
	}
	for _, tip := range tips {
		bundles, err := r.Bundles(ctx, BundleQuery{Node: &tip.Node})
		if err != nil {
			grave("check.damaged", "%v", err)
			continue
		}
		for _, b := range bundles {
			last := before[b.Node]
			if b.First != last.Last+1 || b.Prev != last.Digest || DigestOf(b.Head) != b.Digest {
				grave("check.chain", "node %s, bundle %d–%d does not follow %d", b.Node, b.First, b.Last, last.Last)
			}
			before[b.Node] = Tip{b.Node, b.Last, b.Digest}
		}
	}
	own, err := r.Unsealed(ctx, 1<<30)
	if err != nil {
		grave("check.damaged", "%v", err)
	}
	next := before[r.id.Node].Last + 1
	for _, c := range own {
		if c.Seq != next {
			grave("check.journal", "change %d is missing from the journal", next)
		}
		next = c.Seq + 1
	}
	ahead := Clock(r.world.Now().Add(clockAhead).UnixMilli()) << 16
	err = r.everyChange(ctx, r.read, func(c *Change) error {
		if c.Clock > ahead {
			found = append(found, Finding{"check.clock_ahead", fmt.Sprintf("node %s, change %d is dated %s", c.Node, c.Seq, c.Clock.Time().Format("2006-01-02")), false})
		}
		return nil
	})
	if err != nil {
		grave("check.damaged", "%v", err)
	}
	// The state once more, from the log, in a transaction that is thrown away.
	var now, again bytes.Buffer
	if err := r.Dump(ctx, &now); err != nil {
		grave("check.damaged", "%v", err)
		return found, nil
	}
	thrown := errors.New("thrown away")
	err = r.transact(ctx, func(tx *sql.Tx) error {
		if err := r.rebuild(ctx, tx, nil); err != nil {
			return err
		}
		if err := r.dump(ctx, tx, &again); err != nil {
			return err
		}
		return thrown
	})
	switch {
	case !errors.Is(err, thrown):
		grave("check.damaged", "%v", err)
	case !bytes.Equal(now.Bytes(), again.Bytes()):
		grave("check.state", "the state differs from the log; rebuild it")
	}
	blobs, err := r.refs(ctx, `SELECT digest, size FROM blobs ORDER BY digest`)
	if err != nil {
		return found, err
	}
	for _, b := range blobs {
		if err := r.wholeBlob(ctx, b); err != nil {
			grave("check.blob", "%s: %v", b.Digest, err)
		}
	}
	return found, nil
}

func (r *Replica) wholeBlob(ctx context.Context, ref BlobRef) error {
	rd, _, err := r.OpenBlob(ctx, ref.Digest)
	if err != nil {
		return err
	}
	defer rd.Close()
	_, err = io.Copy(io.Discard, rd)
	return err
}

// Rebuild drops everything that follows from the log and works it out anew.
func (r *Replica) Rebuild(ctx context.Context) error {
	err := r.transact(ctx, func(tx *sql.Tx) error { return r.rebuild(ctx, tx, nil) })
	if err != nil {
		return err
	}
	return r.index(ctx)
}

// rebuild works the state out anew from the changes that are kept; those that keep
// refuses leave it.
func (r *Replica) rebuild(ctx context.Context, tx *sql.Tx, keep func(*Change) bool) error {
	var changes []Change
	if err := r.everyChange(ctx, tx, func(c *Change) error {
		if keep == nil || keep(c) {
			changes = append(changes, *c)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, table := range []string{"changes", "superseded", "heads", "entities", "blobrefs", "idnumbers"} {
		if _, err := tx.ExecContext(ctx, "DROP TABLE IF EXISTS "+table); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, schemaDerived); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE identity SET value = $1 WHERE name = 'derived'`, fmt.Sprint(derivedVersion)); err != nil {
		return err
	}
	a, err := r.applier(ctx, tx)
	if err != nil {
		return err
	}
	defer a.close()
	for i := range changes {
		if err := a.apply(&changes[i]); err != nil {
			return err
		}
	}
	return a.finish()
}

type rowsQueryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// everyChange visits every applied change.
func (r *Replica) everyChange(ctx context.Context, q rowsQueryer, visit func(*Change) error) error {
	rows, err := q.QueryContext(ctx, `SELECT node, seq, content FROM changes ORDER BY node, seq`)
	if err != nil {
		return fmt.Errorf("read the changes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var node, sealed []byte
		var seq int64
		if err := rows.Scan(&node, &seq, &sealed); err != nil {
			return err
		}
		c, err := r.openChange(uuid.UUID(node), uint64(seq), sealed)
		if err != nil {
			return err
		}
		if err := visit(&c); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Dump writes the whole state in one form: the same set of changes gives the same
// bytes on every node, whatever the order and road of their arrival (invariant 2).
func (r *Replica) Dump(ctx context.Context, w io.Writer) error { return r.dump(ctx, r.read, w) }

func (r *Replica) dump(ctx context.Context, q rowsQueryer, w io.Writer) error {
	rows, err := q.QueryContext(ctx, `SELECT entity, `+headColumns+` FROM heads ORDER BY entity, field, clock DESC, node DESC, seq DESC`)
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	defer rows.Close()
	var out strings.Builder
	for rows.Next() {
		var (
			entity, node, author, sealed []byte
			field, kind, division        string
			seq, clock                   int64
		)
		if err := rows.Scan(&entity, &field, &node, &seq, &clock, &author, &kind, &division, &sealed); err != nil {
			return err
		}
		id := ChangeID{Node: uuid.UUID(node), Seq: uint64(seq)}
		value, err := r.keys.Open(headPlace(uuid.UUID(entity), field, id), sealed)
		if err != nil {
			return &DamagedError{r.dir, "field " + field, err}
		}
		fmt.Fprintf(&out, "%x %s %s %s %x/%d %d %x %x\n", entity, kind, division, field, node, seq, clock, author, value)
		if out.Len() > 1<<16 {
			if _, err := io.WriteString(w, out.String()); err != nil {
				return err
			}
			out.Reset()
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = io.WriteString(w, out.String())
	return err
}

// LimitPages bounds the database's size, as a full disk does: for tests, and for
// machines that must leave room to others. 0 lifts the bound.
func (r *Replica) LimitPages(ctx context.Context, pages int) error {
	if pages == 0 {
		pages = 1 << 30
	}
	_, err := r.write.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}
