package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
)

// Purge removes the content of files for good, thumbnails too, because their time
// is over (个人信息保护法 Art. 19, 47). What named them stays in the log with their
// digests, so that the record still says what there was. A county calls it by its
// retention policy; what is purged is not asked for again. It returns what went.
func (r *Replica) Purge(ctx context.Context, digests []Digest) ([]BlobRef, error) {
	r.sweeping.Lock()
	defer r.sweeping.Unlock()
	var gone []BlobRef
	for _, d := range digests {
		var size int64
		err := r.transact(ctx, func(tx *sql.Tx) error {
			if err := tx.QueryRowContext(ctx, `DELETE FROM blobs WHERE digest = $1 RETURNING size`, d[:]).Scan(&size); err != nil {
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
		for _, path := range []string{r.blobPath(d), r.thumbPath(d)} {
			if err := r.world.Disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return gone, fmt.Errorf("remove the file %s: %w", d, err)
			}
		}
	}
	return gone, nil
}
