package world

import (
	"errors"
	"io/fs"
	"sync"
	"syscall"
)

// ErrInjected is what a FaultyDisk returns where it was told to fail.
var ErrInjected = errors.New("input/output error (injected)")

// FaultyDisk is a disk that fails on purpose: it has room for so many bytes more,
// and its syncs and renames fail while told to. For tests and the simulation.
type FaultyDisk struct {
	Disk

	mu         sync.Mutex
	limited    bool
	room       int64
	failSync   bool
	failRename bool
}

// Limit leaves room for n bytes more; then writes fail with ENOSPC, after as many
// bytes as still went in.
func (d *FaultyDisk) Limit(n int64) { d.set(func() { d.limited, d.room = true, n }) }

// FailSync makes every fsync fail, or succeed again.
func (d *FaultyDisk) FailSync(fail bool) { d.set(func() { d.failSync = fail }) }

// FailRename makes every rename fail, or succeed again.
func (d *FaultyDisk) FailRename(fail bool) { d.set(func() { d.failRename = fail }) }

// Heal ends all faults.
func (d *FaultyDisk) Heal() {
	d.set(func() { d.limited, d.failSync, d.failRename = false, false, false })
}

func (d *FaultyDisk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// take grants up to n bytes.
func (d *FaultyDisk) take(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.limited {
		return n
	}
	n = int(min(int64(n), d.room))
	d.room -= int64(n)
	return n
}

func (d *FaultyDisk) syncFault() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failSync {
		return ErrInjected
	}
	return nil
}

// Create makes a new file that shares the disk's faults.
func (d *FaultyDisk) Create(name string) (File, error) { return d.wrap(name)(d.Disk.Create(name)) }

// Open opens a file.
func (d *FaultyDisk) Open(name string) (File, error) { return d.wrap(name)(d.Disk.Open(name)) }

// Append opens a file for appending.
func (d *FaultyDisk) Append(name string) (File, error) { return d.wrap(name)(d.Disk.Append(name)) }

func (d *FaultyDisk) wrap(name string) func(File, error) (File, error) {
	return func(f File, err error) (File, error) {
		if err != nil {
			return nil, err
		}
		return &faultyFile{f, d, name}, nil
	}
}

// Rename moves a file, unless told to fail.
func (d *FaultyDisk) Rename(from, to string) error {
	d.mu.Lock()
	fail := d.failRename
	d.mu.Unlock()
	if fail {
		return &fs.PathError{Op: "rename", Path: from, Err: ErrInjected}
	}
	return d.Disk.Rename(from, to)
}

// SyncDir syncs a folder, unless told to fail.
func (d *FaultyDisk) SyncDir(dir string) error {
	if err := d.syncFault(); err != nil {
		return &fs.PathError{Op: "sync", Path: dir, Err: err}
	}
	return d.Disk.SyncDir(dir)
}

type faultyFile struct {
	File
	disk *FaultyDisk
	name string
}

func (f *faultyFile) Write(p []byte) (int, error) {
	granted := f.disk.take(len(p))
	n, err := f.File.Write(p[:granted])
	if err == nil && granted < len(p) {
		err = &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	return n, err
}

func (f *faultyFile) Sync() error {
	if err := f.disk.syncFault(); err != nil {
		return &fs.PathError{Op: "sync", Path: f.name, Err: err}
	}
	return f.File.Sync()
}
