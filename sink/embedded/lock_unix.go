//go:build unix && !aix && !solaris

package embedded

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const addressInUse = unix.EADDRINUSE

func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
