//go:build linux || darwin

package doctor

import "golang.org/x/sys/unix"

// filesLimit returns how many files a process may open: Go raises the soft limit to the hard.
func filesLimit() (uint64, error) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	return limit.Max, err
}
