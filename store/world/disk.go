package world

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// Disk is the part of a file system that a durable write needs. SQLite writes its
// own files past it.
type Disk interface {
	Create(name string) (File, error) // a new file, 0600; fails with fs.ErrExist if there is one
	Open(name string) (File, error)   // for reading
	Append(name string) (File, error) // opened or created, 0600, writing at the end
	Rename(from, to string) error     // replaces to
	Remove(name string) error
	MkdirAll(dir string) error // 0700
	SyncDir(dir string) error  // makes renames, creations and removals in dir durable
	Stat(name string) (fs.FileInfo, error)
	List(dir string) ([]string, error) // names, sorted
}

// File is an open file of a Disk.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Seeker
	io.Closer
	Sync() error
}

// OS is the real disk.
type OS struct{}

// Create makes a new file.
func (OS) Create(name string) (File, error) {
	return file(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

// Open opens a file for reading.
func (OS) Open(name string) (File, error) { return file(os.Open(name)) }

// Append opens or creates a file for appending.
func (OS) Append(name string) (File, error) {
	return file(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600))
}

// file keeps a nil *os.File from becoming a File that is not nil.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Rename moves a file over another.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove deletes a file or an empty folder.
func (OS) Remove(name string) error { return os.Remove(name) }

// MkdirAll makes a folder and those above it.
func (OS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

// SyncDir makes what happened to the names in a folder durable. Windows has no
// such call; NTFS journals names by itself.
func (OS) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Stat describes a file.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// List returns the names in a folder, sorted.
func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// ReadFile reads a whole file of at most limit bytes.
func ReadFile(d Disk, name string, limit int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("larger than this file may be")}
	}
	return b, nil
}
