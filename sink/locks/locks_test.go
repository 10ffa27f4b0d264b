package locks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// record is who holds what, and how it came to be.
type record struct {
	t *testing.T

	mu      sync.Mutex
	holders map[string]string // by instance
	taken   map[string]int
	lost    []error
	twice   bool // two may hold one: the test has a frozen process
}

func newRecord(t *testing.T) *record {
	return &record{t: t, holders: map[string]string{}, taken: map[string]int{}}
}

func (r *record) took(instance, holder string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.holders[instance]; other != "" && !r.twice {
		r.t.Errorf("%s and %s hold %s at once", other, holder, instance)
	}
	r.holders[instance] = holder
	r.taken[instance]++
}

func (r *record) gave(instance, holder string, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holders[instance] == holder {
		r.holders[instance] = ""
	}
	r.lost = append(r.lost, why)
}

func (r *record) holder(instance string) string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holders[instance]
}

// times is how often each instance was taken.
func (r *record) times() map[string]int {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.taken)
}

// ends is why each that held an instance no longer does.
func (r *record) ends() []error {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lost)
}

// awaitHolder returns how long it took until want holds the instance.
func (r *record) awaitHolder(instance, want string) time.Duration {
	r.t.Helper()
	start := time.Now()
	for r.holder(instance) != want {
		if time.Since(start) > time.Minute {
			r.t.Fatalf("%s is held by %q after a minute, want %s", instance, r.holder(instance), want)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(start)
}

// process is a process that contends for locks.
type process struct {
	name  string
	store *jets.Store
	locks *Locks
	rest  func() // ends what it holds, and contends no more
	stop  func() // as SIGTERM does
}

// run starts a process that contends for the instances until it is stopped.
func run(t *testing.T, s *jetstest.Server, r *record, name string, cfg Config, instances ...string) *process {
	t.Helper()
	var claims []pipeline.Claim
	for _, instance := range instances {
		claims = append(claims, pipeline.Claim{Kind: sinktest.Kind, Instance: instance})
	}
	return claim(t, sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), r, name, cfg, claims...)
}

// claim does the same on a store of its own.
func claim(t *testing.T, store *jets.Store, r *record, name string, cfg Config, claims ...pipeline.Claim) *process {
	t.Helper()
	cfg.Replica = name
	locks, err := New(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	holding, rest := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = locks.Run(ctx) })
	for _, c := range claims {
		wg.Go(func() {
			for holding.Err() == nil {
				_ = locks.Hold(holding, c, func(held context.Context) {
					r.took(c.Instance, name)
					<-held.Done()
					r.gave(c.Instance, name, context.Cause(held))
				})
			}
		})
	}
	stop := sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return &process{name: name, store: store, locks: locks, rest: rest, stop: stop}
}

// kill cuts a process off as SIGKILL does: nothing is written any more.
func (p *process) kill() { p.store.Conn.Close() }

// A process that waits for a lock outside the shares says once who holds it; one that
// waits for a lock that is shared out says nothing.
func TestLockNamesItsHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		a := run(t, s, r, "a", Config{}, "acme")
		r.awaitHolder("acme", "a")
		var said strings.Builder
		log := slog.New(slog.NewTextHandler(&said, nil))
		b := claim(t, sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), r, "b", Config{Log: log}, pipeline.Claim{Kind: sinktest.Kind, Instance: "acme"}, pipeline.Claim{Kind: sinktest.Kind, Instance: "other", Key: "https://other"})
		time.Sleep(10 * time.Minute)
		b.rest()
		synctest.Wait()
		if n := strings.Count(said.String(), "stands by\" instance=acme holder=a"); n != 1 || strings.Count(said.String(), "stands by") != 1 {
			t.Errorf("said %d times:\n%s", n, said.String())
		}
		a.stop()
	})
}

func TestLockHeldByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		a := run(t, s, r, "a", Config{}, "acme", "umbrella")
		r.awaitHolder("acme", "a")
		run(t, s, r, "b", Config{}, "acme", "umbrella")
		time.Sleep(10 * time.Minute)
		if r.holder("acme") != "a" || r.times()["acme"] != 1 {
			t.Errorf("after ten minutes %s holds, taken %d times", r.holder("acme"), r.times()["acme"])
		}
		if holders := a.locks.Holders([]string{"okta.acme", "okta.umbrella", "nobody's"}); !slices.Equal(holders, []string{"a", "a", ""}) {
			t.Errorf("held by %q", holders)
		}
		if n := a.locks.Sessions(); n != 2 {
			t.Errorf("%d sessions, want 2", n)
		}
		a.stop()
		if took := r.awaitHolder("acme", "b"); took > time.Second {
			t.Errorf("taken over %v after a shutdown", took)
		}
		r.awaitHolder("umbrella", "b")
	})
}

func TestLockValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		p := run(t, s, r, "host.example.com", Config{}, "acme")
		r.awaitHolder("acme", "host.example.com")
		const name = "host-example-com"
		if p.locks.Replica() != name {
			t.Errorf("name is %s", p.locks.Replica())
		}
		state, err := ReadReplicas(t.Context(), p.store)
		if err != nil {
			t.Fatal(err)
		}
		session, lock := state.Sessions[name], state.Locks["okta.acme"]
		if session.ID == "" || session.StartedAt.IsZero() || lock.Holder != name || lock.Session != session.ID || lock.AcquiredAt.IsZero() {
			t.Errorf("sessions and locks are %+v", state)
		}
		if age := time.Since(session.RenewedAt); session.TTL != 10*time.Second || age < 0 || age > session.TTL || !p.locks.Live() {
			t.Errorf("renewed %v ago, expires after %v, live: %t", age, session.TTL, p.locks.Live())
		}
		m, err := p.store.Conn.Last(t.Context(), "KV_LOCKS", "$KV.LOCKS.session."+name)
		if err != nil || m.Header.Get("Nats-TTL") != "10s" {
			t.Errorf("session's TTL: %v, %v", m, err)
		}
		m, err = p.store.Conn.Last(t.Context(), "KV_LOCKS", "$KV.LOCKS.okta.acme")
		if err != nil || m.Header.Get("Nats-TTL") != "" || !strings.HasPrefix(string(m.Data), `{"holder":"host-example-com","session":"`) {
			t.Errorf("lock: %v, %v", m, err)
		}
		p.stop()
		if state, err := ReadReplicas(t.Context(), p.store); err != nil || len(state.Sessions) != 0 || state.Holder("okta.acme") != "" {
			t.Errorf("after the shutdown: %+v, %v", state, err)
		}
	})
}

// A killed process is replaced when its session has expired and the grace has passed; by
// its own clock it has stopped before that.
func TestLockAfterKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		a := run(t, s, r, "a", Config{TTL: 6 * time.Second}, "acme")
		r.awaitHolder("acme", "a")
		run(t, s, r, "b", Config{TTL: 6 * time.Second}, "acme")
		time.Sleep(time.Minute)
		a.kill()
		took := r.awaitHolder("acme", "b")
		if least, most := 4500*time.Millisecond, 8*time.Second; took < least || took > most {
			t.Errorf("taken over after %v, want %v to %v", took, least, most)
		}
		if lost := r.ends(); len(lost) != 1 || !errors.Is(lost[0], pipeline.ErrLockLost) {
			t.Errorf("the first holder ended with %v", lost)
		}
	})
}

func TestLockAfterRestartUnderSameName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		r.twice = true // the killed one holds on until its own clock stops it
		a := run(t, s, r, "a", Config{}, "acme")
		r.awaitHolder("acme", "a")
		a.kill()
		run(t, s, r, "a", Config{}, "acme")
		start := time.Now()
		for r.times()["acme"] < 2 {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("a restart went on after %v", took)
		}
	})
}

