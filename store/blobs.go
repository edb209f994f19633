package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"ironfeet/store/world"
)

// A blob lies in blobs/ab/abcdef…:
//
//	sealed header   the blob's salt, bound to its digest
//	sealed pieces   64 KiB each, bound to the salt, their number and whether they
//	                are the last
//
// so that no piece can be moved, swapped or cut off unnoticed, and none has to be
// in memory longer than it is being written: the digest is known at the end, and
// only the header needs it. In form 1, which is still read, there is no header and
// the digest stands for the salt.
const (
	blobPiece = 64 << 10
	saltSize  = 16
	sealing   = 40 // what sealing adds: 24 bytes of nonce, 16 of tag
	header    = saltSize + sealing
)

const (
	formDigest = 1
	formSalt   = 2
)

// A BlobTooLargeError means a file is larger than the caller allows.
type BlobTooLargeError struct{ Most int64 }

func (e *BlobTooLargeError) Error() string {
	return fmt.Sprintf("the file is larger than %d bytes", e.Most)
}

// Code is the key of the sentence.
func (e *BlobTooLargeError) Code() string { return "store.blob_too_large" }

// A WrongBlobError means that a file is not the one that was named.
type WrongBlobError struct{ Named, Got Digest }

func (e *WrongBlobError) Error() string {
	return fmt.Sprintf("the file is not what its name says: %s, named %s", e.Got, e.Named)
}

// Code is the key of the sentence.
func (e *WrongBlobError) Code() string { return "store.wrong_blob" }

// A DepartedError means a file was here, was confirmed by the county, and has left
// this machine to make room.
type DepartedError struct{ Digest Digest }

func (e *DepartedError) Error() string {
	return fmt.Sprintf("file %s is at the county; it has left this machine to make room", e.Digest)
}

// Is makes a departed file one that is not found here.
func (e *DepartedError) Is(target error) bool { return target == ErrNotFound }

// Code is the key of the sentence.
func (e *DepartedError) Code() string { return "store.blob_departed" }

func (r *Replica) blobPath(d Digest) string {
	name := d.String()
	return filepath.Join(r.dir, blobFolder, name[:2], name)
}

const (
	blobFolder = "blobs"
	newBlob    = "new-" // a file that is being written begins so
)

func piecePlace(form int, salt []byte, n int, last bool) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	if form == formDigest {
		return fmt.Sprintf("blob/%s/%s/%t", salt, b[:], last)
	}
	return fmt.Sprintf("blob 2/%s/%s/%t", salt, b[:], last)
}

func headerPlace(d Digest) string { return "blob 2/" + string(d[:]) }

// PutBlob stores a file under its SHA-256 and returns once it is durable: written
// under a temporary name, synced, renamed, the folder synced. It holds one piece in
// memory, whatever the file's size; limit bounds it.
func (r *Replica) PutBlob(ctx context.Context, rd io.Reader, limit int64) (BlobRef, error) {
	return r.putBlob(ctx, rd, limit, nil)
}

// PutNamedBlob stores a file like PutBlob if it is the one that ref names; else it
// stores nothing and returns a *WrongBlobError.
func (r *Replica) PutNamedBlob(ctx context.Context, ref BlobRef, rd io.Reader) error {
	_, err := r.putBlob(ctx, rd, ref.Size, &ref.Digest)
	return err
}

// A Hashed is a file in memory with its SHA-256, which only Hash works out.
type Hashed struct {
	content []byte
	digest  Digest
}

// Hash reads a file's SHA-256. The file must not change any more.
func Hash(content []byte) Hashed { return Hashed{content, DigestOf(content)} }

// Size is the file's, in bytes.
func (h Hashed) Size() int64 { return int64(len(h.content)) }

// Digest is the file's name.
func (h Hashed) Digest() Digest { return h.digest }

// PutHashed stores a file like PutNamedBlob, which was hashed on its way in and is not
// hashed again.
func (r *Replica) PutHashed(ctx context.Context, ref BlobRef, h Hashed) error {
	if h.digest != ref.Digest || int64(len(h.content)) != ref.Size {
		return &WrongBlobError{ref.Digest, h.digest}
	}
	_, err := r.writeAndKeep(ctx, func(f world.File) (BlobRef, error) { return ref, r.writeHashed(f, h) })
	return err
}

