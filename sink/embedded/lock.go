package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lockName is the file in the store's directory that is locked while a server runs on it.
// It stays after the server's end; its lock does not.
const lockName = "signal-client.lock"

// errLocked: another open file holds the lock.
var errLocked = errors.New("locked")

// lockDir creates the directory and locks it for as long as the file is open.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("data directory %s is %w: stop that one, or use another directory for this one", dir, ErrInUse)
		}
		return nil, fmt.Errorf("lock the data directory %s: %w", dir, err)
	}
	return f, nil
}
