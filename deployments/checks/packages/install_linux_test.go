package packages

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// machine is a directory that packages are installed into as if it were a machine: it has a
// shell, and in place of systemd's programs some that write down how they are called.
type machine struct {
	*testing.T
	dir string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("packages are installed by root only, who may change the root directory")
	}
	m := machine{t, t.TempDir()}
	for _, dir := range []string{"usr/bin", "usr/lib", "usr/lib64", "etc", "run/systemd/system", "dev", "var/lib/dpkg/info", "var/lib/dpkg/updates", "tmp"} {
		m.must(os.MkdirAll(m.path(dir), 0o755))
	}
	for _, dir := range []string{"bin", "lib", "lib64"} {
		m.must(os.Symlink("usr/"+dir, m.path(dir)))
	}
	m.copyProgram("/bin/sh")
	m.must(os.WriteFile(m.path("dev/null"), nil, 0o666))
	for _, name := range []string{"systemctl", "systemd-sysusers", "systemd-tmpfiles"} {
		m.must(os.WriteFile(m.path("usr/bin", name), []byte("#!/bin/sh\necho \"${0##*/} $*\" >>/called\n"), 0o755))
	}
	for _, file := range []string{"status", "available"} {
		m.must(os.WriteFile(m.path("var/lib/dpkg", file), nil, 0o644))
	}
	return m
}

var library = regexp.MustCompile(`/\S+\.so\S*`)

// copyProgram copies a program and the libraries that it needs.
func (m machine) copyProgram(path string) {
	m.Helper()
	libraries, err := exec.CommandContext(m.Context(), "ldd", path).Output()
	if err != nil {
		m.Skipf("ldd %s: %v", path, err)
	}
	for _, file := range append(library.FindAllString(string(libraries), -1), path) {
		m.must(os.MkdirAll(m.path(filepath.Dir(file)), 0o755))
		m.must(os.WriteFile(m.path(file), read(m.T, file), 0o755))
	}
}

func (m machine) path(parts ...string) string { return filepath.Join(m.dir, filepath.Join(parts...)) }

func (m machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m machine) has(file string) bool {
	_, err := os.Lstat(m.path(file))
	return err == nil
}

// run runs a package manager, and returns how it called systemd's programs.
func (m machine) run(name string, args ...string) []string {
	m.Helper()
	m.must(os.RemoveAll(m.path("called")))
	cmd := exec.CommandContext(m.Context(), name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		m.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	if !m.has("called") {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(read(m.T, m.path("called")))), "\n")
}

