package locks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	pollers "github.com/witfoo/signal-client/pipeline/fleet"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/breaker"
)

// orgs are n claims, each of an org of its own.
func orgs(n int) []pipeline.Claim {
	var claims []pipeline.Claim
	for i := range n {
		claims = append(claims, pipeline.Claim{Kind: sinktest.Kind, Instance: fmt.Sprintf("org-%d", i), Key: fmt.Sprintf("https://org-%d.okta.com", i)})
	}
	return claims
}

// held is who holds what, without what nobody holds.
func (r *record) held() map[string]string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	held := maps.Clone(r.holders)
	maps.DeleteFunc(held, func(_, holder string) bool { return holder == "" })
	return held
}

// begun is how often an instance was taken since it was last asked.
func (r *record) begun(instance string) int {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.taken[instance]
	r.taken[instance] = 0
	return n
}

// shares counts what each holds.
func (r *record) shares() map[string]int {
	shares := map[string]int{}
	for _, holder := range r.held() {
		shares[holder]++
	}
	return shares
}

// awaitHeld returns how long it took until all are held by others than those.
func (r *record) awaitHeld(all int, but ...string) time.Duration {
	r.t.Helper()
	start := time.Now()
	for {
		shares := r.shares()
		held := 0
		for holder, n := range shares {
			if !slices.Contains(but, holder) {
				held += n
			}
		}
		if held == all {
			return time.Since(start)
		}
		if time.Since(start) > time.Minute {
			r.t.Fatalf("%d of %d are held after a minute: %v", held, all, shares)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// even checks that each of the replicas has its share, give or take a quarter.
func (r *record) even(replicas ...string) {
	r.t.Helper()
	shares, all := r.shares(), 0
	for _, n := range shares {
		all += n
	}
	for _, name := range replicas {
		if n := shares[name]; 4*n*len(replicas) < 3*all || 4*n*len(replicas) > 5*all {
			r.t.Errorf("%s holds %d of %d: %v", name, n, all, shares)
		}
	}
	if len(shares) != len(replicas) {
		r.t.Errorf("shares are %v", shares)
	}
}

// moved checks that from what was held before nothing has moved but to (or, if
// away is set, from) one replica, and returns how many did.
func (r *record) moved(before map[string]string, one string, away bool) int {
	r.t.Helper()
	n := 0
	for instance, holder := range r.held() {
		was := before[instance]
		if was == holder {
			continue
		}
		n++
		if away && was != one || !away && holder != one {
			r.t.Errorf("%s went from %s to %s", instance, was, holder)
		}
	}
	return n
}

// written is the last sequence of LOCKS.
func written(t *testing.T, store *jets.Store) uint64 {
	t.Helper()
	i, err := store.Conn.Info(t.Context(), jets.BucketStream(jets.BucketLocks))
	if err != nil {
		t.Fatal(err)
	}
	return i.State.LastSeq
}

// team is replicas that share orgs, started at once and come to rest.
type team struct {
	*testing.T
	server *jetstest.Server
	*record
	claims  []pipeline.Claim
	watcher *jets.Store // of a bystander
	process map[string]*process
}

func inTeam(t *testing.T, claims []pipeline.Claim, test func(*testing.T, *team), names ...string) {
	synctest.Test(t, func(t *testing.T) {
		m := &team{T: t, server: jetstest.Run(t), record: newRecord(t), claims: claims, process: map[string]*process{}}
		m.watcher = sinktest.Open(t, m.server, jets.Config{Kinds: sinktest.Kinds})
		for _, name := range names {
			m.join(name)
		}
		m.awaitHeld(len(claims))
		time.Sleep(time.Minute)
		test(t, m)
	})
}

func (m *team) join(name string) {
	m.Helper()
	m.process[name] = claim(m.T, sinktest.Open(m.T, m.server, jets.Config{Kinds: sinktest.Kinds}), m.record, name, Config{}, m.claims...)
}

func TestShares(t *testing.T) {
	const all = 310
	claims := orgs(300)
	for i := range 10 { // instances with an org in common
		claims = append(claims, pipeline.Claim{Kind: sinktest.Kind, Instance: fmt.Sprintf("twin-%d", i), Key: claims[i].Key})
	}
	inTeam(t, claims, func(t *testing.T, m *team) {
		m.even("a", "b", "c")
		first := m.held()
		for i := range 10 {
			if one, other := first[fmt.Sprintf("org-%d", i)], first[fmt.Sprintf("twin-%d", i)]; one != other {
				t.Errorf("instances of one org are held by %s and %s", one, other)
			}
		}

		seq := written(t, m.watcher)
		time.Sleep(10 * time.Minute)
		if n := written(t, m.watcher) - seq; n < 3*175 || n > 3*185 {
			t.Errorf("%d messages in ten minutes at rest, want 540", n)
		}
		m.moved(first, "nobody", true)

		seq = written(t, m.watcher)
		m.join("d")
		time.Sleep(19 * time.Second)
		if n := m.moved(first, "d", false); n != 0 {
			t.Errorf("%d moved to one that has just come", n)
		}
		time.Sleep(5 * time.Second)
		m.even("a", "b", "c", "d")
		if n := m.moved(first, "d", false); n != m.shares()["d"] {
			t.Errorf("%d moved", n)
		}
		if n, most := int(written(t, m.watcher)-seq), 2*m.shares()["d"]+4*9; n > most {
			t.Errorf("%d messages, want at most %d: two for what moves, and renewals", n, most)
		}

		// SIGTERM: free at once, by one message.
		second, seq := m.held(), written(t, m.watcher)
		left := m.shares()["d"]
		m.process["d"].locks.Leave()
		m.process["d"].rest()
		synctest.Wait()
		start := time.Now()
		m.process["d"].stop()
		m.awaitHeld(all)
		if took := time.Since(start); took > time.Second {
			t.Errorf("held again %v after SIGTERM", took)
		}
		if n := m.moved(second, "d", true); n != left {
			t.Errorf("%d moved of %d", n, left)
		}
		if n := int(written(t, m.watcher) - seq); n > left+5 {
			t.Errorf("%d messages, for one session and %d locks", n, left)
		}
		if now := m.held(); !maps.Equal(now, first) {
			t.Error("not as it was before it came")
		}
	}, "a", "b", "c")
}

// After a SIGKILL, at any moment between two renewals, all locks are held again within
// the TTL and two seconds.
func TestSharesAfterKill(t *testing.T) {
	const all = 300
	inTeam(t, orgs(all), func(t *testing.T, m *team) {
		for i, phase := range []time.Duration{0, 1500 * time.Millisecond, 3200 * time.Millisecond} {
			victim := fmt.Sprintf("victim-%d", i)
			m.join(victim)
			time.Sleep(time.Minute + phase)
			m.even("a", "b", "c", victim)
			before := m.held()
			m.process[victim].kill()
			if took := m.awaitHeld(all, victim); took > 12*time.Second {
				t.Errorf("held again %v after SIGKILL", took)
			}
			m.moved(before, victim, true)
		}
	}, "a", "b", "c")
}

// A session that is late once, or a server that is away for less than the TTL,
// moves nothing.
func TestSharesStay(t *testing.T) {
	inTeam(t, orgs(50), func(t *testing.T, m *team) {
		before, taken := m.held(), m.times()
		subject := jets.BucketSubject(jets.BucketLocks, "session.b")
		late := func() uint64 {
			last, err := m.watcher.Conn.Last(t.Context(), jets.BucketStream(jets.BucketLocks), subject)
			if err != nil {
				t.Fatal(err)
			}
			return last.Seq
		}
		for renewed := late(); late() == renewed; {
			time.Sleep(10 * time.Millisecond)
		}
		m.server.Stop() // the leases of all go on
		time.Sleep(4 * time.Second)
		m.server.Start(t)
		time.Sleep(time.Minute)

		for renewed := late(); late() == renewed; {
			time.Sleep(10 * time.Millisecond)
		}
		last, err := m.watcher.Conn.Last(t.Context(), jets.BucketStream(jets.BucketLocks), subject)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.process["a"].locks.write(t.Context(), "session.b", last.Seq, last.Data, nats.Header{"Nats-TTL": {"1s"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if !maps.Equal(taken, m.times()) || !maps.Equal(before, m.held()) {
			t.Errorf("held %v, then %v", before, m.held())
		}
	}, "a", "b", "c")
}

// Locks that their owner leaves free may be taken by anyone after a while, who keeps
// them.
func TestNeglectedLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
		sinktest.Put(t, store, jets.BucketLocks, "session.ghost", `{"id":"x","declines":["org-0","org-1","org-2"]}`)
		a := claim(t, store, r, "a", Config{}, orgs(40)...)
		time.Sleep(29 * time.Second)
		own := len(r.held())
		if own < 10 || own > 30 {
			t.Errorf("%d of 40 held, want about half", own)
		}
		for i := range 3 {
			if r.holder(fmt.Sprintf("org-%d", i)) == "" {
				t.Errorf("org-%d is declined, and not held", i)
			}
		}
		time.Sleep(2 * time.Second)
		if n := len(r.held()); n != 40 {
			t.Errorf("%d of 40 held after three TTLs", n)
		}
		time.Sleep(4 * time.Minute)
		if lost := r.ends(); len(lost) != 0 {
			t.Errorf("given up: %v", lost)
		}
		time.Sleep(time.Minute + time.Second) // the owner gets a chance
		lost := r.ends()
		if n := len(r.held()); n != own || len(lost) == 0 || !errors.Is(lost[0], pipeline.ErrHandover) || !strings.Contains(lost[0].Error(), "ghost") {
			t.Errorf("%d held, %d handed over: %v", n, len(lost), lost)
		}
		time.Sleep(time.Minute)
		if n := len(r.held()); n != 40 {
			t.Errorf("%d of 40 held", n)
		}
		if holders := a.locks.Holders([]string{"okta.org-0", "okta.org-39", "okta.org-40"}); len(holders) != 3 || holders[0] == "" || holders[1] == "" || holders[2] != "" {
			t.Errorf("held by %q", holders)
		}
	})
}

// deaf is a way to the server on which no watch of LOCKS can be made.
type deaf struct {
	server interface{ InProcessConn() (net.Conn, error) }
	on     atomic.Bool
}

type deafConn struct {
	net.Conn
	deaf *deaf
}

func (d *deaf) InProcessConn() (net.Conn, error) {
	conn, err := d.server.InProcessConn()
	return &deafConn{conn, d}, err
}

func (c *deafConn) Write(b []byte) (int, error) {
	if c.deaf.on.Load() {
		b = bytes.ReplaceAll(b, []byte("CONSUMER.CREATE.KV_LOCKS"), []byte("CONSUMER.ABSENT.KV_LOCKS"))
	}
	return c.Conn.Write(b)
}

// A replica whose watch shows nothing gives up its session, though it could write.
func TestStalledWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		way := &deaf{server: s}
		conn, err := jets.Connect(t.Context(), "", nats.InProcessServer(way), s.AsService())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		store, err := jets.Open(t.Context(), conn, jets.Config{Kinds: sinktest.Kinds})
		if err != nil {
			t.Fatal(err)
		}
		claim(t, store, r, "a", Config{}, orgs(20)...)
		r.awaitHeld(20)
		stream, err := conn.JS.Stream(t.Context(), jets.BucketStream(jets.BucketLocks))
		if err != nil {
			t.Fatal(err)
		}
		var watches []string
		for name := range stream.ConsumerNames(t.Context()).Name() {
			watches = append(watches, name)
		}
		claim(t, sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), r, "b", Config{}, orgs(20)...)
		time.Sleep(time.Minute)
		before := r.held()
		if n := r.shares()["a"]; n < 5 || n > 15 {
			t.Fatalf("shares are %v", r.shares())
		}
		way.on.Store(true)
		for _, name := range watches {
			if err := stream.DeleteConsumer(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(14 * time.Second)
		if !maps.Equal(before, r.held()) {
			t.Error("a short silence moves something")
		}
		time.Sleep(16 * time.Second)
		if n := r.shares()["b"]; n != 20 {
			t.Errorf("after a long silence shares are %v", r.shares())
		}
		way.on.Store(false)
		time.Sleep(time.Minute)
		if !maps.Equal(before, r.held()) {
			t.Errorf("with the watch back shares are %v", r.shares())
		}
	})
}

// crew is replicas that poll what is stored, some of which can't.
type crew struct {
	*testing.T
	*record
	server *jetstest.Server
	store  *jets.Store
	static []pipeline.Integration // of each replica's environment

	mu     sync.Mutex
	unable map[string]bool // by replica: it can't poll acme
	cut    map[string]bool // by replica: acme refuses it, or there is no way to it
	asked  map[string]int  // by replica: requests for acme
}

func (c *crew) join(name string) {
	store, seen := sinktest.Open(c.T, c.server, jets.Config{Kinds: sinktest.Kinds}), new(jets.SnapshotSeen)
	locks, err := New(store, Config{Replica: name, Seen: seen})
	if err != nil {
		c.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = locks.Run(ctx) })
	wg.Go(func() {
		_ = (&pollers.Fleet{Integrations: &buckets.Integrations{Store: store, Seen: seen}, Locks: locks, Static: c.static, Poll: c.poll(name)}).Run(ctx)
	})
	c.Cleanup(func() { cancel(); wg.Wait() })
}

