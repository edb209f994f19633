package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"ironfeet/store/photo"
	"ironfeet/store/world"
)

// A Photo is a picture as it was taken in: BlobRef is the copy that a visit names
// and that travels.
type Photo struct {
	BlobRef
	Original      BlobRef      // what the camera wrote; on this machine only
	Width, Height int          // of the copy
	Taken         string       // by the camera's clock; "" if unknown (see photo.Copy)
	Place         *photo.Place // nil if unknown
}

// PutPhoto takes a picture in: the original as it is, the copy that travels, and
// its thumbnail. All are durable when it returns. A file that is no photo is a
// *photo.Error, one larger than limit a *BlobTooLargeError.
func (r *Replica) PutPhoto(ctx context.Context, rd io.Reader, limit int64) (Photo, error) {
	original, err := r.PutBlob(ctx, rd, limit)
	if err != nil {
		return Photo{}, err
	}
	// Read back from the disk: the file is never in memory as a whole.
	kept, _, err := r.OpenBlob(ctx, original.Digest)
	if err != nil {
		return Photo{}, err
	}
	made, err := photo.Make(kept)
	kept.Close()
	if err != nil {
		return Photo{}, err // the file is named by nothing and goes with the garbage
	}
	ref, err := r.PutBlob(ctx, bytes.NewReader(made.JPEG), photo.CopyBytes)
	if err != nil {
		return Photo{}, err
	}
	if err := r.keepThumbnail(ref.Digest, made.Thumbnail); err != nil {
		return Photo{}, err
	}
	err = r.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO originals (copy, original) VALUES ($1, $2) ON CONFLICT DO NOTHING`, ref.Digest[:], original.Digest[:])
		return err
	})
	return Photo{ref, original, made.Width, made.Height, made.Taken, made.Place}, err
}

// Thumbnails lie in thumbs/ab/abcdef…, sealed, each one piece. They follow from the
// blobs and are made again when they are missing.
const thumbFolder = "thumbs"

// maxThumb bounds a thumbnail's file: 240 × 180 pixels never need more.
const maxThumb = 256 << 10

func (r *Replica) thumbPath(d Digest) string {
	name := d.String()
	return filepath.Join(r.dir, thumbFolder, name[:2], name)
}

func thumbPlace(d Digest) string { return "thumb/" + string(d[:]) }

func (r *Replica) keepThumbnail(d Digest, jpeg []byte) error {
	path := r.thumbPath(d)
	err := r.makeFolder(thumbFolder)
	if err == nil {
		err = r.makeFolder(thumbFolder, filepath.Base(filepath.Dir(path)))
	}
	if err == nil {
		err = world.WriteFile(r.world.Disk, path, r.keys.Seal(thumbPlace(d), jpeg))
	}
	return diskError("store the thumbnail", err)
}

// Thumbnail returns a photo's thumbnail, a JPEG within 240 × 180 pixels, also of one
// that has left this machine. It is made where there is none yet; a blob that is no
// picture is a *photo.Error.
func (r *Replica) Thumbnail(ctx context.Context, d Digest) ([]byte, error) {
	sealed, err := world.ReadFile(r.world.Disk, r.thumbPath(d), maxThumb)
	if err == nil {
		if jpeg, err := r.keys.Open(thumbPlace(d), sealed); err == nil {
			return jpeg, nil
		} // altered: the photo itself can say what it should be
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the thumbnail of %s: %w", d, err)
	}
	rd, _, err := r.OpenBlob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	jpeg, err := photo.Thumbnail(rd)
	if err != nil {
		return nil, err
	}
	// A thumbnail that cannot be kept is still one to show.
	_ = r.keepThumbnail(d, jpeg)
	return jpeg, nil
}
