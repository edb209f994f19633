//go:build !unix

package store

import (
	"os"
	"path/filepath"
)

// A folderLock keeps a second process out: an open file that cannot be removed
// while it is open.
type folderLock struct{ f *os.File }

func lockFolder(dir string) (*folderLock, error) {
	name := filepath.Join(dir, "lock")
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return nil, &InUseError{dir, 0}
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, &InUseError{dir, 0}
	}
	return &folderLock{f}, nil
}

func (l *folderLock) release() { l.f.Close() }

func isNoSpace(error) bool { return false }

func isReadOnly(error) bool { return false }

func diskFree(string) int64 { return -1 }