func (c *crew) poll(name string) func(context.Context, pipeline.Integration, func(error)) error {
	guard := breaker.Wrap("acme", org{c, name}, nil)
	return func(ctx context.Context, i pipeline.Integration, able func(error)) error {
		c.took(i.Instance, name)
		defer func() { c.gave(i.Instance, name, context.Cause(ctx)) }()
		c.mu.Lock()
		unable := c.unable[name] && i.Instance == "acme"
		c.mu.Unlock()
		if unable {
			return fmt.Errorf("no token: %w", pipeline.ErrConfig)
		}
		for i.Instance == "acme" && ctx.Err() == nil {
			_, err := guard.Poll(ctx, "")
			wait := time.Minute
			if early, ok := errors.AsType[*pipeline.NotBefore](err); ok {
				able(err)
				wait = time.Until(early.At)
			} else if err == nil {
				able(nil)
			}
			_ = pipeline.Sleep(ctx, wait)
		}
		<-ctx.Done()
		return nil
	}
}

// org is acme as a replica finds it.
type org struct {
	c       *crew
	replica string
}

func (o org) Poll(context.Context, pipeline.Link) (pipeline.Page, error) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	if o.c.asked != nil {
		o.c.asked[o.replica]++
	}
	if o.c.cut[o.replica] {
		return pipeline.Page{}, pipeline.ErrCredential
	}
	return pipeline.Page{}, nil
}

