package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// The kill suite: the built binary on real sockets, with simulated orgs in
// which events happen all the time, killed at random moments. After it the
// stream is audited: every event once, in order, bytes equal, every watermark
// true. KILLS is how many times the first two kill (20), half of it each, and
// TestKillConsole as often as one of them; TestKillCluster injects each kind of
// fault once per 50 of KILLS, and at least once.

// TestKillEmbedded kills service and server at once: they are one process.
func TestKillEmbedded(t *testing.T) {
	t.Parallel()
	k := newKillFixture(t, "prod")
	data, listen := filepath.Join(jetstest.TempDir(t), "data"), k.address()
	k.servers, k.data = "nats://"+listen, data
	one := k.service("one", "SIGNAL_CLIENT_DATA_DIR="+data, "SIGNAL_CLIENT_NATS_LISTEN="+listen)
	one.start()
	k.configure()
	for range k.kills {
		k.trouble()
		k.wait(0, 1500*time.Millisecond)
		one.kill()
		one.start()
	}
	k.settle()
	one.stop()
	k.audit(jetstest.Config{Dir: data}.Run(t).Option())
	k.Logf("%d kills", k.kills)
}

// TestKillFleet kills two services and their server, and freezes services for
// longer than their session lasts: another takes over before they wake.
func TestKillFleet(t *testing.T) {
	t.Parallel()
	k := newKillFixture(t, "prod")
	f := &killFleet{killFixture: k, server: jetstest.Config{}.Process(t)}
	k.servers = f.server.URL()
	for _, name := range []string{"one", "two"} {
		s := k.service(name, "NATS_URL="+k.servers)
		s.start()
		f.services = append(f.services, s)
	}
	k.configure()
	freezes := 1 + k.kills/8
	for n := range k.kills {
		k.trouble()
		k.wait(0, time.Second)
		f.fault()
		if n*freezes/k.kills != (n+1)*freezes/k.kills {
			k.freeze(f.services)
		}
	}
	k.settle()
	for _, s := range f.services {
		s.stop()
	}
	k.audit(f.server.Option())
	k.Logf("%d kills, %d takeovers from a frozen process", k.kills, freezes)
}

// killFleet is two services beside a server.
type killFleet struct {
	*killFixture
	server   *jetstest.Process
	services []*killed
}

// fault kills a service, or the server, or one of each at once.
func (f *killFleet) fault() {
	victim := f.services[f.rng.IntN(2)]
	what := f.rng.IntN(5)
	if what != 0 {
		victim.kill()
	}
	if what < 2 {
		f.server.Kill()
		f.wait(0, time.Second)
		f.server.Start(f)
	}
	if what != 0 {
		victim.start()
	}
}

// seed is SEED, or one by chance.
func seed() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		return n
	}
	return rand.Uint64N(1 << 32)
}

// killsOfEach is half of KILLS.
func killsOfEach() int {
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		return max(n/2, 1)
	}
	return 10
}
