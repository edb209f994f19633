package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"ironfeet/store/world"
)

// A blob lies in blobs/ab/abcdef…, in pieces of 64 KiB, each sealed and bound to
// its digest, its number and whether it is the last, so that no piece can be
// moved, swapped or cut off unnoticed.
const blobPiece = 64 << 10

// A BlobTooLargeError means a file is larger than the caller allows.
type BlobTooLargeError struct{ Most int64 }

func (e *BlobTooLargeError) Error() string {
	return fmt.Sprintf("the file is larger than %d bytes", e.Most)
}

// Code is the key of the sentence.
func (e *BlobTooLargeError) Code() string { return "store.blob_too_large" }

func (r *Replica) blobPath(d Digest) string {
	name := d.String()
	return filepath.Join(r.dir, "blobs", name[:2], name)
}

func piecePlace(d Digest, n int, last bool) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return fmt.Sprintf("blob/%s/%s/%t", d[:], b[:], last)
}

// PutBlob stores a file under its SHA-256 and returns once it is durable: written
// beside its place, synced, renamed, the folder synced. The digest is known only
// at the end, so the content passes through memory once; limit bounds it.
func (r *Replica) PutBlob(ctx context.Context, rd io.Reader, limit int64) (BlobRef, error) {
	data, err := io.ReadAll(io.LimitReader(rd, limit+1))
	if err != nil {
		return BlobRef{}, fmt.Errorf("read the file: %w", err)
	}
	if int64(len(data)) > limit {
		return BlobRef{}, &BlobTooLargeError{limit}
	}
	ref := BlobRef{Digest: sha256.Sum256(data), Size: int64(len(data))}
	if here, err := r.HasBlob(ctx, ref.Digest); err != nil || here {
		return ref, err
	}
	var sealed bytes.Buffer
	for n, rest := 0, data; ; n++ {
		piece := rest[:min(len(rest), blobPiece)]
		rest = rest[len(piece):]
		last := len(rest) == 0
		sealed.Write(r.keys.Seal(piecePlace(ref.Digest, n, last), piece))
		if last {
			break
		}
	}
	path := r.blobPath(ref.Digest)
	if err := r.world.Disk.MkdirAll(filepath.Dir(path)); err != nil {
		return BlobRef{}, diskError("store the file", err)
	}
	if err := world.WriteFile(r.world.Disk, path, sealed.Bytes()); err != nil {
		return BlobRef{}, diskError("store the file", err)
	}
	err = r.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO blobs (digest, size) VALUES ($1, $2) ON CONFLICT DO NOTHING`, ref.Digest[:], ref.Size)
		return err
	})
	return ref, err
}

// HasBlob says whether a blob is here.
func (r *Replica) HasBlob(ctx context.Context, d Digest) (bool, error) {
	var n int
	err := r.read.QueryRowContext(ctx, `SELECT count(*) FROM blobs WHERE digest = $1`, d[:]).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for blob %s: %w", d, err)
	}
	return n > 0, nil
}

// OpenBlob reads a blob piece by piece; the size is that of its content. A piece
// that was altered ends the reading with a *DamagedError.
func (r *Replica) OpenBlob(ctx context.Context, d Digest) (io.ReadCloser, int64, error) {
	var size int64
	err := r.read.QueryRowContext(ctx, `SELECT size FROM blobs WHERE digest = $1`, d[:]).Scan(&size)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fmt.Errorf("blob %s: %w", d, ErrNotFound)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("look for blob %s: %w", d, err)
	}
	f, err := r.world.Disk.Open(r.blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, &DamagedError{r.dir, "blob " + d.String(), err}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open blob %s: %w", d, err)
	}
	return &blobReader{r: r, f: f, digest: d, left: size, overhead: len(r.keys.Seal("", nil))}, size, nil
}

type blobReader struct {
	r        *Replica
	f        io.ReadCloser
	digest   Digest
	n        int
	left     int64 // of the content, not yet opened
	overhead int   // of one sealed piece
	open     []byte
	ended    bool
}

func (b *blobReader) Read(p []byte) (int, error) {
	for len(b.open) == 0 {
		if b.ended {
			return 0, io.EOF
		}
		size := min(b.left, blobPiece)
		sealed := make([]byte, int(size)+b.overhead)
		last := size == b.left
		_, err := io.ReadFull(b.f, sealed)
		if err == nil {
			b.open, err = b.r.keys.Open(piecePlace(b.digest, b.n, last), sealed)
		}
		if err != nil {
			return 0, &DamagedError{b.r.dir, "blob " + b.digest.String(), err}
		}
		b.n, b.left, b.ended = b.n+1, b.left-size, last
	}
	n := copy(p, b.open)
	b.open = b.open[n:]
	return n, nil
}

func (b *blobReader) Close() error { return b.f.Close() }

// MissingBlobs returns the blobs that applied changes name and that are not here,
// by digest.
func (r *Replica) MissingBlobs(ctx context.Context) ([]BlobRef, error) {
	const query = `SELECT DISTINCT digest, size FROM blobrefs WHERE digest NOT IN (SELECT digest FROM blobs) ORDER BY digest`
	return r.refs(ctx, query)
}

// NamedBlobs returns the blobs that applied changes name and that are here, by
// digest.
func (r *Replica) NamedBlobs(ctx context.Context) ([]BlobRef, error) {
	const query = `SELECT DISTINCT digest, size FROM blobrefs WHERE digest IN (SELECT digest FROM blobs) ORDER BY digest`
	return r.refs(ctx, query)
}

func (r *Replica) refs(ctx context.Context, query string) ([]BlobRef, error) {
	rows, err := r.read.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read which blobs are named: %w", err)
	}
	defer rows.Close()
	var list []BlobRef
	for rows.Next() {
		var digest []byte
		var ref BlobRef
		if err := rows.Scan(&digest, &ref.Size); err != nil {
			return nil, err
		}
		ref.Digest = Digest(digest)
		list = append(list, ref)
	}
	return list, rows.Err()
}

// sortBlobs puts refs in the order in which a change names them, each once.
func sortBlobs(refs []BlobRef) []BlobRef {
	out := slices.Clone(refs)
	slices.SortFunc(out, func(a, b BlobRef) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	return slices.CompactFunc(out, func(a, b BlobRef) bool { return a.Digest == b.Digest })
}

// NamedIn returns the divisions of the entities whose changes name a blob.
func (r *Replica) NamedIn(ctx context.Context, d Digest) ([]string, error) {
	const query = `
		SELECT DISTINCT e.division FROM blobrefs b
		JOIN changes c ON c.node = b.node AND c.seq = b.seq JOIN entities e ON e.id = c.entity
		WHERE b.digest = $1 ORDER BY e.division`
	rows, err := r.read.QueryContext(ctx, query, d[:])
	if err != nil {
		return nil, fmt.Errorf("read what names blob %s: %w", d, err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var division string
		if err := rows.Scan(&division); err != nil {
			return nil, err
		}
		list = append(list, division)
	}
	return list, rows.Err()
}

// Seal and Unseal keep a file beside the database, as a photo that is still
// arriving, under the same key as everything else.
func (r *Replica) Seal(place string, plain []byte) []byte {
	return r.keys.Seal("beside/"+place, plain)
}

// Unseal opens what Seal sealed for the same place.
func (r *Replica) Unseal(place string, sealed []byte) ([]byte, error) {
	return r.keys.Open("beside/"+place, sealed)
}