// called checks how a step called systemd's programs.
func (m machine) called(step string, got []string, want ...string) {
	m.Helper()
	if !slices.Equal(got, want) {
		m.Errorf("%s called\n  %s\nwant\n  %s", step, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// installed checks what is there while a version is installed.
func (m machine) installed() {
	m.Helper()
	for file, mode := range map[string]os.FileMode{
		"usr/bin/signal-client":                                  0o755,
		"usr/lib/systemd/system/signal-client.service":           0o644,
		"usr/lib/sysusers.d/signal-client.conf":                  0o644,
		"usr/lib/tmpfiles.d/signal-client.conf":                  0o644,
		"usr/share/man/man1/signal-client-run.1.gz":              0o644,
		"usr/share/man/man7/signal-client-configuration.7.gz":    0o644,
		"usr/share/bash-completion/completions/signal-client":    0o644,
		"usr/share/fish/vendor_completions.d/signal-client.fish": 0o644,
		"etc/signal-client":                                      os.ModeDir | 0o750,
		"etc/signal-client/signal-client.env":                    0o600,
	} {
		info, err := os.Stat(m.path(file))
		if err != nil || info.Mode() != mode {
			m.Errorf("%s: %v, %v", file, info, err)
		}
	}
	out, err := exec.CommandContext(m.Context(), "chroot", m.dir, "/usr/bin/signal-client", "version").Output()
	if err != nil || !bytes.HasPrefix(out, []byte("signal-client v1.0.0 ")) {
		m.Errorf("%s: %v", out, err)
	}
}

// used makes the machine one that the service was used on.
func (m machine) used() {
	m.Helper()
	m.must(os.MkdirAll(m.path("var/lib/signal-client"), 0o700))
	for file, text := range map[string]string{
		"etc/signal-client/signal-client.env": "OKTA_FQDN=acme.okta.com\n",
		"etc/signal-client/okta-token":        "00abc",
		"var/lib/signal-client/store":         "events",
	} {
		m.must(os.WriteFile(m.path(file), []byte(text), 0o600))
	}
}

// kept checks that what the machine's people wrote is as they left it.
func (m machine) kept(environment string) {
	m.Helper()
	for file, text := range map[string]string{environment: "OKTA_FQDN=acme.okta.com\n", "etc/signal-client/okta-token": "00abc", "var/lib/signal-client/store": "events"} {
		if got := string(read(m.T, m.path(file))); got != text {
			m.Errorf("%s holds %q", file, got)
		}
	}
}

// another is the file of the environment in the version after.
func another(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "signal-client.env")
	if err := os.WriteFile(file, append(read(t, filepath.Join(root, "deployments/systemd/signal-client.env")), "#NEW=1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

var (
	upgraded = []string{
		"systemd-sysusers signal-client.conf", "systemd-tmpfiles --create signal-client.conf",
		"systemctl daemon-reload", "systemctl try-restart signal-client.service",
	}
	removed = []string{"systemctl disable --now signal-client.service", "systemctl daemon-reload"}
)

func TestDeb(t *testing.T) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("dpkg is not installed")
	}
	m := newMachine(t)
	dpkg := func(args ...string) []string {
		t.Helper()
		return m.run("dpkg", append([]string{"--root=" + m.dir, "--force-confdef", "--force-confold"}, args...)...)
	}
	m.called("the installation", dpkg("-i", packed{format: "deb", version: "1.0.0"}.make(t)), upgraded...)
	m.installed()

	m.used()
	m.called("the upgrade", dpkg("-i", packed{format: "deb", version: "1.1.0", environment: another(t)}.make(t)), append([]string{"systemctl daemon-reload"}, upgraded...)...)
	m.installed()
	m.kept("etc/signal-client/signal-client.env")
	if !m.has("etc/signal-client/signal-client.env.dpkg-dist") {
		t.Error("the new version's file is not beside the one that is kept")
	}

	m.called("the removal", dpkg("-r", "signal-client"), removed...)
	m.kept("etc/signal-client/signal-client.env")
	if m.has("usr/bin/signal-client") || m.has("usr/lib/systemd/system/signal-client.service") {
		t.Error("it is still there")
	}

	m.called("the purge", dpkg("-P", "signal-client"), "systemctl daemon-reload")
	if m.has("etc/signal-client/signal-client.env") || !m.has("etc/signal-client/okta-token") || !m.has("var/lib/signal-client/store") {
		t.Error("a purge removes the package's own files, and no others")
	}
}

func TestRPM(t *testing.T) {
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("rpm is not installed")
	}
	m := newMachine(t)
	rpm := func(args ...string) []string {
		t.Helper()
		// Nothing that it depends on (a shell) is known as a package there.
		return m.run("rpm", append([]string{"--root=" + m.dir, "--dbpath=/var/lib/rpm", "--nodeps", "--nosignature"}, args...)...)
	}
	first := packed{format: "rpm", version: "1.0.0"}.make(t)
	scripts, err := exec.CommandContext(t.Context(), "rpm", "-qp", "--nosignature", "--scripts", "--configfiles", first).Output()
	if err != nil || !regexp.MustCompile(`(?s)^postinstall scriptlet.*systemd-sysusers.*preuninstall scriptlet.*disable --now.*postuninstall scriptlet.*\n/etc/signal-client/signal-client\.env\n$`).Match(scripts) {
		t.Errorf("%s: %v", scripts, err)
	}
	m.called("the installation", rpm("-i", first), upgraded...)
	m.installed()
	rpm("-V", "signal-client")

	m.used()
	m.called("the upgrade", rpm("-U", packed{format: "rpm", version: "1.1.0", environment: another(t)}.make(t)), append(slices.Clone(upgraded), "systemctl daemon-reload")...)
	m.installed()
	m.kept("etc/signal-client/signal-client.env")
	if !m.has("etc/signal-client/signal-client.env.rpmnew") {
		t.Error("the new version's file is not beside the one that is kept")
	}

	m.called("the removal", rpm("-e", "signal-client"), removed...)
	m.kept("etc/signal-client/signal-client.env.rpmsave")
	if m.has("usr/bin/signal-client") || m.has("usr/lib/systemd/system/signal-client.service") {
		t.Error("it is still there")
	}
}
