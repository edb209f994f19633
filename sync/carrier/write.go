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
	"strings"

	"filippo.io/age"
	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

// maxPart is how large one file may grow before the next is begun: FAT32 holds none
// of 4 GiB, and the last photo must still fit.
const maxPart = 4<<30 - 2*MaxBlob

// Write seals contents to the recipients (age1…), each file under a temporary name
// beside its own, synced and renamed, so that a pulled stick leaves whole files or
// none. What does not fit into one file goes on in the next, see PartName; the six
// digits of the last stand for all. Memory does not grow with the contents. The file
// key of the encryption is age's own and comes from the operating system; it decides
// nothing but the ciphertext.
func Write(ctx context.Context, w world.World, path string, recipients []string, c Contents) (Summary, error) {
	return writeParts(ctx, w, path, recipients, c, maxPart)
}

// PartName is the name of a carrier's n-th file: x.ironfeet, x.2.ironfeet, …
func PartName(path string, n int) string {
	if n <= 1 {
		return path
	}
	return fmt.Sprintf("%s.%d%s", strings.TrimSuffix(path, Extension), n, Extension)
}

func writeParts(ctx context.Context, w world.World, path string, recipients []string, c Contents, limit int64) (Summary, error) {
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
	p := newParts(ctx, w, path, to, c, limit)
	err := p.all()
	if err != nil {
		return Summary{}, errors.Join(fmt.Errorf("write %s: %w", path, err), p.abandon())
	}
	return p.sum, nil
}

// parts writes one carrier into as many files as it needs.
type parts struct {
	ctx      context.Context
	world    world.World
	path     string
	to       []age.Recipient
	contents Contents
	limit    int64
	sum      Summary // of all files

	file     world.File // the one being written; nil between two
	counted  *counter
	buffered *bufio.Writer
	sealed   io.WriteCloser
	out      *writer
	own      end          // counts of this file
	before   store.Digest // of the file before this one
}

func newParts(ctx context.Context, w world.World, path string, to []age.Recipient, c Contents, limit int64) *parts {
	p := &parts{ctx: ctx, world: w, path: path, to: to, contents: c, limit: limit}
	p.sum = Summary{County: trust.Fingerprint(c.County), From: named(c.Name, c.From), Made: w.Now().UTC()}
	return p
}

func (p *parts) all() error {
	if err := p.open(); err != nil {
		return err
	}
	if err := p.records(); err != nil {
		return err
	}
	return p.finish(false)
}

func (p *parts) temporary() string { return PartName(p.path, p.sum.Parts) + ".part" }

// open begins the next file.
func (p *parts) open() error {
	p.sum.Parts++
	disk := p.world.Disk
	if err := forget(disk, p.temporary()); err != nil {
		return err
	}
	var err error
	if p.file, err = disk.Create(p.temporary()); err != nil {
		return err
	}
	return p.seal(p.file)
}

// seal begins the encrypted sequence on a file.
func (p *parts) seal(file io.Writer) (err error) {
	p.counted = &counter{w: file}
	p.buffered = bufio.NewWriterSize(p.counted, 256<<10)
	if p.sealed, err = age.Encrypt(p.buffered, p.to...); err != nil {
		return err
	}
	p.out, p.own = &writer{w: p.sealed, digest: sha256.New()}, end{}
	return p.out.record(kindHeader, p.header())
}

func (p *parts) header() header {
	c := p.contents
	h := header{Version: version, County: cose.HashOf(countyOf(c.County)), From: c.From, Name: c.Name, Made: p.sum.Made.UnixMilli()}
	if p.sum.Parts > 1 {
		before := cose.HashOf(p.before)
		h.Part, h.Before = uint64(p.sum.Parts), &before
	}
	return h
}

// end writes the last record.
func (p *parts) end(more bool) error {
	p.sum.Digest = store.Digest(p.out.digest.Sum(nil))
	p.sum.Six = six(p.sum.Digest)
	p.own.Digest, p.own.More = cose.HashOf(p.sum.Digest), more
	return p.out.record(kindEnd, p.own)
}

// flush ends the encrypted sequence.
func (p *parts) flush() error {
	if err := p.sealed.Close(); err != nil {
		return err
	}
	if err := p.buffered.Flush(); err != nil {
		return err
	}
	p.sum.Bytes += p.counted.n
	return nil
}

// finish ends a file and makes it durable under its name.
func (p *parts) finish(more bool) error {
	if err := p.end(more); err != nil {
		return err
	}
	if err := p.flush(); err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	file := p.file
	p.file = nil
	if err := file.Close(); err != nil {
		return err
	}
	if err := p.world.Disk.Rename(p.temporary(), PartName(p.path, p.sum.Parts)); err != nil {
		return err
	}
	return p.world.Disk.SyncDir(filepath.Dir(p.path))
}

// room begins another file where so many bytes more would not fit into this one.
func (p *parts) room(bytes int64) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if p.out.n == 0 || p.out.n+bytes <= p.limit || p.own.Bundles+p.own.Receipts+p.own.Blobs == 0 {
		return nil
	}
	if err := p.finish(true); err != nil {
		return err
	}
	p.before = p.sum.Digest
	return p.open()
}

// abandon removes what a failed write left half done.
func (p *parts) abandon() error {
	if p.file == nil {
		return nil
	}
	return errors.Join(p.file.Close(), forget(p.world.Disk, p.temporary()))
}

// records writes everything, in order of value.
func (p *parts) records() error {
	c := p.contents
	if c.Bundles != nil {
		for raw, err := range c.Bundles {
			if err == nil {
				err = p.room(int64(len(raw)))
			}
			if err == nil {
				err = p.out.record(kindBundle, raw)
			}
			if err != nil {
				return err
			}
			p.own.Bundles++
			p.sum.Bundles++
			p.sum.Changes += changesOf(raw)
		}
	}
	for _, raw := range c.Receipts {
		err := p.room(int64(len(raw)))
		if err == nil {
			err = p.out.record(kindReceipt, raw)
		}
		if err != nil {
			return err
		}
		p.own.Receipts++
		p.sum.Receipts++
	}
	for _, ref := range c.Blobs {
		err := p.room(ref.Size)
		if err == nil {
			err = p.out.blob(p.ctx, c, ref)
		}
		if err != nil {
			return fmt.Errorf("photo %s: %w", ref.Digest, err)
		}
		p.own.Blobs++
		p.sum.Blobs++
	}
	return nil
}

// forget removes what a failed write left.
func forget(disk world.Disk, name string) error {
	if err := disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
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
	n      int64
}

func (w *writer) record(kind uint64, content any) error {
	b := cose.Encode(cose.Encode(record{Kind: kind, Content: content}))
	w.digest.Write(b)
	w.n += int64(len(b))
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
