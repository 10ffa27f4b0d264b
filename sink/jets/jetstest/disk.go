//go:build linux

package jetstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// diskEnv names the directory of a small disk that this process may fill.
const diskEnv = "SIGNAL_CLIENT_JETSTEST_DISK"

// OnSmallDisk runs a test in a separate process that has a disk of the given size: an
// in-memory file system, which is gone with the process. If the system gives processes
// neither namespaces nor root's rights, the test is skipped, and says so.
func OnSmallDisk(t *testing.T, bytes int, test func(t *testing.T, dir string)) {
	t.Helper()
	if dir := os.Getenv(diskEnv); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
			t.Fatal(err)
		}
		test(t, dir)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), diskEnv+"="+t.TempDir())
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

// Fill leaves no byte of a disk free. makeRoom frees it again.
func Fill(t *testing.T, dir string) (makeRoom func()) { t.Helper(); return FillBut(t, dir, 0) }

// FillBut leaves the given number of bytes of a disk free.
func FillBut(t *testing.T, dir string, left int) (makeRoom func()) {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	much := int(fs.Bavail)*int(fs.Bsize) - left
	for size := 1 << 20; size > 0; size /= 16 {
		for err = nil; err == nil && (left == 0 || much >= size); much -= size {
			_, err = f.Write(make([]byte, size))
		}
	}
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	_ = f.Close()
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}