func (r *Replica) putBlob(ctx context.Context, rd io.Reader, limit int64, named *Digest) (BlobRef, error) {
	return r.writeAndKeep(ctx, func(f world.File) (BlobRef, error) {
		ref, err := r.writeBlob(f, rd, limit)
		if err == nil && named != nil && ref.Digest != *named {
			err = &WrongBlobError{*named, ref.Digest}
		}
		return ref, err
	})
}

// writeAndKeep makes a file durable under a temporary name, and then moves it to its
// place.
func (r *Replica) writeAndKeep(ctx context.Context, write func(world.File) (BlobRef, error)) (BlobRef, error) {
	disk := r.world.Disk
	if err := r.makeFolder(blobFolder); err != nil {
		return BlobRef{}, diskError("store the file", err)
	}
	temp := filepath.Join(r.dir, blobFolder, newBlob+r.world.NewID().String())
	f, err := disk.Create(temp)
	if err != nil {
		return BlobRef{}, diskError("store the file", err)
	}
	ref, err := write(f)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = r.keepBlob(ctx, temp, ref)
	}
	if err != nil {
		if gone := disk.Remove(temp); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return BlobRef{}, diskError("store the file", err)
	}
	return ref, nil
}

// writeHashed seals a file whose digest is known: the header goes first.
func (r *Replica) writeHashed(f world.File, h Hashed) error {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(r.world.Rand, salt); err != nil {
		return fmt.Errorf("make a salt: %w", err)
	}
	room := rooms.Get().(*room)
	defer rooms.Put(room)
	sealed, err := r.keys.AppendSeal(room[0][:0], headerPlace(h.digest), salt)
	for number, rest := 0, h.content; err == nil; number++ {
		if _, err = f.Write(sealed); err != nil || number > 0 && len(rest) == 0 {
			break
		}
		piece := rest[:min(len(rest), blobPiece)]
		rest = rest[len(piece):]
		sealed, err = r.keys.AppendSeal(room[0][:0], piecePlace(formSalt, salt, number, len(rest) == 0), piece)
	}
	return err
}

// writeBlob seals a stream piece by piece and writes the header last.
func (r *Replica) writeBlob(f world.File, rd io.Reader, limit int64) (BlobRef, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(r.world.Rand, salt); err != nil {
		return BlobRef{}, fmt.Errorf("make a salt: %w", err)
	}
	if _, err := f.Write(make([]byte, header)); err != nil {
		return BlobRef{}, err
	}
	source := &hashed{r: io.LimitReader(rd, limit+1), h: sha256.New()}
	// Whether a piece is the last is known when nothing comes behind it.
	room := rooms.Get().(*room)
	defer rooms.Put(room)
	piece, next, sealed := room[0][:blobPiece], room[1][:blobPiece], room[2][:0]
	n, err := readPiece(source, piece)
	for number := 0; err == nil; number++ {
		m := 0
		if n == blobPiece {
			m, err = readPiece(source, next)
			if err != nil {
				break
			}
		}
		if source.size > limit {
			return BlobRef{}, &BlobTooLargeError{limit}
		}
		if sealed, err = r.keys.AppendSeal(sealed[:0], piecePlace(formSalt, salt, number, m == 0), piece[:n]); err != nil {
			return BlobRef{}, err
		}
		if _, err := f.Write(sealed); err != nil {
			return BlobRef{}, err
		}
		if m == 0 {
			break
		}
		piece, next, n = next, piece, m
	}
	if err != nil {
		return BlobRef{}, fmt.Errorf("read the file: %w", err)
	}
	ref := BlobRef{Digest: Digest(source.h.Sum(nil)), Size: source.size}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return BlobRef{}, err
	}
	sealed, err = r.keys.AppendSeal(sealed[:0], headerPlace(ref.Digest), salt)
	if err == nil {
		_, err = f.Write(sealed)
	}
	return ref, err
}

