//go:build linux

package embedded

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// smallDiskEnv is the directory of a small disk that this process may fill.
const smallDiskEnv = "SIGNAL_CLIENT_EMBEDDED_DISK"

// onSmallDisk runs a test in a process of its own that has a disk of some megabytes: a
// file system in memory, which is gone with the process. It needs namespaces, or root.
func onSmallDisk(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	if dir := os.Getenv(smallDiskEnv); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
			t.Fatal(err)
		}
		test(t, dir)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), smallDiskEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	said, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		t.Skipf("NOT TESTED: this system lets no process have a disk of its own (%v); run it as root", err)
	}
	t.Logf("%s", said)
	if err != nil {
		t.Fatal(err)
	}
}

// fill leaves no byte of a disk free. What it returns makes room again.
func fill(t *testing.T, dir string) (makeRoom func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; size /= 16 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	_ = f.Close()
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// patient tries for a while.
func patient(t *testing.T, what string, done func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = done(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// put publishes a large message.
func put(client jetstream.JetStream, subject string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := client.Publish(ctx, subject, make([]byte, 100_000))
	return err
}

// TestFullDiskHeals: whether it fills up while the server runs, or is full at its start,
// all that is needed is room.
func TestFullDiskHeals(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, dir string) {
		s := start(t, Config{Dir: dir, NoListen: true})
		client := js(t, "", s.InProcess(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
		for _, name := range []string{"S", "K"} {
			if _, err := client.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name}}); err != nil {
				t.Fatal(err)
			}
			if err := put(client, name); err != nil {
				t.Fatal(err)
			}
		}
		if trouble := s.Trouble(); trouble != "" || s.Short() != nil {
			t.Errorf("with room: %q, %v", trouble, s.Short())
		}
		makeRoom := fill(t, dir)
		if err := put(client, "S"); err == nil {
			t.Error("a message was stored on a full disk")
		}
		if trouble := s.Trouble(); trouble == "" || !errors.Is(s.Short(), ErrNoRoom) {
			t.Errorf("on a full disk: %q, %v", trouble, s.Short())
		}
		makeRoom()
		patient(t, "after room was made", func() error { return errors.Join(put(client, "S"), put(client, "K")) })
		patient(t, "what is told", func() error {
			if trouble := s.Trouble(); trouble != "" {
				return errors.New(trouble)
			}
			return nil
		})
		s.Shutdown()

		makeRoom = fill(t, dir)
		s = start(t, Config{Dir: dir, NoListen: true})
		client = js(t, "", s.InProcess(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
		if err := put(client, "S"); err == nil {
			t.Error("a message was stored on a full disk")
		}
		makeRoom()
		patient(t, "after a start on a full disk", func() error { return errors.Join(put(client, "S"), put(client, "K")) })
		stream, err := client.Stream(t.Context(), "S")
		if err != nil || stream.CachedInfo().State.Msgs < 3 {
			t.Errorf("%+v, %v", stream, err)
		}
	})
}

// TestLimitIsTheDisk: JetStream counts bytes before compression. Ten times what the disk
// holds fits, where it compresses well, and the disk tells when that is enough.
func TestLimitIsTheDisk(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, dir string) {
		s := start(t, Config{Dir: dir, NoListen: true, SyncInterval: time.Minute})
		client := js(t, "", s.InProcess())
		_, err := client.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"S"}, Compression: jetstream.S2Compression})
		if err != nil {
			t.Fatal(err)
		}
		for range 1280 { // 128 MB on 64 MB
			if err := put(client, "S"); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Short(); err != nil {
			t.Errorf("after what compresses well: %v", err)
		}
	})
}
