//go:build linux || darwin

package embedded

import "golang.org/x/sys/unix"

// diskLeft returns the space on a directory's file system that all users may use.
func diskLeft(dir string) (left, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	block := uint64(s.Bsize)
	return s.Bavail * block, s.Blocks * block, nil
}
