package export

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/google/uuid"

	"ironfeet/store/world"
)

// summed counts and digests what goes through it.
type summed struct {
	to   io.Writer
	sum  hash.Hash
	size int64
}

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.sum.Write(p[:n]) // never fails
	s.size += int64(n)
	return n, err
}

// A sealed file is pieces of 64 KiB, each bound to its export and its number.
const sealedPiece = 64 << 10

func sealedPlace(id uuid.UUID, n int64) string { return fmt.Sprintf("export/%s/%d", id, n) }

type sealedWriter struct {
	to   io.Writer
	seal func(string, []byte) []byte
	id   uuid.UUID
	sum  hash.Hash
	buf  bytes.Buffer
	n    int64
	size int64
}

func (w *sealedWriter) Write(p []byte) (int, error) {
	w.sum.Write(p) // never fails
	w.size += int64(len(p))
	w.buf.Write(p)
	for w.buf.Len() >= sealedPiece {
		if err := w.piece(w.buf.Next(sealedPiece)); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (w *sealedWriter) piece(p []byte) error {
	_, err := w.to.Write(w.seal(sealedPlace(w.id, w.n), p))
	w.n++
	return err
}

func (w *sealedWriter) Close() error {
	if w.buf.Len() == 0 {
		return nil
	}
	return w.piece(w.buf.Bytes())
}

// sealOverhead is what sealing adds to a piece: nonce and tag.
const sealOverhead = 40

type sealedReader struct {
	from world.File
	open func(string, []byte) ([]byte, error)
	id   uuid.UUID
	size int64
	at   int64
	have int64 // the piece in plain
	text []byte
}

func (r *sealedReader) Read(p []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	n := r.at / sealedPiece
	if n != r.have {
		length := min(sealedPiece, r.size-n*sealedPiece)
		sealed := make([]byte, length+sealOverhead)
		if _, err := r.from.ReadAt(sealed, n*(sealedPiece+sealOverhead)); err != nil {
			return 0, fmt.Errorf("read export %s: %w", r.id, err)
		}
		text, err := r.open(sealedPlace(r.id, n), sealed)
		if err != nil {
			return 0, fmt.Errorf("read export %s: %w", r.id, err)
		}
		r.have, r.text = n, text
	}
	got := copy(p, r.text[r.at-n*sealedPiece:])
	r.at += int64(got)
	return got, nil
}

func (r *sealedReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("before the beginning")
	}
	r.at = offset
	return offset, nil
}

func (r *sealedReader) Close() error { return r.from.Close() }