func (c *crew) able(able bool, names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		c.unable[name] = !able
	}
}

// put stores acme, with a token of its own.
func (c *crew) put(token string) {
	sinktest.Put(c.T, c.store, jets.BucketIntegrations, "okta.acme",
		fmt.Sprintf(`{"enabled":true,"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":%q}}`, token))
}

func (c *crew) declines(replica string) []string {
	m, err := c.store.Conn.Last(c.Context(), jets.BucketStream(jets.BucketLocks), jets.BucketSubject(jets.BucketLocks, sessionPrefix+replica))
	var s Session
	if err != nil || json.Unmarshal(m.Data, &s) != nil {
		c.Errorf("session of %s: %v", replica, err)
	}
	return s.Declines
}

// polled checks how often polls of acme have begun since it was called last, and
// who polls it.
func (c *crew) polled(times int, holder string) {
	c.Helper()
	now := c.holder("acme")
	if n := c.begun("acme"); n != times || now != holder {
		c.Errorf("polls of acme have begun %d times, want %d; %q polls it, want %s", n, times, now, holder)
	}
}

func TestDeclinedInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		c := &crew{T: t, record: newRecord(t), server: s, store: sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), unable: map[string]bool{}}
		for i := range 9 {
			sinktest.Put(t, c.store, jets.BucketIntegrations, fmt.Sprintf("okta.org-%d", i),
				fmt.Sprintf(`{"enabled":true,"settings":{"fqdn":"org-%d.okta.com"},"credentials":{"api_token":"x"}}`, i))
		}
		c.put("first")
		names := []string{"a", "b", "c"}
		for _, name := range names {
			c.join(name)
		}
		time.Sleep(time.Minute)
		all := c.held()
		owner := all["acme"]
		if len(all) != 10 {
			t.Fatalf("held: %v", all)
		}
		c.begun("acme")

		c.able(false, owner)
		c.put("second")
		time.Sleep(5 * time.Second)
		second := c.holder("acme")
		if second == "" || second == owner || !slices.Equal(c.declines(owner), []string{"acme"}) {
			t.Errorf("what %s declines is held by %q; declined: %v", owner, second, c.declines(owner))
		}
		time.Sleep(4 * time.Minute)
		c.polled(2, second) // a failure, and the other's

		c.put("third") // may be what was wrong
		time.Sleep(10 * time.Second)
		c.polled(3, second) // the changed one, a failure, and again the other's
		c.able(true, owner)
		c.put("fourth")
		time.Sleep(5 * time.Second)
		if c.holder("acme") != owner || len(c.declines(owner)) != 0 {
			t.Errorf("acme is held by %s, not by its owner %s again", c.holder("acme"), owner)
		}

		c.able(false, names...) // nobody can, and then all can
		c.put("fifth")
		time.Sleep(8 * time.Minute)
		c.able(true, names...)
		time.Sleep(35 * time.Second)
		holder := c.holder("acme")
		if time.Sleep(5 * time.Second); holder == "" || c.holder("acme") != holder || len(c.declines(holder)) != 0 {
			t.Errorf("acme was held by %q, now by %q", holder, c.holder("acme"))
		}
		time.Sleep(6 * time.Minute)
		if now := c.held(); !maps.Equal(now, all) {
			t.Errorf("held by %v, want %v", now, all)
		}
		for instance, n := range c.times() {
			if instance != "acme" && n > 2 {
				t.Errorf("%s was taken %d times", instance, n)
			}
		}
	})
}

