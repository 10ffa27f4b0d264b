package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/sink/embedded"
)

// A command of another user can't read the password: it says which file, and what to do.
func TestPasswordOfAnotherUser(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, embedded.ContextName)
	if err := os.WriteFile(path, []byte(`{"user":"u","password":"p"}`), 0o000); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		if os.Geteuid() == 0 { // root may read everything; this thread is not used again
			runtime.LockOSThread()
			_ = unix.Setfsuid(65534)
		}
		_, err := NATS{}.To(Server{Listen: DefaultListen, DataDir: dir})
		done <- err
	}()
	err := <-done
	if err == nil {
		t.Fatal("it can be read")
	}
	p := problem.Of(err)
	if p.Code != problem.BadCredential || !strings.Contains(p.Err.Error(), path) || !strings.Contains(p.Hint, "as root") {
		t.Errorf("%+v", p)
	}
}
