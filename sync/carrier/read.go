package carrier

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
	"unicode/utf8"

	"filippo.io/age"
	"github.com/fxamacker/cbor/v2"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

// A Sink takes what a carrier brings, in its order. An error ends the reading.
type Sink interface {
	County(root [32]byte) bool // whether this is the SHA-256 of a root whose carriers are read
	Bundle(ctx context.Context, raw []byte) error
	Receipt(ctx context.Context, raw []byte) error

	// Blob reads to the end, where the content's digest is checked: an error
	// instead of io.EOF means that what was read is not the blob.
	Blob(ctx context.Context, ref store.BlobRef, content io.Reader) error
}

// Read opens a carrier with this node's identity (AGE-SECRET-KEY-1…) and hands its
// records to the sink as they come. Errors: *NotForUsError, *DamagedError and
// *NewerError before anything was delivered; *TornError with the leading part
// delivered; the sink's own.
func Read(ctx context.Context, w world.World, path string, identity string, sink Sink) (Summary, error) {
	own, err := age.ParseX25519Identity(identity)
	if err != nil {
		return Summary{}, fmt.Errorf("read %s: this node's own identity: %w", path, err)
	}
	file, err := w.Disk.Open(path)
	if err != nil {
		return Summary{}, fmt.Errorf("read %s: %w", path, err)
	}
	defer file.Close()
	return readFrom(ctx, path, file, own, sink)
}

func readFrom(ctx context.Context, path string, file io.Reader, own age.Identity, sink Sink) (Summary, error) {
	counted := &countingReader{r: file}
	plain, err := age.Decrypt(bufio.NewReaderSize(counted, 256<<10), own)
	var nobody *age.NoIdentityMatchError
	switch {
	case errors.As(err, &nobody):
		return Summary{}, &NotForUsError{Path: path, Why: NotRecipient}
	case err != nil:
		return Summary{}, &DamagedError{Path: path, Cause: err}
	}
	r := newReader(plain)
	s, err := r.all(ctx, path, sink)
	s.Bytes = counted.n
	var torn *TornError
	if errors.As(err, &torn) {
		// A chunk cut in the middle does not authenticate either: only bytes behind
		// the fault tell damage from an early end.
		torn.Damaged = errors.Is(torn.Cause, errRecord) || !counted.ended
		torn.Summary = s
	}
	return s, err
}

// all reads every record.
func (r *reader) all(ctx context.Context, path string, sink Sink) (s Summary, err error) {
	h, err := r.header(path)
	if err != nil {
		return s, err
	}
	s.From, s.Made, s.Parts = named(h.Name, h.From), h.Made, h.Part
	if !sink.County(h.County) {
		return s, &NotForUsError{Path: path, Why: OtherCounty, From: s.From}
	}
	s.County = trust.FingerprintOf(h.County)
	torn := func(cause error) (Summary, error) {
		s.Digest, s.Torn = store.Digest(r.digest.Sum(nil)), true
		s.Six = six(s.Digest)
		return s, &TornError{Path: path, Summary: s, Cause: cause}
	}
	for range maxRecords {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		before := store.Digest(r.digest.Sum(nil))
		kind, content, err := r.next()
		if err != nil {
			return torn(err)
		}
		var delivery error
		switch kind {
		case kindBundle:
			var raw []byte
			if err := cose.DecodeBytes(content, &raw); err != nil {
				return torn(err)
			}
			if delivery = sink.Bundle(ctx, raw); delivery == nil {
				s.Bundles++
				s.Changes += changesOf(raw)
			}
		case kindReceipt:
			var raw []byte
			if err := cose.DecodeBytes(content, &raw); err != nil || len(raw) > maxReceipt {
				return torn(errors.Join(errRecord, err))
			}
			if delivery = sink.Receipt(ctx, raw); delivery == nil {
				s.Receipts++
			}
		case kindBlob:
			var b blobHeader
			if err := cose.Decode(content, &b); err != nil || b.Size > MaxBlob {
				return torn(errors.Join(errRecord, err))
			}
			digest, err := b.Hash.Digest()
			if err != nil {
				return torn(err)
			}
			body := &blobReader{r: r, left: int64(b.Size), want: digest, digest: sha256.New()}
			delivery = sink.Blob(ctx, store.BlobRef{Digest: digest, Size: int64(b.Size)}, body)
			if delivery == nil {
				_, delivery = io.Copy(io.Discard, body)
			}
			if body.fault != nil { // the file's fault, however the sink put it
				return torn(body.fault)
			}
			if delivery == nil {
				s.Blobs++
			}
		case kindEnd:
			return s, r.end(&s, content, before, torn)
		}
		if delivery != nil {
			return s, fmt.Errorf("import %s: %w", path, delivery)
		}
	}
	return torn(fmt.Errorf("%w: more than %d records", errRecord, maxRecords))
}

// end checks the last record against what was read. The summary is completed in
// place.
func (r *reader) end(s *Summary, content []byte, digest store.Digest, torn func(error) (Summary, error)) error {
	var e end
	var want [32]byte
	err := cose.Decode(content, &e)
	if err == nil {
		want, err = e.Digest.Digest()
	}
	if err == nil && (want != [32]byte(digest) || e.Bundles != uint64(s.Bundles) || e.Receipts != uint64(s.Receipts) || e.Blobs != uint64(s.Blobs)) {
		err = fmt.Errorf("%w: the last record counts otherwise", errRecord)
	}
	if err == nil {
		if _, more := r.r.ReadByte(); more != io.EOF {
			err = fmt.Errorf("%w: something stands behind the last", errRecord)
			if more != nil {
				err = more
			}
		}
	}
	if err != nil {
		*s, err = torn(err)
		return err
	}
	s.Digest, s.Six, s.More = digest, six(digest), e.More
	return nil
}