// Of two processes with one name the later one goes on; the earlier stops and then
// contends under a name of its own.
func TestNameTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		r.twice = true
		var log strings.Builder
		older := run(t, s, r, "twin", Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, "acme")
		r.awaitHolder("acme", "twin")
		younger := run(t, s, r, "twin", Config{}, "umbrella")
		r.awaitHolder("umbrella", "twin")
		time.Sleep(time.Minute)
		synctest.Wait()
		if younger.locks.Replica() != "twin" || !strings.HasPrefix(older.locks.Replica(), "twin-") {
			t.Errorf("names are %s and %s", older.locks.Replica(), younger.locks.Replica())
		}
		if lost := r.ends(); len(lost) != 1 || !errors.Is(lost[0], pipeline.ErrLockLost) || !strings.Contains(lost[0].Error(), "name twin") {
			t.Errorf("the older one's hold ended with %v", lost)
		}
		if r.holder("acme") != "twin" || r.times()["acme"] != 2 {
			t.Errorf("the older one does not go on: %v", r.held())
		}
		if !strings.Contains(log.String(), "another process took this replica's name") {
			t.Errorf("log says %s", log.String())
		}
		state, err := ReadReplicas(t.Context(), younger.store)
		if err != nil || len(state.Sessions) != 2 || state.Holder("okta.acme") == "" || state.Holder("okta.umbrella") == "" {
			t.Errorf("sessions and locks are %+v, %v", state, err)
		}
	})
}

// An absence of NATS that is shorter than the TTL costs nothing.
func TestLockSurvivesShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		run(t, s, r, "a", Config{}, "acme")
		r.awaitHolder("acme", "a")
		run(t, s, r, "b", Config{}, "acme")
		time.Sleep(time.Minute)
		for range 5 {
			s.Stop()
			time.Sleep(3 * time.Second)
			s.Start(t)
			time.Sleep(20 * time.Second)
		}
		if r.holder("acme") != "a" || r.times()["acme"] != 1 {
			t.Errorf("held by %q, taken %d times", r.holder("acme"), r.times()["acme"])
		}
	})
}

// After a long outage the lock is held again, and nobody held it meanwhile.
func TestLockAfterLongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		run(t, s, r, "a", Config{}, "acme")
		r.awaitHolder("acme", "a")
		run(t, s, r, "b", Config{}, "acme")
		s.Stop()
		time.Sleep(10 * time.Second)
		if h := r.holder("acme"); h != "" {
			t.Errorf("%s still holds", h)
		}
		time.Sleep(time.Hour)
		s.Start(t)
		time.Sleep(20 * time.Second)
		if r.holder("acme") == "" || r.times()["acme"] != 2 {
			t.Errorf("held by %q, taken %d times", r.holder("acme"), r.times()["acme"])
		}
	})
}

// A lock that an operator deletes is lost and contended for again.
func TestLockDeletedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		a := run(t, s, r, "a", Config{}, "acme")
		r.awaitHolder("acme", "a")
		kv, err := a.store.Conn.JS.KeyValue(t.Context(), jets.BucketLocks)
		if err != nil {
			t.Fatal(err)
		}
		if err := kv.Delete(t.Context(), "okta.acme"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if r.holder("acme") != "a" || r.times()["acme"] != 2 {
			t.Errorf("held by %q, taken %d times", r.holder("acme"), r.times()["acme"])
		}
		sinktest.Put(t, a.store, jets.BucketLocks, "okta.acme", `{"holder":"other","session":"gone"}`)
		time.Sleep(10 * time.Second)
		if r.holder("acme") != "a" || r.times()["acme"] != 3 {
			t.Errorf("held by %q, taken %d times", r.holder("acme"), r.times()["acme"])
		}
	})
}

func TestLocksBucketMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		r.twice = true // the first holder learns of it a little later than the second
		a := run(t, s, r, "a", Config{}, "acme")
		r.awaitHolder("acme", "a")
		run(t, s, r, "b", Config{}, "acme")
		time.Sleep(time.Minute)
		if err := a.store.Conn.JS.DeleteKeyValue(t.Context(), jets.BucketLocks); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		holder := r.holder("acme")
		state, err := ReadReplicas(t.Context(), a.store)
		if err != nil || holder == "" || state.Locks["okta.acme"].Holder != holder || len(state.Sessions) != 2 {
			t.Errorf("held by %q, bucket shows %+v, %v", holder, state, err)
		}
	})
}

