package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"ironfeet/store/world"
)

// A FileError says why a file named on the command line cannot be used.
type FileError struct {
	File string
	Why  string // missing, too_large, exists, unreadable
	Most int64
	Err  error
}

func (e *FileError) Error() string {
	switch e.Why {
	case "missing":
		return e.File + ": there is no such file"
	case "too_large":
		return fmt.Sprintf("%s: larger than %d bytes", e.File, e.Most)
	case "exists":
		return e.File + ": is there already and is not written over"
	}
	return fmt.Sprintf("%s: %v", e.File, e.Err)
}

// Code is the key of the sentence.
func (e *FileError) Code() string { return "file." + e.Why }

func (e *FileError) Unwrap() error { return e.Err }

// readInput reads a whole file of at most limit bytes.
func readInput(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FileError{File: file, Why: "missing", Err: err}
	}
	if err != nil {
		return nil, &FileError{File: file, Why: "unreadable", Err: err}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, &FileError{File: file, Why: "unreadable", Err: err}
	}
	if int64(len(data)) > limit {
		return nil, &FileError{File: file, Why: "too_large", Most: limit}
	}
	return data, nil
}

// writeOutput writes a file through a temporary one beside it: a command that
// fails leaves none, and nothing that exists is written over.
func writeOutput(w world.World, file string, write func(io.Writer) error) (int64, error) {
	if _, err := w.Disk.Stat(file); err == nil {
		return 0, &FileError{File: file, Why: "exists"}
	}
	temp := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+"."+w.NewID().String())
	f, err := w.Disk.Create(temp)
	if err != nil {
		return 0, &FileError{File: file, Why: "unreadable", Err: err}
	}
	n := &counted{w: f}
	err = write(n)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = w.Disk.Rename(temp, file)
	}
	if err != nil {
		return 0, errors.Join(err, w.Disk.Remove(temp))
	}
	return n.n, w.Disk.SyncDir(filepath.Dir(file))
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
