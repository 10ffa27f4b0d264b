package sim

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"math/bits"
	"net/http"
	"slices"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/breaker"
)

// recover ends all trouble, and sees that the fleet comes to rest by itself: all is
// held soon, by its owner at last, and everything is in the stream.
func (w *fleetWorld) recover() {
	w.calm.Store(true)
	for _, r := range w.doomed {
		r.kill()
	}
	live := 0
	for i, r := range w.slots {
		if r == nil && (live == 0 && i == len(w.slots)-1 || live < 3 && w.chance(0.5)) {
			w.slots[i] = w.launch(w.name())
		}
		if w.slots[i] != nil {
			w.slots[i].heal()
			live++
		}
	}
	for _, o := range w.orgs {
		o.away.Store(false)
	}
	for _, t := range w.tenants {
		t.org.Restore(t.tokens[0])
		t.org.Restore(t.tokens[1])
	}
	w.must(w.admin.Up(w.Context()))
	w.clear()
	_, err := jets.Open(w.Context(), w.admin, jets.Config{Kinds: sinktest.Kinds}) // INTEGRATIONS may be gone
	w.must(err)
	w.forget()
	for _, t := range w.tenants {
		w.must(w.put(t, true))
	}
	w.log.Info("fault: recovery")
	began := time.Now()

	// Reconnecting, a watch that must be found dead, a session that expires and
	// its grace, a lock that its owner leaves alone, a pause after failures.
	held := w.await(w.each(func(t *tenant) bool { return len(w.logbook.holders(t.name)) == 1 }), 100*time.Millisecond, time.Minute)
	owned := w.await(w.each(w.owned), time.Second, 12*time.Minute)
	through := w.await(w.each(w.through), 5*time.Second, 25*time.Minute)
	w.log.Info("at rest", "held", held, "owned", owned, "complete", through)
	w.tally.held, w.tally.owned = max(w.tally.held, held), max(w.tally.owned, held+owned)
	w.tally.complete = max(w.tally.complete, time.Since(began))
}

// forget takes away the sessions that others wrote: they would live for good.
func (w *fleetWorld) forget() {
	kv, err := w.admin.JS.KeyValue(w.Context(), jets.BucketLocks)
	w.must(err)
	w.must(w.admin.Each(w.Context(), jets.BucketLocks, "session.>", false, func(e jets.KVEntry) {
		var s locks.Session
		if !e.Gone && (json.Unmarshal(e.Value, &s) != nil || s.StartedAt.IsZero()) {
			w.must(kv.Purge(w.Context(), e.Key))
		}
	}))
}

// each is whether something is true of all tenants; if not, of which.
func (w *fleetWorld) each(is func(*tenant) bool) func() string {
	return func() string {
		for _, t := range w.tenants {
			if !is(t) {
				return t.name
			}
		}
		return ""
	}
}

// await waits until nothing is left, and returns how long it took.
func (w *fleetWorld) await(left func() string, step, most time.Duration) time.Duration {
	w.Helper()
	began := time.Now()
	for left() != "" {
		if time.Since(began) > most {
			name := left()
			w.Fatalf("seed %d: after %v %s is not as it should be: held by %v; %s", w.seed, most, name, w.names(name), w.locks())
		}
		time.Sleep(step)
	}
	return time.Since(began)
}

func (w *fleetWorld) names(instance string) []string {
	var names []string
	for _, r := range w.logbook.holders(instance) {
		names = append(names, r.name)
	}
	return names
}

// locks is what LOCKS says, for people.
func (w *fleetWorld) locks() string {
	r, err := locks.ReadReplicas(w.Context(), jets.Attach(w.admin, sinktest.Kind))
	if err != nil {
		return err.Error()
	}
	data, _ := json.Marshal(r)
	return string(data)
}

// live are the replicas that run.
func (w *fleetWorld) live() []*replica {
	return slices.DeleteFunc(slices.Clone(w.slots[:]), func(r *replica) bool { return r == nil })
}

// owner is the replica that an instance belongs to.
func (w *fleetWorld) owner(t *tenant) *replica {
	var owner *replica
	var name string
	var highest uint64
	for _, r := range w.live() {
		locks := r.locks.Load()
		if locks == nil {
			return nil
		}
		own := locks.Replica()
		rank := mixed(hashed(own) ^ bits.RotateLeft64(hashed("https://"+t.org.host), 32))
		if owner == nil || rank > highest || rank == highest && own < name {
			owner, name, highest = r, own, rank
		}
	}
	return owner
}