// A room is what one blob needs while it is written.
type room [3][blobPiece + sealing]byte

var rooms = sync.Pool{New: func() any { return new(room) }}

// readPiece fills a piece as far as there is anything; 0 at the end.
func readPiece(rd io.Reader, piece []byte) (int, error) {
	n, err := io.ReadFull(rd, piece)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}

type hashed struct {
	r    io.Reader
	h    hash.Hash
	size int64
}

func (s *hashed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.h.Write(p[:n])
	s.size += int64(n)
	return n, err
}

// keepBlob moves a written file to its place and remembers it. What is here
// already is not written again.
func (r *Replica) keepBlob(ctx context.Context, temp string, ref BlobRef) error {
	r.sweeping.RLock() // a sweep must not take the file before its row is there
	defer r.sweeping.RUnlock()
	here, err := r.HasBlob(ctx, ref.Digest)
	if err != nil {
		return err
	}
	disk, path := r.world.Disk, r.blobPath(ref.Digest)
	if here {
		if _, err := disk.Stat(path); err == nil {
			return disk.Remove(temp)
		}
	}
	if err := r.makeFolder(blobFolder, filepath.Base(filepath.Dir(path))); err != nil {
		return err
	}
	if err := disk.Rename(temp, path); err != nil {
		return err
	}
	if err := disk.SyncDir(filepath.Dir(path)); err != nil {
		return err
	}
	// Many files that come at once share one transaction; what is begun for one is not
	// broken off because another's sender has gone.
	return r.blobs.Do(ref, func(refs []BlobRef) error { return r.insertBlobs(context.WithoutCancel(ctx), refs) })
}

const maxBlobsATurn = 256

