package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// Reading every household and member from its own row, and spelling every name,
// takes seconds for a county. So the look-up is kept as a snapshot, sealed, in
// pieces, and the entities that changed since are listed beside it: opening a folder
// reads the pieces and then only those.
const (
	snapshotPiece   = 256 << 10
	snapshotLeast   = 500  // entities: for fewer a snapshot is not worth its row
	staleMost       = 2000 // beyond so many a new one is written
	snapshotVersion = 1
)

func snapshotPlace(n int, of uint64) string { return fmt.Sprintf("snapshot/content/%d/%d", of, n) }

// index reads the whole look-up: from the snapshot if there is one, else anew.
func (r *Replica) index(ctx context.Context) error {
	fresh := newIndex()
	stale, err := r.readSnapshot(ctx, fresh)
	if err != nil { // derived, so whatever is wrong with it is no loss
		fresh, stale = newIndex(), -1
		if err := r.readEntries(ctx, fresh, `SELECT `+entityColumns+` FROM entities WHERE kind IN ('household', 'member')`); err != nil {
			return err
		}
	}
	r.find.mu.Lock()
	r.find.homes, r.find.people, r.find.at, r.find.dead = fresh.homes, fresh.people, fresh.at, fresh.dead
	for i, c := range r.find.columns() {
		*c = *fresh.columns()[i]
	}
	r.find.mu.Unlock()
	if stale < 0 && len(fresh.people.id) >= snapshotLeast || stale > staleMost {
		return r.writeSnapshot(ctx)
	}
	return nil
}

// readEntries passes over rows that cannot be read: a folder opens all the same, and
// doctor says what is wrong with it.
func (r *Replica) readEntries(ctx context.Context, x *index, query string) error {
	return r.eachReadable(ctx, query, func(e *Entity) error {
		if entry, ok := entryOf(e); ok {
			x.put(entry)
		}
		return nil
	})
}

var errNoSnapshot = fmt.Errorf("no snapshot of the look-up: %w", ErrNotFound)

