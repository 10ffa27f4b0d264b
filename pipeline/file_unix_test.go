//go:build unix

package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe is read to its end, in however many pieces it is written, and a pipe without a
// writer does not block its reader.
func TestReadOfAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadFile(ctx, path, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("a pipe without a writer: %v", err)
	}
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = w.WriteString("00a")
		_, _ = w.WriteString("bc\n")
		_ = w.Close()
	}()
	if data, err := ReadFile(t.Context(), path, 100); string(data) != "00abc\n" {
		t.Errorf("a pipe with a writer: %q, %v", data, err)
	}
}
