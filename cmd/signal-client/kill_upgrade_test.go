package main

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// upgradeFrom is the commit of the version before, from which a fleet is upgraded, and to
// which it goes back. UPGRADE_FROM names another one.
const upgradeFrom = "3c5c709"

// TestKillUpgrade upgrades a fleet replica by replica while events happen, goes back to the
// version before, and upgrades it again by kills: in between, both versions poll side by
// side, and take over from each other. An embedded server's directory goes from one version
// to the other and back, where the tokens are set again.
func TestKillUpgrade(t *testing.T) {
	t.Parallel()
	before := builtAt(t, cmp.Or(os.Getenv("UPGRADE_FROM"), upgradeFrom))
	t.Run("fleet", func(t *testing.T) {
		t.Parallel()
		k := newKillFixture(t, "acme", "globex", "hooli", "initech", "stark")
		server := jetstest.Config{}.Process(t)
		k.servers = server.URL()
		u := &upgrade{killFixture: k}
		for _, name := range []string{"one", "two", "three"} {
			s := k.service(name, "NATS_URL="+k.servers)
			s.binary = before
			s.start()
			u.services = append(u.services, s)
		}
		k.configure()
		k.goesOn("the start")
		u.roll("the upgrade", k.binary, (*killed).stop)
		u.roll("the way back", before, (*killed).stop)
		u.roll("the upgrade by kills", k.binary, (*killed).kill)
		k.settle()
		for _, s := range u.services {
			s.stop()
		}
		k.audit(server.Option())
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		k := newKillFixture(t, "prod")
		data, listen := filepath.Join(jetstest.TempDir(t), "data"), k.address()
		k.servers, k.data = "nats://"+listen, data
		s := k.service("one", "SIGNAL_CLIENT_DATA_DIR="+data, "SIGNAL_CLIENT_NATS_LISTEN="+listen)
		s.binary = before
		s.start()
		k.configure()
		for _, to := range []string{k.binary, before, k.binary} {
			k.trouble()
			k.wait(0, time.Second)
			s.stop()
			s.binary = to
			s.start()
			if to == before { // it can't read credentials that the new one has sealed
				k.until("NATS answers", func() bool { return k.conn.NATS.IsConnected() })
				k.putOrgs()
			}
			k.goesOn("a change of the version")
		}
		k.settle()
		s.stop()
		k.audit(jetstest.Config{Dir: data}.Run(t).Option())
	})
}

// upgrade is three services of which some are of the version before.
type upgrade struct {
	*killFixture
	services []*killed
}

// roll ends each service in turn and starts it in another version, while the others go on.
func (u *upgrade) roll(name, to string, end func(*killed)) {
	u.Helper()
	for _, s := range u.services {
		u.trouble()
		instances := s.of(u.held())
		ended := time.Now()
		end(s)
		u.takenOver(s.name, instances)
		u.Logf("%s: %d instances taken over in %v", name, len(instances), time.Since(ended).Round(time.Millisecond))
		s.binary = to
		s.start()
		u.until(s.name+" has a session", s.live)
		u.goesOn(name)
	}
}

// builtAt builds the program of a commit. The history has none in a shallow clone: then the
// test is skipped.
func builtAt(t *testing.T, commit string) string {
	t.Helper()
	dir := t.TempDir()
	archive := exec.Command("sh", "-c", `git archive "$0" | tar -x -C "$1"`, commit, dir)
	archive.Dir = filepath.Join("..", "..")
	if out, err := exec.Command("git", "cat-file", "-e", commit+"^{commit}").CombinedOutput(); err != nil {
		t.Skipf("the version before is not in the history: %s", strings.TrimSpace(string(out)))
	}
	if out, err := archive.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	path := filepath.Join(dir, "bin", "signal-client")
	build := exec.Command("go", "build", "-o", path, "./cmd/signal-client")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}