// maxParts bounds a carrier: four terabytes.
const maxParts = 1000

// header reads the first record.
func (r *reader) header(path string) (Header, error) {
	kind, content, err := r.next()
	if err != nil {
		return Header{}, &DamagedError{Path: path, Cause: err}
	}
	var h header
	if kind != kindHeader {
		return Header{}, &DamagedError{Path: path, Cause: errRecord}
	}
	if err := cose.Decode(content, &h); err != nil {
		return Header{}, &DamagedError{Path: path, Cause: err}
	}
	if h.Version > version {
		return Header{}, &NewerError{Path: path, Version: h.Version}
	}
	county, err := h.County.Digest()
	if err != nil || h.Version != version || len(h.Name) > 200 || !utf8.ValidString(h.Name) {
		return Header{}, &DamagedError{Path: path, Cause: errors.Join(errRecord, err)}
	}
	if h.Part > maxParts || (h.Part > 1) != (h.Before != nil) || h.Part == 1 {
		return Header{}, &DamagedError{Path: path, Cause: errRecord}
	}
	return Header{County: county, From: h.From, Name: h.Name, Made: time.UnixMilli(h.Made).UTC(), Part: max(1, int(h.Part))}, nil
}

var errRecord = errors.New("not a record of a carrier")

// reader reads records from the decrypted sequence.
type reader struct {
	r      *bufio.Reader
	digest hash.Hash
}

func newReader(plain io.Reader) *reader {
	return &reader{r: bufio.NewReaderSize(plain, 128<<10), digest: sha256.New()}
}

// next reads one record. The length is believed only as far as bytes really come,
// so that a lying one costs no memory (invariant 10).
func (r *reader) next() (kind uint64, content []byte, err error) {
	length, head, err := r.length()
	if err != nil {
		return 0, nil, err
	}
	var b bytes.Buffer
	if n, err := io.CopyN(&b, r.r, length); err != nil {
		if err == io.EOF || n < length && err == nil {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	r.digest.Write(head)
	r.digest.Write(b.Bytes())
	return splitRecord(b.Bytes())
}

// length reads the head of a CBOR byte string in its shortest form.
func (r *reader) length() (int64, []byte, error) {
	first, err := r.r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	head := []byte{first}
	if first>>5 != 2 || first&31 > 26 {
		return 0, nil, errRecord
	}
	length := int64(first & 31)
	if length >= 24 {
		more := make([]byte, 1<<(length-24))
		if _, err := io.ReadFull(r.r, more); err != nil {
			return 0, nil, err
		}
		head = append(head, more...)
		length = 0
		for _, b := range more {
			length = length<<8 | int64(b)
		}
	}
	if shortest := cose.BytesHead(int(length)); !bytes.Equal(shortest, head) {
		return 0, nil, errRecord
	}
	if length > maxRecord {
		return 0, nil, fmt.Errorf("%w: %d bytes, at most %d are read", errRecord, length, maxRecord)
	}
	return length, head, nil
}

// splitRecord reads [kind, content] and leaves the content as it stands.
func splitRecord(raw []byte) (uint64, []byte, error) {
	var pair struct {
		_       struct{} `cbor:",toarray"`
		Kind    uint64
		Content cbor.RawMessage
	}
	if err := decodeRecord.Unmarshal(raw, &pair); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	if !bytes.Equal(cose.Encode(record{Kind: pair.Kind, Content: pair.Content}), raw) {
		return 0, nil, errRecord
	}
	return pair.Kind, pair.Content, nil
}

var decodeRecord = func() cbor.DecMode {
	mode, err := cbor.DecOptions{IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, MaxNestedLevels: 8, MaxArrayElements: 65_536, MaxMapPairs: 256}.DecMode()
	if err != nil {
		panic("cbor options: " + err.Error())
	}
	return mode
}()

// blobReader reads the chunks of one blob and ends in io.EOF only if they are it.
type blobReader struct {
	r      *reader
	left   int64
	chunk  []byte
	want   store.Digest
	digest hash.Hash
	fault  error
	whole  bool
}

func (b *blobReader) Read(p []byte) (int, error) {
	for {
		if b.fault != nil {
			return 0, b.fault
		}
		if len(b.chunk) > 0 {
			n := copy(p, b.chunk)
			b.chunk = b.chunk[n:]
			return n, nil
		}
		if b.left == 0 {
			if !b.whole && store.Digest(b.digest.Sum(nil)) != b.want {
				b.fault = fmt.Errorf("%w: photo %s has another content", errRecord, b.want)
				continue
			}
			b.whole = true
			return 0, io.EOF
		}
		b.fill()
	}
}

// fill reads the next chunk.
func (b *blobReader) fill() {
	kind, content, err := b.r.next()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	var chunk []byte
	if err == nil && kind != kindChunk {
		err = errRecord
	}
	if err == nil {
		err = cose.DecodeBytes(content, &chunk)
	}
	if err == nil && (len(chunk) == 0 || len(chunk) > chunkBytes || int64(len(chunk)) > b.left) {
		err = errRecord
	}
	if err != nil {
		b.fault = err
		return
	}
	b.digest.Write(chunk)
	b.chunk, b.left = chunk, b.left-int64(len(chunk))
}

type countingReader struct {
	r     io.Reader
	n     int64
	ended bool
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.ended = c.ended || err == io.EOF
	return n, err
}
