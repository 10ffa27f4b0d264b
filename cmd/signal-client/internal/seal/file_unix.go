//go:build unix

package seal

import (
	"errors"
	"os"
	"syscall"
)

// permissions reports whether modes of files say who can read them.
const permissions = true

// own gives a file the owner of another one, if this user may.
func own(f *os.File, like os.FileInfo) error {
	stat, ok := like.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return nil
	}
	return f.Chown(int(stat.Uid), int(stat.Gid))
}

// syncDir makes the names in a directory outlive a power loss.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
