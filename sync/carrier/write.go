package carrier

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path/filepath"

	"filippo.io/age"
	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

// Write seals contents to the recipients (age1…) under a temporary name beside
// path, syncs it and renames it, so that a pulled stick leaves either a whole
// carrier or none. Memory does not grow with the contents. The file key of the
// encryption is age's own and comes from the operating system; it decides nothing
// but the ciphertext.
func Write(ctx context.Context, w world.World, path string, recipients []string, c Contents) (Summary, error) {
	if len(recipients) == 0 {
		return Summary{}, &NoRecipientError{}
	}
	to := make([]age.Recipient, len(recipients))
	for i, text := range recipients {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return Summary{}, fmt.Errorf("write %s: recipient %s: %w", path, text, err)
		}
		to[i] = r
	}
	temporary := path + ".part"
	if err := w.Disk.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Summary{}, fmt.Errorf("write %s: %w", path, err)
	}
	file, err := w.Disk.Create(temporary)
	if err != nil {
		return Summary{}, fmt.Errorf("write %s: %w", path, err)
	}
	summary, err := writeTo(ctx, w, file, to, c)
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = w.Disk.Rename(temporary, path)
	}
	if err != nil {
		return Summary{}, errors.Join(fmt.Errorf("write %s: %w", path, err), forget(w.Disk, temporary))
	}
	if err := w.Disk.SyncDir(filepath.Dir(path)); err != nil {
		return Summary{}, fmt.Errorf("write %s: %w", path, err)
	}
	return summary, nil
}

// forget removes what a failed write left.
func forget(disk world.Disk, name string) error {
	if err := disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeTo writes the encrypted sequence.
func writeTo(ctx context.Context, w world.World, file io.Writer, to []age.Recipient, c Contents) (Summary, error) {
	counted := &counter{w: file}
	buffered := bufio.NewWriterSize(counted, 256<<10)
	sealed, err := age.Encrypt(buffered, to...)
	if err != nil {
		return Summary{}, err
	}
	records := &writer{w: sealed, digest: sha256.New()}
	s, err := writeRecords(ctx, w, records, c)
	if err != nil {
		return s, err
	}
	if err := sealed.Close(); err != nil {
		return s, err
	}
	if err := buffered.Flush(); err != nil {
		return s, err
	}
	s.Bytes = counted.n
	return s, nil
}

// writeRecords writes the sequence in the clear.
func writeRecords(ctx context.Context, w world.World, out *writer, c Contents) (Summary, error) {
	made := w.Now().UTC()
	s := Summary{County: trust.Fingerprint(c.County), From: named(c.Name, c.From), Made: made}
	if err := out.record(kindHeader, header{
		Version: version, County: cose.HashOf(countyOf(c.County)), From: c.From, Name: c.Name, Made: made.UnixMilli(),
	}); err != nil {
		return s, err
	}
	if c.Bundles != nil {
		for raw, err := range c.Bundles {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				err = out.record(kindBundle, raw)
			}
			if err != nil {
				return s, err
			}
			s.Bundles++
			s.Changes += changesOf(raw)
		}
	}
	for _, raw := range c.Receipts {
		if err := out.record(kindReceipt, raw); err != nil {
			return s, err
		}
		s.Receipts++
	}
	for _, ref := range c.Blobs {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		if err := out.blob(ctx, c, ref); err != nil {
			return s, fmt.Errorf("photo %s: %w", ref.Digest, err)
		}
		s.Blobs++
	}
	s.Digest = store.Digest(out.digest.Sum(nil))
	s.Six = six(s.Digest)
	return s, out.record(kindEnd, end{
		Bundles: uint64(s.Bundles), Receipts: uint64(s.Receipts), Blobs: uint64(s.Blobs), Digest: cose.HashOf(s.Digest),
	})
}

func named(name string, id uuid.UUID) string {
	if name != "" {
		return name
	}
	return id.String()
}

// changesOf counts the changes of a bundle that has a body.
func changesOf(raw []byte) int {
	b, _, err := bundle.Parse(raw)
	if err != nil || b.Body == nil {
		return 0
	}
	return int(b.Last - b.First + 1)
}

type writer struct {
	w      io.Writer
	digest hash.Hash
}

func (w *writer) record(kind uint64, content any) error {
	b := cose.Encode(cose.Encode(record{Kind: kind, Content: content}))
	w.digest.Write(b)
	_, err := w.w.Write(b)
	return err
}

func (w *writer) blob(ctx context.Context, c Contents, ref store.BlobRef) error {
	rd, size, err := c.OpenBlob(ctx, ref.Digest)
	if err != nil {
		return err
	}
	defer rd.Close()
	if err := w.record(kindBlob, blobHeader{Hash: cose.HashOf(ref.Digest), Size: uint64(size)}); err != nil {
		return err
	}
	chunk := make([]byte, chunkBytes)
	for left := size; left > 0; {
		n, err := io.ReadFull(rd, chunk[:min(left, chunkBytes)])
		if err != nil {
			return err
		}
		if err := w.record(kindChunk, chunk[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
