package carrier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"ironfeet/store/world"
)

// Copy copies a carrier, all its files, onto a stick or off it. A copy that was broken
// off goes on where it was: what is there already is read and compared, and only the
// rest is written. It returns how many bytes were written and how many were there.
func Copy(ctx context.Context, w world.World, from, to string, say func(done int64)) (written, kept int64, err error) {
	for n := 1; ; n++ {
		source := PartName(from, n)
		if _, err := w.Disk.Stat(source); n > 1 && errors.Is(err, fs.ErrNotExist) {
			return written, kept, nil
		}
		more, had, err := copyFile(ctx, w, source, PartName(to, n), func(done int64) { say(written + kept + done) })
		written, kept = written+more, kept+had
		if err != nil {
			return written, kept, fmt.Errorf("copy %s: %w", source, err)
		}
	}
}

const copyPiece = 1 << 20

func copyFile(ctx context.Context, w world.World, from, to string, say func(int64)) (written, kept int64, err error) {
	source, err := w.Disk.Open(from)
	if err != nil {
		return 0, 0, err
	}
	defer source.Close()
	whole, err := w.Disk.Stat(from)
	if err != nil {
		return 0, 0, err
	}
	if done, err := w.Disk.Stat(to); err == nil && done.Size() == whole.Size() {
		same, err := agree(ctx, w, source, to)
		if err != nil || same == whole.Size() {
			return 0, same, err
		}
	}
	temporary := to + ".part"
	if kept, err = agree(ctx, w, source, temporary); err != nil {
		return 0, 0, err
	}
	if torn, err := w.Disk.Stat(temporary); err == nil && torn.Size() != kept {
		kept = 0 // it holds something else: from the beginning
		if err := w.Disk.Remove(temporary); err != nil {
			return 0, 0, err
		}
	}
	if _, err := source.Seek(kept, io.SeekStart); err != nil {
		return 0, kept, err
	}
	target, err := w.Disk.Append(temporary)
	if err != nil {
		return 0, kept, err
	}
	piece := make([]byte, copyPiece)
	for err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		var n int
		n, err = io.ReadFull(source, piece)
		if n > 0 {
			m, failed := target.Write(piece[:n])
			written += int64(m)
			if failed != nil {
				err = failed
			}
			say(kept + written)
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = target.Sync()
	}
	if err = errors.Join(err, target.Close()); err != nil {
		return written, kept, err
	}
	if err := w.Disk.Rename(temporary, to); err != nil {
		return written, kept, err
	}
	return written, kept, w.Disk.SyncDir(filepath.Dir(to))
}

// agree says how many leading bytes of a file are those of the source; 0 if there is
// no such file.
func agree(ctx context.Context, w world.World, source io.ReadSeeker, name string) (same int64, err error) {
	have, err := w.Disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer have.Close()
	if _, err := source.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	a, b := make([]byte, copyPiece), make([]byte, copyPiece)
	for {
		if err := ctx.Err(); err != nil {
			return same, err
		}
		n, err := io.ReadFull(have, a)
		if n == 0 && errors.Is(err, io.EOF) {
			return same, nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return same, err
		}
		m, err := io.ReadFull(source, b[:n])
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return same, err
		}
		for i := range m {
			if a[i] != b[i] {
				return same + int64(i), nil
			}
		}
		same += int64(m)
		if m < n || !bytes.Equal(a[:n], b[:m]) {
			return same, nil
		}
	}
}