func (r *Replica) insertBlobs(ctx context.Context, refs []BlobRef) error {
	const upsert = `
		INSERT INTO blobs (digest, size, form, since) VALUES ($1, $2, $3, $4)
		ON CONFLICT (digest) DO UPDATE SET form = excluded.form, since = excluded.since`
	return r.transact(ctx, func(tx *sql.Tx) error {
		insert, err := r.kept.in(ctx, tx, upsert)
		if err != nil {
			return err
		}
		back, err := r.kept.in(ctx, tx, `DELETE FROM departed WHERE digest = $1`)
		if err != nil {
			return err
		}
		now := r.world.Now().UnixMilli()
		for _, ref := range refs {
			if _, err := insert.ExecContext(ctx, ref.Digest[:], ref.Size, formSalt, now); err != nil {
				return err
			}
			if _, err := back.ExecContext(ctx, ref.Digest[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// makeFolder makes a folder of the data folder and makes its name durable.
func (r *Replica) makeFolder(parts ...string) error {
	path := filepath.Join(append([]string{r.dir}, parts...)...)
	if _, err := r.world.Disk.Stat(path); err == nil {
		return nil
	}
	if err := r.world.Disk.MkdirAll(path); err != nil {
		return err
	}
	return r.world.Disk.SyncDir(filepath.Dir(path))
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
// that was altered ends the reading with a *DamagedError. One that has left this
// machine is a *DepartedError, one that was never here ErrNotFound.
func (r *Replica) OpenBlob(ctx context.Context, d Digest) (io.ReadCloser, int64, error) {
	var size int64
	var form int
	err := r.read.QueryRowContext(ctx, `SELECT size, form FROM blobs WHERE digest = $1`, d[:]).Scan(&size, &form)
	if errors.Is(err, sql.ErrNoRows) {
		var n int
		if err := r.read.QueryRowContext(ctx, `SELECT count(*) FROM departed WHERE digest = $1`, d[:]).Scan(&n); err == nil && n > 0 {
			return nil, 0, &DepartedError{d}
		}
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
	b := &blobReader{r: r, f: f, digest: d, form: form, salt: d[:], left: size, sealed: make([]byte, blobPiece+sealing)}
	if form == formSalt {
		_, err := io.ReadFull(f, b.sealed[:header])
		if err == nil {
			b.salt, err = r.keys.Open(headerPlace(d), b.sealed[:header])
		}
		if err != nil {
			f.Close()
			return nil, 0, &DamagedError{r.dir, "blob " + d.String(), err}
		}
	}
	return b, size, nil
}

type blobReader struct {
	r      *Replica
	f      io.ReadCloser
	digest Digest
	form   int
	salt   []byte
	n      int
	left   int64  // of the content, not yet opened
	sealed []byte // one piece as it lies on the disk
	open   []byte
	ended  bool
}

func (b *blobReader) Read(p []byte) (int, error) {
	for len(b.open) == 0 {
		if b.ended {
			return 0, io.EOF
		}
		size := min(b.left, blobPiece)
		sealed := b.sealed[:int(size)+sealing]
		last := size == b.left
		_, err := io.ReadFull(b.f, sealed)
		if err == nil {
			b.open, err = b.r.keys.Open(piecePlace(b.form, b.salt, b.n, last), sealed)
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

// runs are the runs of blobrefs, the newest first.
const runs = `(
	WITH RECURSIVE runs (run) AS (SELECT max(run) FROM blobrefs UNION ALL SELECT run - 1 FROM runs WHERE run > 0)
	SELECT run FROM runs) runs`

// MissingBlobs returns the blobs that applied changes name and that are not here,
// by digest. What has left this machine is not missing.
func (r *Replica) MissingBlobs(ctx context.Context) ([]BlobRef, error) {
	const query = `
		SELECT DISTINCT digest, size FROM blobrefs
		WHERE digest NOT IN (SELECT digest FROM blobs) AND digest NOT IN (SELECT digest FROM departed) ORDER BY digest`
	return r.refs(ctx, query)
}

// MissingBlobsOf is MissingBlobs for what entities of one kind name.
func (r *Replica) MissingBlobsOf(ctx context.Context, kind Kind) ([]BlobRef, error) {
	const query = `
		SELECT DISTINCT b.digest, b.size FROM blobrefs b JOIN entities e ON e.id = b.entity
		WHERE e.kind = $1 AND b.digest NOT IN (SELECT digest FROM blobs) AND b.digest NOT IN (SELECT digest FROM departed) ORDER BY b.digest`
	return r.refs(ctx, query, string(kind))
}

// MissingBlob says whether an applied change names a blob that is not here, and its
// size.
func (r *Replica) MissingBlob(ctx context.Context, d Digest) (size int64, missing bool, err error) {
	const query = `
		SELECT size FROM ` + runs + ` CROSS JOIN blobrefs f ON f.run = runs.run AND f.short = substr($1, 1, 6) AND f.digest = $1
		WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE digest = $1) LIMIT 1`
	switch err := r.read.QueryRowContext(ctx, query, d[:]).Scan(&size); {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("look for blob %s: %w", d, err)
	}
	return size, true, nil
}

// NamedBlobs returns the blobs that applied changes name and that are here, by
// digest.
func (r *Replica) NamedBlobs(ctx context.Context) ([]BlobRef, error) {
	const query = `SELECT DISTINCT digest, size FROM blobrefs WHERE digest IN (SELECT digest FROM blobs) ORDER BY digest`
	return r.refs(ctx, query)
}

func (r *Replica) refs(ctx context.Context, query string, args ...any) ([]BlobRef, error) {
	rows, err := r.read.QueryContext(ctx, query, args...)
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
		SELECT DISTINCT e.division FROM ` + runs + ` CROSS JOIN blobrefs f ON f.run = runs.run AND f.short = substr($1, 1, 6) AND f.digest = $1
		JOIN entities e ON e.id = f.entity ORDER BY e.division`
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

// tidyBlobs removes what a crash left half written. It runs when a folder is
// opened, before anybody writes.
func (r *Replica) tidyBlobs() error {
	names, err := r.world.Disk.List(filepath.Join(r.dir, blobFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, newBlob) {
			err = errors.Join(err, r.world.Disk.Remove(filepath.Join(r.dir, blobFolder, name)))
		}
	}
	return err
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