// However many locks a process holds, it writes one message each third of its TTL.
func TestRenewalsCostOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		var instances []string
		for i := range 50 {
			instances = append(instances, fmt.Sprintf("org-%d", i))
		}
		p := run(t, s, r, "a", Config{}, instances...)
		for _, i := range instances {
			r.awaitHolder(i, "a")
		}
		last := func() uint64 {
			i, err := p.store.Conn.Info(t.Context(), "KV_LOCKS")
			if err != nil {
				t.Fatal(err)
			}
			return i.State.LastSeq
		}
		before := last()
		time.Sleep(10 * time.Minute)
		if n := last() - before; n < 175 || n > 185 {
			t.Errorf("%d messages in ten minutes, want 180", n)
		}
	})
}

func TestHoldRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		p := run(t, s, r, "a", Config{}, "acme")
		r.awaitHolder("acme", "a")
		none := func(context.Context) { t.Error("held") }
		if err := p.locks.Hold(t.Context(), pipeline.Claim{Kind: sinktest.Kind, Instance: "acme"}, none); err == nil {
			t.Error("one process contends twice for one instance")
		}
		run(t, s, r, "b", Config{}, "umbrella")
		r.awaitHolder("umbrella", "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.locks.Hold(ctx, pipeline.Claim{Kind: sinktest.Kind, Instance: "umbrella"}, none); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another's lock: %v", err)
		}
		p.stop()
		if err := p.locks.Hold(t.Context(), pipeline.Claim{Kind: sinktest.Kind, Instance: "umbrella"}, none); !errors.Is(err, errClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestLocksConfig(t *testing.T) {
	for ttl, want := range map[time.Duration]bool{0: true, 2 * time.Second: true, time.Second: false, 2500 * time.Millisecond: false} {
		if _, err := New(new(jets.Store), Config{TTL: ttl}); (err == nil) != want {
			t.Errorf("TTL %v: %v", ttl, err)
		}
	}
	for name, want := range map[string]string{"a.b c": "a-b-c", "": "replica", "..": "replica", "pod_1-x": "pod_1-x", strings.Repeat("a", 99): strings.Repeat("a", 64)} {
		if got := replicaName(name); got != want {
			t.Errorf("name %q becomes %q, want %q", name, got, want)
		}
	}
}

// Many processes that start at once and end one by one never hold one lock twice and
// never leave one free.
func TestLocksContended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		instances := []string{"org-1", "org-2", "org-3", "org-4", "org-5"}
		var processes []*process
		for i := range 5 {
			processes = append(processes, run(t, s, r, fmt.Sprintf("p%d", i), Config{}, instances...))
		}
		for i, p := range processes {
			time.Sleep(time.Second)
			for _, instance := range instances {
				if r.holder(instance) == "" {
					t.Errorf("nobody holds %s with %d processes", instance, 5-i)
				}
			}
			p.stop()
		}
	})
}

// A lock whose session has expired is left alone for a grace, within which a
// holder that lives on comes back.
func TestLockGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		a := run(t, s, r, "a", Config{TTL: 30 * time.Second}, "umbrella")
		r.awaitHolder("umbrella", "a")
		sinktest.Put(t, a.store, jets.BucketLocks, "session.other", `{"id":"x"}`)
		sinktest.Put(t, a.store, jets.BucketLocks, "okta.acme", `{"holder":"other","session":"x"}`)
		for _, gone := range []func(last uint64){
			func(last uint64) { // expires
				_, err := a.locks.write(t.Context(), "session.other", last, []byte(`{"id":"x"}`), map[string][]string{"Nats-TTL": {"1s"}})
				if err != nil {
					t.Error(err)
				}
			},
			func(uint64) { // is not there at all when a process comes
				kv, err := a.store.Conn.JS.KeyValue(t.Context(), jets.BucketLocks)
				if err != nil || kv.Purge(t.Context(), "session.other") != nil {
					t.Error(err)
				}
				sinktest.Put(t, a.store, jets.BucketLocks, "okta.acme", `{"holder":"never seen","session":"x"}`)
			},
		} {
			m, err := a.store.Conn.Last(t.Context(), "KV_LOCKS", "$KV.LOCKS.session.other")
			if err != nil {
				t.Fatal(err)
			}
			gone(m.Seq)
			b := run(t, s, r, "b", Config{TTL: 30 * time.Second}, "acme")
			if took := r.awaitHolder("acme", "b"); took < 10*time.Second || took > 12*time.Second {
				t.Errorf("taken after %v, want about 10 s", took)
			}
			b.stop()
		}
	})
}