// hashed and mixed are what every replica ranks by, written anew: they must not change
// between releases.
func hashed(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return mixed(h.Sum64())
}

func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// headEmpties is how many empty pages that each move the link are the head of a log.
const headEmpties = 3

// owned reports whether an instance is held by its owner, if it has one, and by
// nobody else.
func (w *fleetWorld) owned(t *tenant) bool {
	holders := w.logbook.holders(t.name)
	return len(holders) == 1 && (t.lone || holders[0] == w.owner(t))
}

// through reports whether an org's log is stored as far as it can be known, as CURSORS
// says every 15 s: up to the poll before three in a row that were empty and moved the
// link, since these orgs move it as they like.
func (w *fleetWorld) through(t *tenant) bool {
	m, err := w.admin.Last(w.Context(), jets.BucketStream(jets.BucketCursors), jets.BucketSubject(jets.BucketCursors, jets.Key(sinktest.Kind.Name, t.name)))
	var c signals.Cursor
	if err != nil || json.Unmarshal(m.Data, &c) != nil {
		return false
	}
	all := t.org.Events()
	return t.org.Now().Sub(c.CompleteThrough) < (headEmpties+1)*t.interval+17*time.Second && !all[len(all)-1].Persisted.After(c.CompleteThrough)
}

// judge looks at who polled at once with another.
func (w *fleetWorld) judge() {
	for _, o := range w.logbook.clashes() {
		switch {
		case o.outdated:
			w.tally.outdated++
		case w.misled && o.since <= w.ttl+2*jets.WatchSilence: // a watch of a deleted bucket is silent
			w.tally.misled++
		default:
			w.Errorf("seed %d: %v", w.seed, o)
		}
	}
}

// rest checks a fleet without faults, and then the cost of a late session, a death, a
// leave, and orders of the operator.
func (w *fleetWorld) rest() {
	time.Sleep(time.Minute)                   // what was taken last is asked for at its own moment of the interval
	w.still("nothing happens", 6*time.Minute) // longer than what is declined, or strayed, stays so
	w.shown()
	late := w.live()[0]
	late.proxy.Stall()
	time.Sleep(w.ttl / 2)
	late.heal()
	w.still("a session was late", time.Minute)
	w.server.Stop()
	time.Sleep(w.ttl / 4)
	w.server.Start(w)
	time.Sleep(time.Minute) // each finds at its next poll that it must sync, and does so
	w.still("the server was away", time.Minute)

	off, gone := w.tenants[w.rng.IntN(6)], w.tenants[6+w.rng.IntN(6)]
	w.must(w.put(off, false))
	w.must(w.remove(gone))
	now := time.Now().Add(instant)
	time.Sleep(2 * time.Minute)
	for _, t := range []*tenant{off, gone} {
		if n := w.logbook.since(t.name, now); n > 0 || len(w.logbook.holders(t.name)) > 0 {
			w.Errorf("seed %d: %s is off, and was asked for %d times", w.seed, t.name, n)
		}
		w.must(w.put(t, true))
	}
	w.await(w.each(w.owned), time.Second, 10*time.Second)
	w.part()
}

// shown checks what is shown of a fleet at rest: each process is ready, and STATUS says of
// each instance that its holder polls it.
func (w *fleetWorld) shown() {
	for _, r := range w.live() {
		if answer := r.get("/readyz"); answer.Code != http.StatusOK {
			w.Errorf("seed %d: %s is not ready at rest: %s", w.seed, r.name, answer.Body)
		}
	}
	for _, t := range w.tenants {
		s, err := buckets.ReadStatus(w.Context(), jets.Attach(w.admin, sinktest.Kind), t.name)
		holders := w.logbook.holders(t.name)
		if err != nil || len(holders) != 1 || s.Holder != holders[0].locks.Load().Replica() || s.State != pipeline.StatePolling || s.Breaker != breaker.Closed || s.LastError != "" {
			w.Errorf("seed %d: STATUS of %s at rest: %+v (held by %v): %v", w.seed, t.name, s, w.names(t.name), err)
		}
	}
}

