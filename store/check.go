package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Finding is something a check came upon. Grave ones break an invariant.
type Finding struct {
	Code   string `json:"code"` // stable: "check.integrity", …
	Detail string `json:"detail"`
	Grave  bool   `json:"grave"`
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
		for from := uint64(1); ; {
			page, err := r.Bundles(ctx, BundleQuery{Node: &tip.Node, FromSeq: from, Limit: logPage})
			if err != nil {
				grave("check.damaged", "%v", err)
				break
			}
			for _, b := range page {
				last := before[b.Node]
				if b.First != last.Last+1 || b.Prev != last.Digest || DigestOf(b.Head) != b.Digest {
					grave("check.chain", "node %s, bundle %d–%d does not follow %d", b.Node, b.First, b.Last, last.Last)
				}
				before[b.Node] = Tip{b.Node, b.Last, b.Digest}
				from = b.Last + 1
			}
			if len(page) < logPage {
				break
			}
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
	clocks, err := r.clocksAhead(ctx)
	if err != nil {
		grave("check.damaged", "%v", err)
	}
	for _, c := range clocks {
		found = append(found, Finding{"check.clock_ahead", fmt.Sprintf("node %s: %d changes, up to %s", c.Node, c.Changes, c.Latest.UTC().Format("2006-01-02")), false})
	}
	for _, err := range r.unreadable(ctx) {
		grave("check.damaged", "%v", err)
	}
	// The state once more, from the log, in a transaction that is thrown away.
	now, err := r.stateDigest(ctx, r.read)
	if err != nil {
		grave("check.damaged", "%v", err)
	}
	var again Digest
	thrown := errors.New("thrown away")
	rebuilt := r.transact(ctx, func(tx *sql.Tx) error {
		if _, err := r.rebuild(ctx, tx, nil); err != nil {
			return err
		}
		var err error
		if again, err = r.stateDigest(ctx, tx); err != nil {
			return err
		}
		return thrown
	})
	switch {
	case !errors.Is(rebuilt, thrown):
		grave("check.damaged", "%v", rebuilt)
	case err != nil || now != again:
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

// A ClockAhead is a node whose clock ran ahead by more than two days when it wrote.
// Its values are shown first in a conflict and nothing more: the next person who
// decides supersedes them, whatever the clocks say.
type ClockAhead struct {
	Node    uuid.UUID
	Changes int
	Latest  time.Time
}

func (r *Replica) clocksAhead(ctx context.Context) (list []ClockAhead, err error) {
	ahead := Clock(max(r.world.Now().Add(clockAhead).UnixMilli(), 0)) << clockCounterBits
	err = r.everyChange(ctx, r.read, func(c *Change) error {
		if c.Clock <= ahead {
			return nil
		}
		i := slices.IndexFunc(list, func(x ClockAhead) bool { return x.Node == c.Node })
		if i < 0 {
			i = len(list)
			list = append(list, ClockAhead{Node: c.Node})
		}
		list[i].Changes++
		if t := c.Clock.Time(); t.After(list[i].Latest) {
			list[i].Latest = t
		}
		return nil
	})
	return list, err
}

// Ahead counts the entities whose newest value is dated more than two days ahead of
// this machine's clock: cheap enough to be asked whenever somebody looks.
func (r *Replica) Ahead(ctx context.Context) (n int, err error) {
	ahead := int64(max(r.world.Now().Add(clockAhead).UnixMilli(), 0)) << clockCounterBits
	err = r.read.QueryRowContext(ctx, `SELECT count(*) FROM entities WHERE updated > $1`, ahead).Scan(&n)
	return n, err
}

// unreadable says what of drafts, settings and held bundles cannot be read.
func (r *Replica) unreadable(ctx context.Context) (faults []error) {
	if _, err := r.Drafts(ctx); err != nil {
		faults = append(faults, err)
	}
	if _, err := r.HeldBundles(ctx); err != nil {
		faults = append(faults, err)
	}
	rows, err := r.read.QueryContext(ctx, `SELECT name, value FROM settings ORDER BY name`)
	if err != nil {
		return append(faults, err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var sealed []byte
		err := rows.Scan(&name, &sealed)
		if err == nil {
			_, err = r.keys.Open(settingPlace(name), sealed)
		}
		if err != nil {
			faults = append(faults, &DamagedError{r.dir, "setting " + name, err})
		}
	}
	if err := rows.Err(); err != nil {
		faults = append(faults, err)
	}
	return faults
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
	err := r.transact(ctx, func(tx *sql.Tx) error {
		_, err := r.rebuild(ctx, tx, nil)
		return err
	})
	if err != nil {
		return err
	}
	return r.index(ctx)
}

// rebuild works the state out anew from the changes that are kept; those that keep
// refuses leave it. It reads the log once, in its own order, and holds a bounded
// part of it in memory.
func (r *Replica) rebuild(ctx context.Context, tx *sql.Tx, keep func(*Change) bool) (changes int, err error) {
	for _, table := range []string{"changes", "superseded", "heads", "entities", "blobrefs", "idnumbers", "snapshot", "stale"} { // also of older versions
		if _, err := tx.ExecContext(ctx, "DROP TABLE IF EXISTS "+table); err != nil {
			return 0, err
		}
	}
	if _, err := tx.ExecContext(ctx, schemaDerived); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE identity SET value = $1 WHERE name = 'derived'`, fmt.Sprint(derivedVersion)); err != nil {
		return 0, err
	}
	a, err := r.applier(ctx, tx)
	if err != nil {
		return 0, err
	}
	err = r.everyChange(ctx, tx, func(c *Change) error {
		if keep != nil && !keep(c) {
			return nil
		}
		changes++
		clear(a.shown) // the look-up is read anew
		return a.apply(c)
	})
	if err != nil {
		return changes, err
	}
	return changes, a.finish()
}

// Dump writes the whole state in one form: the same set of changes gives the same
// bytes on every node, whatever the order and road of their arrival (invariant 2).
func (r *Replica) Dump(ctx context.Context, w io.Writer) error { return r.dump(ctx, r.read, w) }

func (r *Replica) dump(ctx context.Context, q rowsQueryer, w io.Writer) error {
	return r.eachState(ctx, q, func(id uuid.UUID, s *state, _ string) error {
		var out strings.Builder
		for _, f := range s.heads {
			for _, h := range f.heads {
				fmt.Fprintf(&out, "%x %s %s %s %x/%d %d %x %x\n", id[:], h.kind, h.division, f.name, h.Node[:], h.Seq, h.clock, h.author[:], []byte(h.value))
			}
		}
		_, err := io.WriteString(w, out.String())
		return err
	})
}

// eachState visits every entity by id: its state, and its plain columns as one text.
func (r *Replica) eachState(ctx context.Context, q rowsQueryer, visit func(id uuid.UUID, s *state, plain string) error) error {
	const query = `
		SELECT e.id, e.content, concat_ws('|', e.kind, e.division, e.state, e.due, e.parent, e.updated, e.conflicts,
			(SELECT hex(blind) FROM idnumbers WHERE entity = e.id), (SELECT group_concat(hex(digest) || size, ',' ORDER BY digest) FROM blobrefs WHERE entity = e.id))
		FROM entities e ORDER BY e.id`
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, sealed sql.RawBytes
		var plain string
		if err := rows.Scan(&id, &sealed, &plain); err != nil {
			return err
		}
		s, err := r.openState(uuid.UUID(id), sealed)
		if err != nil {
			return err
		}
		if err := visit(uuid.UUID(id), s, plain); err != nil {
			return err
		}
	}
	return rows.Err()
}

// stateDigest is the SHA-256 of everything that follows from the log, the plain
// columns included, on which nothing else would notice a hand.
func (r *Replica) stateDigest(ctx context.Context, q rowsQueryer) (Digest, error) {
	sum := sha256.New()
	var b []byte
	err := r.eachState(ctx, q, func(id uuid.UUID, s *state, plain string) error {
		b = append(s.append(append(b[:0], id[:]...)), plain...)
		sum.Write(b)
		return nil
	})
	return Digest(sum.Sum(nil)), err
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
