package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/google/uuid"
)

// Space is what a folder takes on the disk, in bytes.
type Space struct {
	Database   int64 `json:"database"`  // with its journal
	Photos     int64 `json:"photos"`    // copies and other files that changes name, or that wait for it
	Originals  int64 `json:"originals"` // what the camera wrote, until the county's word
	Thumbnails int64 `json:"thumbnails"`
	Garbage    int64 `json:"garbage"`   // of the files: what nothing names any more
	DiskFree   int64 `json:"disk_free"` // left on the disk; -1 if it cannot be told
}

// Total is everything this folder takes.
func (s Space) Total() int64 { return s.Database + s.Photos + s.Originals + s.Thumbnails }

// Space measures the folder.
func (r *Replica) Space(ctx context.Context) (Space, error) {
	s := Space{DiskFree: diskFree(r.dir)}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := r.world.Disk.Stat(filepath.Join(r.dir, databaseName+suffix)); err == nil {
			s.Database += info.Size()
		}
	}
	const query = `SELECT coalesce(sum(size), 0), coalesce(sum(CASE WHEN digest IN (SELECT original FROM originals) THEN size END), 0) FROM blobs`
	if err := r.read.QueryRowContext(ctx, query).Scan(&s.Photos, &s.Originals); err != nil {
		return s, fmt.Errorf("measure the files: %w", err)
	}
	s.Photos -= s.Originals
	garbage, err := r.Garbage(ctx)
	if err != nil {
		return s, err
	}
	for _, g := range garbage {
		s.Garbage += g.Size
	}
	s.Thumbnails, err = r.folderSize(filepath.Join(r.dir, thumbFolder))
	return s, err
}

func (r *Replica) folderSize(dir string) (sum int64, err error) {
	names, err := r.world.Disk.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	for _, name := range names {
		info, err := r.world.Disk.Stat(filepath.Join(dir, name))
		switch {
		case err != nil:
			continue // gone meanwhile
		case info.IsDir():
			n, err := r.folderSize(filepath.Join(dir, name))
			if err != nil {
				return sum, err
			}
			sum += n
		default:
			sum += info.Size()
		}
	}
	return sum, err
}

// BlobsOf returns the blobs that an entity's changes name and that are here.
func (r *Replica) BlobsOf(ctx context.Context, entity uuid.UUID) ([]BlobRef, error) {
	return r.refs(ctx, `SELECT b.digest, b.size FROM blobrefs f JOIN blobs b ON b.digest = f.digest WHERE f.entity = $1 ORDER BY b.digest`, entity[:])
}

// Confirmed says whether the county's signed word covers a file.
func (r *Replica) Confirmed(ctx context.Context, d Digest) (bool, error) {
	var n int
	err := r.read.QueryRowContext(ctx, `SELECT count(*) FROM confirmed WHERE digest = $1`, d[:]).Scan(&n)
	return n > 0, err
}

// Shedding is what Shed may let go of.
type Shedding struct {
	Old      func(Row) bool                         // entities this machine no longer needs
	AtCounty func(node uuid.UUID, last uint64) bool // whether the county holds a node's changes up to a number
}

// Shed lets the content of bundles go that the county holds and that are about
// nothing but entities this machine no longer needs. Their heads stay, so that the
// chain goes on (invariant 5); entities leave whole or not at all. It returns how
// many entities left and how many bytes that freed, which SQLite uses again.
//
// With dry, nothing is changed.
func (r *Replica) Shed(ctx context.Context, s Shedding, dry bool) (entities int, bytes int64, err error) {
	old := map[uuid.UUID]bool{}
	rows, err := r.Rows(ctx, Query{})
	if err != nil {
		return 0, 0, err
	}
	for _, row := range rows {
		if s.Old(row) {
			old[row.ID] = true
		}
	}
	type candidate struct {
		bundle   Bundle
		entities map[uuid.UUID]bool
	}
	var all []candidate
	newest := Tip{}
	if newest, err = r.Tip(ctx, r.id.Node); err != nil {
		return 0, 0, err
	}
	kept := map[uuid.UUID]bool{} // entities of which something must stay
	own, err := r.Unsealed(ctx, 1<<30)
	if err != nil {
		return 0, 0, err
	}
	for _, c := range own {
		kept[c.Entity] = true
	}
	for after := uint64(0); ; {
		page, err := r.Bundles(ctx, BundleQuery{AfterPos: after, Limit: logPage})
		if err != nil {
			return 0, 0, err
		}
		for i := range page {
			b := &page[i]
			after = b.Pos
			if b.Body == nil {
				continue
			}
			if err := r.unpack(b); err != nil {
				return 0, 0, err
			}
			c := candidate{Bundle{Node: b.Node, First: b.First, Last: b.Last, Digest: b.Digest, Pos: uint64(len(b.Body))}, map[uuid.UUID]bool{}}
			// The newest own bundle stays: its clock is where this node's clock goes on.
			may := s.AtCounty(b.Node, b.Last) && !(b.Node == r.id.Node && b.Last == newest.Last)
			for _, change := range b.Changes {
				c.entities[change.Entity] = true
				may = may && old[change.Entity]
				for _, ref := range change.Blobs {
					if may {
						if may, err = r.Confirmed(ctx, ref.Digest); err != nil {
							return 0, 0, err
						}
					}
				}
			}
			if may {
				all = append(all, c)
				continue
			}
			for id := range c.entities {
				kept[id] = true
			}
		}
		if len(page) < logPage {
			break
		}
	}
	// A bundle that shares an entity with one that stays, stays.
	for moved := true; moved; {
		moved = false
		rest := all[:0]
		for _, c := range all {
			stays := false
			for id := range c.entities {
				stays = stays || kept[id]
			}
			if !stays {
				rest = append(rest, c)
				continue
			}
			moved = true
			for id := range c.entities {
				kept[id] = true
			}
		}
		all = rest
	}
	gone := map[uuid.UUID]bool{}
	for _, c := range all {
		bytes += int64(c.bundle.Pos)
		for id := range c.entities {
			gone[id] = true
		}
	}
	if dry || len(all) == 0 {
		return len(gone), bytes, nil
	}
	var a *applier
	err = r.transact(ctx, func(tx *sql.Tx) (err error) {
		if a, err = r.applier(ctx, tx); err != nil {
			return err
		}
		for id := range gone {
			if err := a.without(id, func(ChangeID) bool { return true }); err != nil {
				return err
			}
		}
		for _, c := range all {
			if _, err := tx.ExecContext(ctx, `UPDATE bundles SET body = NULL WHERE digest = $1`, c.bundle.Digest[:]); err != nil {
				return err
			}
		}
		return a.finish()
	}, func() { r.find.take(a.shown) })
	if err != nil {
		return 0, 0, err
	}
	for _, c := range all {
		r.recent.forget(c.bundle.Node)
	}
	return len(gone), bytes, nil
}