// readSnapshot reads the pieces, and what changed since. It returns how many
// entities that was.
func (r *Replica) readSnapshot(ctx context.Context, x *index) (stale int, err error) {
	rows, err := r.read.QueryContext(ctx, `SELECT n, of, content FROM snapshot ORDER BY n`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n, of := 0, int64(0)
	var all []byte
	for ; rows.Next(); n++ {
		var at int
		var sealed sql.RawBytes
		if err := rows.Scan(&at, &of, &sealed); err != nil {
			return 0, err
		}
		if n == 0 && of < 1<<20 {
			all = make([]byte, 0, of*snapshotPiece)
		}
		if all, err = r.keys.AppendOpen(all, snapshotPlace(n, uint64(of)), sealed); err != nil {
			return 0, err
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if n == 0 || int64(n) != of {
		return 0, errNoSnapshot
	}
	if err := x.read(all); err != nil {
		return 0, err
	}
	// An entity whose row is gone was withdrawn.
	gone, err := r.read.QueryContext(ctx, `SELECT entity FROM stale WHERE entity NOT IN (SELECT id FROM entities)`)
	if err != nil {
		return 0, err
	}
	defer gone.Close()
	for gone.Next() {
		var id []byte
		if err := gone.Scan(&id); err != nil {
			return 0, err
		}
		x.bury(uuid.UUID(id))
	}
	if err := gone.Err(); err != nil {
		return 0, err
	}
	err = r.readEntries(ctx, x, `SELECT `+entityColumns+` FROM entities WHERE id IN (SELECT entity FROM stale)`)
	if err == nil {
		err = r.read.QueryRowContext(ctx, `SELECT count(*) FROM stale`).Scan(&stale)
	}
	return stale, err
}

// writeSnapshot keeps the look-up as it is now. Nobody writes meanwhile.
func (r *Replica) writeSnapshot(ctx context.Context) error {
	return r.transact(ctx, func(tx *sql.Tx) error {
		r.find.mu.Lock()
		r.find.compact()
		all := r.find.append(nil)
		r.find.mu.Unlock()
		pieces := slices.Collect(slices.Chunk(all, snapshotPiece))
		for _, text := range []string{`DELETE FROM snapshot`, `DELETE FROM stale`} {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		for n, piece := range pieces {
			sealed, err := r.keys.AppendSeal(nil, snapshotPlace(n, uint64(len(pieces))), piece)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO snapshot (n, of, content) VALUES ($1, $2, $3)`, n, len(pieces), sealed); err != nil {
				return err
			}
		}
		return nil
	})
}

// keepSnapshot brings the snapshot up to date before a folder is closed, if much
// changed. Failing costs time at the next opening and nothing else.
func (r *Replica) keepSnapshot(ctx context.Context) {
	var pieces, stale int
	const query = `SELECT (SELECT count(*) FROM snapshot), (SELECT count(*) FROM stale)`
	if r.read.QueryRowContext(ctx, query).Scan(&pieces, &stale) != nil {
		return
	}
	r.find.mu.RLock()
	many := len(r.find.people.id)
	r.find.mu.RUnlock()
	if many >= snapshotLeast && (pieces == 0 || stale > staleMost/4) {
		_ = r.writeSnapshot(ctx)
	}
}

// append writes the look-up as bytes: a version, and then every array, its length
// before it, numbers in four bytes. It has been compacted.
func (x *index) append(b []byte) []byte {
	length := func(n int) { b = binary.LittleEndian.AppendUint32(b, uint32(n)) }
	ids := func(list []uuid.UUID) {
		length(len(list))
		for i := range list {
			b = append(b, list[i][:]...)
		}
	}
	texts := func(list []string) {
		length(len(list))
		for _, t := range list {
			length(len(t))
			b = append(b, t...)
		}
	}
	bytes := func(t []byte) { length(len(t)); b = append(b, t...) }
	b = append(b, snapshotVersion)
	ids(x.homes.id)
	b = numbers(b, x.homes.own)
	b = numbers(b, x.homes.division)
	b = numbers(b, x.homes.state)
	texts(x.homes.divisions)
	texts(x.homes.states)
	ids(x.people.id)
	b = numbers(b, x.people.home)
	b = numbers(b, x.people.start)
	bytes(x.people.labels)
	for _, c := range x.columns() {
		b = numbers(b, c.start)
		b = numbers(b, c.whose)
		bytes(c.text)
	}
	return b
}

func numbers[N int32 | uint32 | uint16](b []byte, list []N) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(list)))
	for _, n := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// readNumbers reads what numbers wrote; each must be below a bound. -1 may stand
// for none where the type has it.
func readNumbers[N int32 | uint32 | uint16](c *cursor, below int, none bool) []N {
	raw := c.take(4 * uint64(c.length(4)))
	list := make([]N, len(raw)/4)
	for i := range list {
		n := binary.LittleEndian.Uint32(raw[4*i:])
		if int64(n) >= int64(below) && !(none && n == 1<<32-1) {
			c.bad = true
		}
		list[i] = N(n)
	}
	return list
}

func (c *cursor) length(least uint64) int {
	raw := c.take(4)
	if len(raw) < 4 {
		return 0
	}
	n := binary.LittleEndian.Uint32(raw)
	if uint64(n) > uint64(len(c.b))/least {
		c.bad, c.b = true, nil
		return 0
	}
	return int(n)
}

// read takes a snapshot in. Texts are parts of b.
func (x *index) read(b []byte) error {
	c := &cursor{b: b}
	if c.byte() != snapshotVersion {
		return errState
	}
	ids := func() []uuid.UUID {
		raw := c.take(16 * uint64(c.length(16)))
		list := make([]uuid.UUID, len(raw)/16)
		for i := range list {
			copy(list[i][:], raw[16*i:])
		}
		return list
	}
	texts := func() []string {
		list := make([]string, c.length(4))
		for i := range list {
			list[i] = string(c.take(uint64(c.length(1))))
		}
		return list
	}
	const any = 1<<31 - 1
	x.homes.id = ids()
	x.homes.own = readNumbers[int32](c, any, true)
	x.homes.division = readNumbers[uint16](c, 1<<16, false)
	x.homes.state = readNumbers[uint16](c, 1<<16, false)
	x.homes.divisions, x.homes.states = texts(), texts()
	x.people.id = ids()
	x.people.home = readNumbers[int32](c, len(x.homes.id), false)
	x.people.start = readNumbers[uint32](c, any, false)
	x.people.labels = c.take(uint64(c.length(1)))
	for _, column := range x.columns() {
		column.start = readNumbers[uint32](c, any, false)
		column.whose = readNumbers[int32](c, len(x.people.id), false)
		column.text = c.take(uint64(c.length(1)))
		if len(column.start) != len(column.whose) || !ascends(column.start, len(column.text)) {
			return errState
		}
	}
	homes, people := len(x.homes.id), len(x.people.id)
	if c.bad || len(c.b) > 0 || len(x.homes.own) != homes || len(x.homes.division) != homes || len(x.homes.state) != homes ||
		len(x.people.home) != people || len(x.people.start) != people || !ascends(x.people.start, len(x.people.labels)) {
		return errState
	}
	for n := range homes {
		if int(x.homes.own[n]) >= people || int(x.homes.division[n]) >= len(x.homes.divisions) || int(x.homes.state[n]) >= len(x.homes.states) {
			return errState
		}
	}
	return nil
}

// ascends says whether lines begin one behind the other, within a text.
func ascends(start []uint32, text int) bool {
	for i, at := range start {
		if int(at) > text || i > 0 && at < start[i-1] {
			return false
		}
	}
	return true
}
