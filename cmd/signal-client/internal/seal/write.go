package seal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"
)

// Make writes a new key to a file that only its owner can read. A file that exists stays,
// and the error matches fs.ErrExist.
func Make(path string) error {
	line, err := newLine()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := finish(f, line); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return syncDir(filepath.Dir(path))
}

// MakeMissing makes the file unless it exists. One process at a time may do it. A crash
// leaves no file or a whole one.
func MakeMissing(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	line, err := newLine()
	if err != nil {
		return err
	}
	return replace(path, line, nil)
}

// Rotate puts a new key before the others of a file. A crash leaves the former file or the
// new one.
func Rotate(ctx context.Context, path string) error {
	if _, err := Open(ctx, path); err != nil { // not a file that is something else
		return err
	}
	path, err := filepath.EvalSymlinks(path) // the link stays
	if err != nil {
		return err
	}
	line, err := newLine()
	if err != nil {
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return replace(path, append(line, before...), info)
}

// replace replaces a file as a whole, and gives it the owner of the former one, if there is
// one, so that a service that runs as another user can still read it.
func replace(path string, data []byte, like os.FileInfo) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	if like != nil {
		err = own(f, like)
	}
	if err = errors.Join(err, finish(f, data)); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// newLine returns the line of a new key.
func newLine() ([]byte, error) {
	pair, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, err
	}
	seed, err := pair.Seed()
	return append(seed, '\n'), err
}

// finish writes a file to the disk and closes it: a key that seals must outlive a power
// loss.
func finish(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
