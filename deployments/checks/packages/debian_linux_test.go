package packages

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A whole Debian, with systemd's own programs: task packages:debian. DEBOOTSTRAP is the
// release's name; DEBOOTSTRAP_DIR is where it is unpacked, and used again.
func TestDebian(t *testing.T) {
	suite := os.Getenv("DEBOOTSTRAP")
	if suite == "" {
		t.Skip("a Debian is installed by task packages:debian only: it takes minutes")
	}
	m := machine{t, cmp.Or(os.Getenv("DEBOOTSTRAP_DIR"), t.TempDir())}
	if !m.has("usr/bin/dpkg") {
		out, err := exec.CommandContext(t.Context(), "debootstrap", "--variant=minbase", "--include=systemd,procps", suite, m.dir).CombinedOutput()
		if err != nil {
			t.Fatalf("debootstrap: %v\n%s", err, out)
		}
	}
	in := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "chroot", append([]string{m.dir}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	m.must(syscall.Mount("proc", m.path("proc"), "proc", 0, ""))
	t.Cleanup(func() { m.must(syscall.Unmount(m.path("proc"), 0)) })
	install := func(path string) {
		t.Helper()
		copyFile(t, path, m.path("tmp", filepath.Base(path)))
		t.Log(in("dpkg", "--force-confdef", "--force-confold", "-i", "/tmp/"+filepath.Base(path)))
	}

	install(packed{format: "deb", version: "1.0.0"}.make(t))
	m.installed()
	group := in("getent", "group", "signal-client")
	info, err := os.Stat(m.path("etc/signal-client"))
	m.must(err)
	if gid := strings.Split(group, ":")[2]; in("stat", "-c", "%g", "/etc/signal-client") != gid || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("/etc/signal-client belongs to %s, the group is %s", in("stat", "-c", "%u:%g", "/etc/signal-client"), group)
	}
	if got := in("systemd-analyze", "verify", "/usr/lib/systemd/system/signal-client.service"); got != "" {
		t.Errorf("systemd-analyze verify: %s", got)
	}
	in("bash", "-n", "/usr/share/bash-completion/completions/signal-client")
	m.used()
	in("chown", "root:signal-client", "/etc/signal-client/okta-token")
	in("chmod", "0640", "/etc/signal-client/okta-token")
	if got := in("setpriv", "--reuid=signal-client", "--regid=signal-client", "--clear-groups", "cat", "/etc/signal-client/okta-token"); got != "00abc" {
		t.Errorf("the service reads %q", got)
	}

	install(packed{format: "deb", version: "1.1.0", environment: another(t)}.make(t))
	m.installed()
	m.kept("etc/signal-client/signal-client.env")

	in("dpkg", "-r", "signal-client")
	m.kept("etc/signal-client/signal-client.env")
	if m.has("usr/bin/signal-client") {
		t.Error("it is still there")
	}
	in("dpkg", "-P", "signal-client")
	if m.has("etc/signal-client/signal-client.env") || !m.has("etc/signal-client/okta-token") || !m.has("var/lib/signal-client/store") {
		t.Error("a purge removes the package's own files, and no others")
	}
}
