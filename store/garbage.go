package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// grace is how long a file stays that nothing names yet: a photo is taken in
// before the draft that will name it is saved.
const grace = 7 * 24 * time.Hour

// Confirm remembers that the county's signed word covers these files. From then on
// their originals, and by Depart they themselves, may leave this machine
// (invariant 1). Whoever calls it has verified the receipt.
func (r *Replica) Confirm(ctx context.Context, digests []Digest) error {
	return r.transact(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO confirmed (digest) VALUES ($1) ON CONFLICT DO NOTHING`)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, d := range digests {
			if _, err := insert.ExecContext(ctx, d[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// unnamed are blobs that no applied change names, that are nobody's original, and
// that no withdrawn bundle named.
const unnamed = `
	SELECT digest, size FROM blobs b WHERE since < $1
	AND NOT EXISTS (SELECT 1 FROM ` + runs + ` CROSS JOIN blobrefs f ON f.run = runs.run AND f.short = substr(b.digest, 1, 6) AND f.digest = b.digest)
	AND NOT EXISTS (SELECT 1 FROM originals o WHERE o.original = b.digest AND o.copy NOT IN (SELECT digest FROM confirmed))
	AND NOT EXISTS (SELECT 1 FROM disputed WHERE digest = b.digest)`

// Garbage returns the files that nothing names any more: originals whose copies
// the county has confirmed, and photos of drafts that were thrown away. While a
// bundle waits or is set aside, nothing is garbage: it may name any file.
func (r *Replica) Garbage(ctx context.Context) ([]BlobRef, error) {
	var held int
	if err := r.read.QueryRowContext(ctx, `SELECT count(*) FROM held`).Scan(&held); err != nil {
		return nil, fmt.Errorf("look for what is held: %w", err)
	}
	if held > 0 {
		return nil, nil
	}
	candidates, err := r.refs(ctx, unnamed+` ORDER BY digest`, r.world.Now().Add(-grace).UnixMilli())
	if err != nil || len(candidates) == 0 {
		return nil, err
	}
	named, err := r.draftsAndSettings(ctx)
	if err != nil {
		return nil, err
	}
	var list []BlobRef
	for _, c := range candidates {
		if !named(c.Digest) {
			list = append(list, c)
		}
	}
	return list, nil
}

// draftsAndSettings returns whether a draft, an answer or a setting holds a digest,
// as bytes or in hexadecimal. What casework keeps there this package cannot read;
// that the digest stands in it is enough to keep the file.
func (r *Replica) draftsAndSettings(ctx context.Context) (func(Digest) bool, error) {
	var texts [][]byte
	drafts, err := r.Drafts(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range drafts {
		texts = append(texts, d.Extra)
		for _, a := range d.Answers {
			texts = append(texts, []byte(a))
		}
	}
	rows, err := r.read.QueryContext(ctx, `SELECT name, value FROM settings`)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var sealed []byte
		if err := rows.Scan(&name, &sealed); err != nil {
			return nil, err
		}
		value, err := r.keys.Open(settingPlace(name), sealed)
		if err != nil {
			return nil, &DamagedError{r.dir, "setting " + name, err}
		}
		texts = append(texts, value)
	}
	return func(d Digest) bool {
		hexadecimal := []byte(d.String())
		for _, t := range texts {
			if bytes.Contains(t, d[:]) || bytes.Contains(bytes.ToLower(t), hexadecimal) {
				return true
			}
		}
		return false
	}, rows.Err()
}

// CollectGarbage removes what Garbage returns, and files in the blob folder that
// have no row. It returns what it removed.
func (r *Replica) CollectGarbage(ctx context.Context) ([]BlobRef, error) {
	garbage, err := r.Garbage(ctx)
	if err != nil {
		return nil, err
	}
	r.sweeping.Lock()
	defer r.sweeping.Unlock()
	var gone []BlobRef
	for _, ref := range garbage {
		dropped, err := r.dropRow(ctx, ref.Digest)
		if err != nil {
			return gone, err
		}
		if dropped {
			gone = append(gone, ref)
			if err := r.removeFiles(ref.Digest); err != nil {
				return gone, err
			}
		}
	}
	return gone, r.sweep(ctx)
}

// dropRow forgets a blob unless something has come to name it meanwhile; the row
// goes before the file, so that a crash leaves a file too many and never a row
// without its file.
func (r *Replica) dropRow(ctx context.Context, d Digest) (dropped bool, err error) {
	err = r.transact(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM blobs WHERE digest IN (SELECT digest FROM (`+unnamed+`)) AND digest = $2`,
			r.world.Now().Add(-grace).UnixMilli(), d[:])
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		dropped = true
		_, err = tx.ExecContext(ctx, `DELETE FROM originals WHERE original = $1`, d[:])
		return err
	})
	return dropped, err
}

func (r *Replica) removeFiles(d Digest) error {
	for _, path := range []string{r.blobPath(d), r.thumbPath(d)} {
		if err := r.world.Disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the file %s: %w", d, err)
		}
	}
	return nil
}

// sweep removes files that have no row: a crash between the two left them.
func (r *Replica) sweep(ctx context.Context) error {
	root := filepath.Join(r.dir, blobFolder)
	folders, err := r.world.Disk.List(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if strings.HasPrefix(folder, newBlob) {
			continue // being written
		}
		names, err := r.world.Disk.List(filepath.Join(root, folder))
		if err != nil {
			return err
		}
		for _, name := range names {
			d, err := ParseDigest(name)
			if err != nil {
				continue // not one of ours: left alone
			}
			here, err := r.HasBlob(ctx, d)
			if err != nil {
				return err
			}
			if !here {
				if err := r.world.Disk.Remove(r.blobPath(d)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Depart lets the content of photos go that the county has confirmed; their
// thumbnails stay. What it has not confirmed is left where it is. It returns what
// has gone.
func (r *Replica) Depart(ctx context.Context, digests []Digest) ([]BlobRef, error) {
	r.sweeping.Lock()
	defer r.sweeping.Unlock()
	var gone []BlobRef
	for _, d := range digests {
		if _, err := r.Thumbnail(ctx, d); errors.Is(err, ErrNotFound) {
			continue
		} // a file without a thumbnail, as a workbook, may go as well
		var size int64
		err := r.transact(ctx, func(tx *sql.Tx) error {
			const remove = `DELETE FROM blobs WHERE digest = $1 AND digest IN (SELECT digest FROM confirmed) RETURNING size`
			if err := tx.QueryRowContext(ctx, remove, d[:]).Scan(&size); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO departed (digest, size, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, d[:], size, r.world.Now().UnixMilli())
			return err
		})
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return gone, err
		}
		gone = append(gone, BlobRef{d, size})
		if err := r.world.Disk.Remove(r.blobPath(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return gone, fmt.Errorf("remove the file %s: %w", d, err)
		}
	}
	return gone, nil
}