// A new watch is believed: the lock belongs to another process now.
func TestLockTakenWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
		sinktest.Put(t, store, jets.BucketLocks, "session.other", `{"id":"x"}`)
		sinktest.Put(t, store, jets.BucketLocks, "okta.acme", `{"holder":"other","session":"x"}`)
		s.Stop()
		backup := s.Copy(t)
		s.Start(t)
		time.Sleep(5 * time.Second)
		kv, err := store.Conn.JS.KeyValue(t.Context(), jets.BucketLocks)
		if err != nil || kv.Delete(t.Context(), "okta.acme") != nil {
			t.Fatal(err)
		}
		run(t, s, r, "a", Config{}, "acme")
		r.awaitHolder("acme", "a")
		s.Stop()
		s.Restore(t, backup)
		s.Start(t)
		time.Sleep(5 * time.Second)
		if h := r.holder("acme"); h != "" {
			t.Errorf("%s holds what is another's", h)
		}
	})
}

// A lock that could not be released when its hold ended is released later.
func TestLockGivenBackLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		a := run(t, s, r, "a", Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = a.locks.Hold(ctx, pipeline.Claim{Kind: sinktest.Kind, Instance: "acme"}, func(held context.Context) {
				r.took("acme", "a")
				<-held.Done()
				r.gave("acme", "a", context.Cause(held))
			})
		}()
		r.awaitHolder("acme", "a")
		s.Stop()
		cancel()
		<-done
		s.Start(t)
		run(t, s, r, "b", Config{}, "acme")
		if took := r.awaitHolder("acme", "b"); took > 10*time.Second {
			t.Errorf("given back after %v", took)
		}
	})
}

// A process whose watch shows nothing for long stops renewing, and goes on as soon as it
// shows something: its locks need not expire in between.
func TestSessionOutlastsBlindness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 10 * time.Second
		locks, err := New(sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds}), Config{Replica: "a", TTL: ttl})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		watch := locks.view()
		show := func() {
			watch.Fresh()
			synctest.Wait()
			watch.Settled()
		}
		show()
		wg.Go(func() { locks.keep(ctx) })
		synctest.Wait()
		lease := locks.session.lease
		watch.Ended()
		time.Sleep(ttl + ttl/2)
		if !locks.stalled() || locks.session.until.After(time.Now().Add(ttl/2)) {
			t.Errorf("the session is renewed, though nothing is seen for %v", ttl+ttl/2)
		}
		show()
		time.Sleep(2 * ttl)
		if lease.Err() != nil {
			t.Errorf("what was held has lapsed: %v", context.Cause(lease))
		}
	})
}

// Thousands of locks are taken a limited number at a time. The session is renewed
// meanwhile.
func TestLocksTakenAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		p := claim(t, sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), r, "a", Config{})
		all, err := p.locks.open.Take(t.Context(), openLocks, false)
		if err != nil {
			t.Fatal(err)
		}
		held := false
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = p.locks.Hold(t.Context(), pipeline.Claim{Kind: sinktest.Kind, Instance: "acme"}, func(context.Context) { held = true })
		})
		time.Sleep(time.Minute)
		state, err := ReadReplicas(t.Context(), p.store)
		if err != nil || len(state.Sessions) != 1 || held {
			t.Errorf("after a minute: %+v, %v, held %v", state, err, held)
		}
		all.Release()
		wg.Wait()
		if !held {
			t.Error("the lock was not taken when its turn had come")
		}
	})
}