// still checks that nothing moves for a while, and that each org is asked once
// an interval.
func (w *fleetWorld) still(when string, d time.Duration) {
	taken, written := w.logbook.taken(), w.written()
	from := time.Now()
	time.Sleep(d)
	if n := w.logbook.taken() - taken; n != 0 {
		w.Errorf("seed %d: %d locks were taken in a fleet at rest (%s)", w.seed, n, when)
	}
	for _, t := range w.tenants {
		times := w.logbook.between(t.name, from, time.Now(), nil)
		if n := int(d / t.interval); len(times) < n-1 || len(times) > n+1 {
			w.Errorf("seed %d: %s was asked for %d times in %v, at an interval of %v (%s): %v", w.seed, t.name, len(times), d, t.interval, when, gaps(times))
		}
	}
	if n, most := w.written()-written, uint64(len(w.live()))*uint64(3*d/w.ttl+2); n > most {
		w.Errorf("seed %d: %d messages to LOCKS in %v, want at most %d (%s)", w.seed, n, d, most, when)
	}
}

// gaps are the times between times.
func gaps(times []time.Time) []time.Duration {
	var list []time.Duration
	for i := range len(times) - 1 {
		list = append(list, times[i+1].Sub(times[i]).Round(time.Millisecond))
	}
	return list
}

// written is the last sequence of LOCKS.
func (w *fleetWorld) written() uint64 {
	i, err := w.admin.Info(w.Context(), jets.BucketStream(jets.BucketLocks))
	w.must(err)
	return i.State.LastSeq
}

// part lets a replica come, one die and one leave, and sees how soon what was
// theirs is polled again.
func (w *fleetWorld) part() {
	came := -1
	for i, r := range w.slots {
		if r == nil && came < 0 {
			came = i
			w.slots[i] = w.launch(w.name())
		}
	}
	if came < 0 {
		return
	}
	// A watch at its worst, the time after which others hand over, a page in hand.
	w.await(w.each(w.owned), time.Second, 2*w.ttl+5*time.Second)
	w.end(came, w.slots[came].kill, w.ttl+2*time.Second)
	time.Sleep(2 * w.ttl) // what belongs to a dead one is left to it until its session has expired
	if live := w.live(); len(live) > 1 {
		leaves := slices.Index(w.slots[:], live[w.rng.IntN(len(live))])
		w.end(leaves, w.slots[leaves].term, time.Second)
	}
}

// end ends a replica in one way or another; what it held must be polled by others in time.
func (w *fleetWorld) end(slot int, how func(), within time.Duration) {
	r := w.slots[slot]
	var left []*tenant
	for _, t := range w.tenants {
		if slices.Contains(w.logbook.holders(t.name), r) {
			left = append(left, t)
		}
	}
	w.slots[slot] = nil
	began := time.Now()
	how()
	for _, t := range left {
		most := within
		if t.org == w.orgs[0] {
			most += 2 * time.Second // several share the budget that a process must first learn of
		}
		again := func() []time.Time { return w.logbook.between(t.name, began, time.Now(), r) }
		w.await(func() string {
			if len(again()) > 0 && w.owned(t) {
				return ""
			}
			return t.name
		}, 100*time.Millisecond, time.Minute)
		if took := again()[0].Sub(began); took > most {
			w.Errorf("seed %d: %s was polled again after %v, want %v", w.seed, t.name, took, most)
		}
	}
}

// leave ends the fleet, as SIGTERM does: no lock may be held any more.
func (w *fleetWorld) leave() {
	for _, r := range w.live() {
		r.term()
	}
	for _, t := range w.tenants {
		w.quiet(t)
	}
	state, err := locks.ReadReplicas(w.Context(), jets.Attach(w.admin, sinktest.Kind))
	w.must(err)
	for key := range state.Locks {
		if state.Holder(key) != "" {
			w.Errorf("seed %d: %s is held though all have left", w.seed, key)
		}
	}
	if len(state.Sessions) > 0 {
		w.Errorf("seed %d: sessions stand: %v", w.seed, state.Sessions)
	}
	w.judge()
}

// audit holds the stream against the orgs' logs.
func (w *fleetWorld) audit() {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	_ = w.admin.Up(ctx)
	for _, t := range w.tenants {
		a := jetstest.Audit{Stream: jets.StreamSignals, Events: jets.SubjectEvents(sinktest.Kind.Name, t.name), Positions: jets.SubjectPosition(sinktest.Kind.Name, t.name)}
		for _, e := range t.log() {
			a.Log = append(a.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
		}
		if err := a.Run(ctx, w.admin.JS); err != nil {
			w.Errorf("seed %d: %s: %v", w.seed, t.name, err)
		}
	}
}
