//go:build linux || darwin

package device

import "golang.org/x/sys/unix"

// Space is how many bytes are free for data in a folder; false where the system
// does not tell.
func Space(dir string) (int64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
