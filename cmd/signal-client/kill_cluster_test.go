package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// TestKillCluster kills each of three services, and each of three servers that
// keep three copies, the leaders of SIGNALS and of LOCKS on purpose; all servers
// at once, and two of them for longer than a session lasts; it ends a service and
// freezes one, freezes a leader, and cuts one off from the others. After each fault all instances go on.
func TestKillCluster(t *testing.T) {
	t.Parallel()
	k := newKillFixture(t, "acme", "globex", "hooli", "initech", "stark", "umbrella", "wayne")
	twin := *k.orgs[0]
	twin.instance = "acme-twin" // a second instance of one org
	k.orgs = append(k.orgs, &twin)
	c := &killCluster{killFixture: k, servers: jetstest.Config{}.Cluster(t)}
	k.servers = c.servers.URL()
	for _, name := range []string{"one", "two", "three"} {
		s := k.service(name, "NATS_URL="+k.servers, "SIGNAL_CLIENT_NATS_REPLICAS=3")
		s.start()
		c.services = append(c.services, s)
	}
	k.configure()
	c.recovers("the start")
	for range max(1, k.kills/25) {
		c.round()
	}
	k.settle()
	for _, s := range c.services {
		s.stop()
	}
	k.audit(c.servers[0].Option())
	k.Logf("killed: %d services, %d servers", c.killed.services, c.killed.servers)
}

// killCluster is three services beside three servers.
type killCluster struct {
	*killFixture
	servers  jetstest.Cluster
	services []*killed
	killed   struct{ services, servers int }
}

// round injects each kind of fault once.
func (c *killCluster) round() {
	c.Helper()
	order := c.rng.Perm(len(c.services))
	one, two, three := c.services[order[0]], c.services[order[1]], c.services[order[2]]
	c.fault("the kill of a service", func() { c.killService(one) })
	c.fault("the end of a service", c.endService)
	c.fault("the freeze of a service", func() { c.freeze(c.services) })

	signals := c.servers.Leader(c, jets.StreamSignals)
	c.fault("the kill of the leader of SIGNALS and of a service", func() { c.killServers(two, signals) })
	locks := c.servers.Leader(c, jets.BucketStream(jets.BucketLocks))
	c.fault("the kill of the leader of LOCKS", func() { c.killServers(nil, locks) })
	frozen := c.servers.Leader(c, jets.StreamSignals)
	c.fault("the freeze of the leader of SIGNALS", func() {
		frozen.Freeze() // nothing closes a connection to it
		c.recovers("the freeze, without the frozen server")
		frozen.Thaw()
	})
	apart := c.servers.Leader(c, jets.BucketStream(jets.BucketLocks))
	c.fault("the cut-off of the leader of LOCKS", func() {
		apart.CutOff() // its own clients still reach it
		c.wait(3*time.Second, 6*time.Second)
		apart.Join()
	})
	c.fault("the kill of the other servers, then of all and of a service", func() {
		for _, p := range c.servers {
			if p != signals && p != locks {
				c.killServers(nil, p)
			}
		}
		c.killServers(three, c.servers[:]...)
	})
	c.fault("the loss of the quorum", c.loseQuorum)
}

// fault lets something happen, and waits until all is well again.
func (c *killCluster) fault(name string, happen func()) {
	c.Helper()
	c.trouble()
	began := time.Now()
	happen()
	struck := time.Now()
	c.recovers(name)
	c.Logf("%s took %v, recovery %v", name, struck.Sub(began).Round(time.Millisecond), time.Since(struck).Round(time.Millisecond))
}

// recovers waits until all has gone on: what has happened in the orgs is stored,
// each instance is held, and each service has a session.
func (c *killCluster) recovers(from string) {
	c.Helper()
	c.goesOn(from)
	c.until("each instance is held after "+from, func() bool { return len(c.held()) == len(c.orgs) })
	c.until("each service has a session after "+from, func() bool {
		return !slices.ContainsFunc(c.services, func(s *killed) bool { return !s.live() })
	})
}

// kept reports whether a service's session is still kept, by the word of the
// bucket's leader.
func (c *killCluster) kept(s *killed) bool {
	ctx, cancel := context.WithTimeout(c.Context(), time.Second)
	defer cancel()
	m, err := c.conn.Last(ctx, jets.BucketStream(jets.BucketLocks), jets.BucketSubject(jets.BucketLocks, "session."+s.name))
	return err == nil && len(m.Data) > 0
}

// killService kills a service, and starts it again when others have taken over
// what it held.
func (c *killCluster) killService(s *killed) {
	c.Helper()
	instances := s.of(c.held())
	s.kill()
	c.killed.services++
	c.takenOver(s.name, instances)
	s.start()
}

// endService ends a service in good order: its session ends with it, and need
// not expire.
func (c *killCluster) endService() {
	c.Helper()
	s, instances := c.busiest(c.services)
	s.stop()
	ended := time.Now()
	if c.kept(s) {
		c.Errorf("seed %d: %s has ended, its session has not", c.seed, s.name)
	}
	c.takenOver(s.name, instances)
	c.Logf("%d instances taken over %v after the end of their service", len(instances), time.Since(ended).Round(time.Millisecond))
	s.start()
}

// killServers kills servers, and a service unless that is nil, and starts them
// again.
func (c *killCluster) killServers(s *killed, servers ...*jetstest.Process) {
	c.Helper()
	for _, p := range servers {
		p.Kill()
		c.killed.servers++
	}
	if s != nil {
		s.kill()
		c.killed.services++
	}
	c.wait(0, time.Second)
	for _, p := range servers {
		p.Start(c)
	}
	if s != nil {
		s.start()
	}
}

// loseQuorum kills two servers until each service has stopped polling by its own
// clock.
func (c *killCluster) loseQuorum() {
	c.Helper()
	left := c.servers[c.rng.IntN(len(c.servers))]
	for _, p := range c.servers {
		if p != left {
			p.Kill()
			c.killed.servers++
		}
	}
	for _, s := range c.services {
		c.until(s.name+" stops polling without a quorum", func() bool { return !s.live() })
	}
	for _, p := range c.servers {
		if p != left {
			p.Start(c)
		}
	}
}
