//go:build unix

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A folderLock keeps a second process out. The kernel lets go of it when the
// process ends, however it ends.
type folderLock struct{ f *os.File }

// lockFolder takes the folder, or says who holds it.
func lockFolder(dir string) (*folderLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, diskError("open the data folder", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		held := make([]byte, 32)
		n, _ := f.ReadAt(held, 0)
		f.Close()
		pid, _ := strconv.Atoi(strings.TrimSpace(string(held[:n])))
		return nil, &InUseError{dir, pid}
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0) // only to say who holds it
	}
	return &folderLock{f}, nil
}

func (l *folderLock) release() { l.f.Close() }

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

// diskFree is what is left to this account on a folder's disk, -1 if it cannot be told.
func diskFree(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
