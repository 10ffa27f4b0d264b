package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A read that hangs blocks nobody: callers give up in time, or when their order changes,
// and a path is read by one at a time.
func TestReadThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		back := make(chan struct{})
		r := fileReads{each: map[placed]*fileRead{}, from: func(placed, int64) ([]byte, error) {
			begun.Add(1)
			<-back
			return []byte("00abc"), nil
		}}
		for range 3 {
			began := time.Now()
			if _, err := r.read(t.Context(), placed{path: "/net/token"}, 10); err == nil || !strings.Contains(err.Error(), "/net/token") {
				t.Errorf("a read that hangs gave %v", err)
			}
			if took := time.Since(began); took > 2*fileTime {
				t.Errorf("it took %s to give up", took)
			}
		}
		errChanged := errors.New("integration changed")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errChanged) })
		if _, err := r.read(ctx, placed{path: "/net/token"}, 10); !errors.Is(err, errChanged) {
			t.Errorf("a new order did not end the wait: %v", err)
		}
		if n := begun.Load(); n != 1 {
			t.Errorf("%d reads of one path at once", n)
		}
		close(back)
		if data, err := r.read(t.Context(), placed{path: "/net/token"}, 10); string(data) != "00abc" {
			t.Errorf("with the file back: %q, %v", data, err)
		}
	})
}

// A file is read if it is below the directory once links are followed, whatever they are
// named; of others it is not even said whether they exist.
func TestReadBelowADirectory(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name string) string {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("00abc"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(to, name string) string {
		path := filepath.Join(root, name)
		if err := os.Symlink(to, path); err != nil {
			t.Skip(err)
		}
		return path
	}
	dir, outside := filepath.Join(root, "secrets"), write("other")
	inside := write("secrets/..2026/token")
	link("..2026", "secrets/..data")
	linked := link("secrets", "linked")
	for path, want := range map[string]bool{
		inside: true, link("..data/token", "secrets/token"): true, filepath.Join(linked, "token"): true,
		outside: false, link("../other", "secrets/away"): false, dir: false, filepath.Join(dir, "..", "other"): false,
		filepath.Join(root, "none"): false, write("secrets2/token"): false,
	} {
		for _, dir := range []string{dir, linked} {
			data, err := ReadFileBelow(t.Context(), dir, path, 100)
			if want && (err != nil || string(data) != "00abc") || !want && (!errors.Is(err, ErrOutside) || data != nil) {
				t.Errorf("%s below %s: %q, %v", path, dir, data, err)
			}
		}
	}
	if _, err := ReadFileBelow(t.Context(), dir, filepath.Join(dir, "none"), 100); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that does not exist: %v", err)
	}
}