// cutOff says which replicas acme refuses, and forgets how often it was asked.
func (c *crew) cutOff(names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut, c.asked = set(names), map[string]int{}
}

// requests are those for acme since cutOff, by replica.
func (c *crew) requests() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.asked)
}

// An instance that a replica can't poll soon goes to one that can, and it says why; one
// that none can poll is tried by one of them, and by the others at growing intervals.
func TestRefusedInstancesMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		c := &crew{T: t, record: newRecord(t), server: s, store: sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), unable: map[string]bool{}}
		c.put("first")
		names := []string{"a", "b", "c"}
		for _, name := range names {
			c.join(name)
		}
		time.Sleep(time.Minute)
		owner := c.holder("acme")

		c.cutOff(owner)
		time.Sleep(4 * time.Minute)
		second := c.holder("acme")
		if second == owner || second == "" {
			t.Fatalf("acme is held by %q, which can't poll it", second)
		}
		if r, err := ReadReplicas(t.Context(), c.store); err != nil || !strings.Contains(r.Sessions[owner].Reasons["acme"], "credential refused") {
			t.Errorf("%s says %v (%v), not why it declines acme", owner, r.Sessions[owner].Reasons, err)
		}
		c.cutOff(owner)
		c.begun("acme")
		time.Sleep(3 * time.Hour)
		if n := c.begun("acme"); n > 16 || c.requests()[owner] > 8 || c.requests()[second] < 160 {
			t.Errorf("in three hours acme began to be polled %d times, asked for %v", n, c.requests())
		}
		c.cutOff()
		time.Sleep(62 * time.Minute)
		if now := c.holder("acme"); now != owner || len(c.declines(owner)) != 0 {
			t.Errorf("acme is held by %s, not by its owner %s, which can poll it again", now, owner)
		}

		c.cutOff(names...)
		time.Sleep(time.Hour)
		c.cutOff(names...)
		c.begun("acme")
		time.Sleep(4 * time.Hour)
		total := 0
		for _, n := range c.requests() {
			total += n
		}
		if n := c.begun("acme"); n > 30 || total > 40 || total < 10 {
			t.Errorf("in four hours acme, which refuses all, was taken %d times and asked for %v", n, c.requests())
		}
		c.cutOff()
		time.Sleep(17 * time.Minute)
		if c.requests()["a"]+c.requests()["b"]+c.requests()["c"] == 0 || c.holder("acme") == "" {
			t.Errorf("acme answers again, and was asked for %v; %q holds it", c.requests(), c.holder("acme"))
		}
	})
}

// An instance from the environment moves from a process that can't poll it to another one
// that has it, too, and does not go round when none can.
func TestRefusedInstancesOfTheEnvironmentMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		c := &crew{T: t, record: newRecord(t), server: s, store: sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), unable: map[string]bool{},
			static: []pipeline.Integration{{Kind: sinktest.Kind, Instance: "acme", Enabled: true, Origin: "https://acme.okta.com", Token: pipeline.NewSecret("x")}}}
		c.join("a")
		c.join("b")
		time.Sleep(time.Minute)
		first := c.holder("acme")
		c.cutOff(first)
		time.Sleep(4 * time.Minute)
		second := c.holder("acme")
		if second == first || second == "" {
			t.Fatalf("acme is held by %q, which can't poll it", second)
		}
		c.begun("acme")
		time.Sleep(3 * time.Hour)
		c.polled(0, second)
		c.cutOff("a", "b")
		time.Sleep(4 * time.Hour)
		if n, all := c.begun("acme"), c.requests()["a"]+c.requests()["b"]; n > 30 || all > 50 || all < 10 {
			t.Errorf("in four hours acme, which refuses both, was taken %d times and asked for %v", n, c.requests())
		}
		c.cutOff()
		time.Sleep(17 * time.Minute)
		if c.requests()["a"]+c.requests()["b"] == 0 || c.holder("acme") == "" {
			t.Errorf("acme answers again, and was asked for %v; %q holds it", c.requests(), c.holder("acme"))
		}
	})
}

// Replicas of all versions agree on an owner.
func TestRank(t *testing.T) {
	if h, r := hash("acme"), rank(hash("replica-1"), hash("https://acme.okta.com")); h != 0x130a76222d4427ef || r != 0xc1dd6fe9e1fefc9b {
		t.Errorf("hash %#x, rank %#x", h, r)
	}
	for _, replicas := range []int{2, 3, 5, 10} {
		shares := make([]int, replicas)
		for key := range 10_000 {
			best, owner := uint64(0), 0
			for i := range replicas {
				if r := rank(hash(fmt.Sprintf("host-%d", i)), hash(fmt.Sprintf("https://org-%d.okta.com", key))); r > best {
					best, owner = r, i
				}
			}
			shares[owner]++
		}
		if even := 10_000 / replicas; slices.Min(shares) < even*9/10 || slices.Max(shares) > even*11/10 {
			t.Errorf("shares of %d replicas are %v", replicas, shares)
		}
	}
}
