package jets

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// The simulation of a fleet: twelve orgs with fifteen instances, a real nats-server
// and up to four replicas, each the whole stage from its connection to its requests.
// What befalls them is drawn from a seed; see sim_test.go for the variables that
// choose seeds. When it is over they must come to rest by themselves; then
// their rest is looked at, and the streams are audited.

// TestSimulationFleet has everything befall the fleet: what replicas believe may be
// old, and what LOCKS says may be others' doing. No event is lost or doubled.
func TestSimulationFleet(t *testing.T) {
	simulateFleets(t, fleetTrouble{freezes: true, others: true, full: true}, 6)
}

// TestSimulationFleetApart has no process frozen and nobody else write to LOCKS:
// then no two replicas ever poll an instance at once.
func TestSimulationFleetApart(t *testing.T) { simulateFleets(t, fleetTrouble{}, 6) }

func simulateFleets(t *testing.T, what fleetTrouble, seeds uint64) {
	if n, err := strconv.ParseUint(os.Getenv("SIMULATION_SEEDS"), 10, 64); err == nil {
		seeds = max(n/10, 1) // one costs as much as many of the single instance
	}
	first := uint64(1)
	if n, err := strconv.ParseUint(os.Getenv("SIMULATION_FIRST"), 10, 64); err == nil {
		first = n
	} else if os.Getenv("SIMULATION_FIRST") == "random" {
		first = rand.Uint64N(1 << 40)
	}
	var all tally
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newFleetWorld(t, seed, what, &all).run() })
		})
	}
	t.Logf("%d seeds from %d: %+v", seeds, first, all)
}

// tally is what the seeds came to, for people.
type tally struct {
	held     time.Duration // most, from peace until all are held
	owned    time.Duration // most, until all are held by their owners
	complete time.Duration // most, until all that orgs have is stored
	dazed    int           // requests of a replica that had been frozen, beside another's
	misled   int           // of one that was told too late that others meddled
}

// fleetTrouble is what may befall a fleet beside kills, partitions, restarts,
// and changes to what is polled.
type fleetTrouble struct {
	freezes bool // processes stand still for longer than their session lasts, and go on
	full    bool // the server's store fills up
	others  bool // others write to the buckets, delete them, or run under a replica's name
}

// fleetWorld is one run of it.
type fleetWorld struct {
	*testing.T
	seed        uint64
	trouble     fleetTrouble
	rng         *rand.Rand
	log         *slog.Logger
	ttl         time.Duration
	life        time.Duration // of trouble, about
	started     time.Time
	server      *jetstest.Server
	admin       *Conn
	logbook     *logbook
	tally       *tally
	orgs        []*fleetOrg
	tenants     []*tenant
	environment []pipeline.Integration // of each replica
	slots       [4]*replica            // nil: nobody runs there
	doomed      []*replica             // will die soon, or have
	calm        atomic.Bool            // nothing goes wrong any more
	misled      bool                   // LOCKS did not say the truth at a time
	serial      int                    // of replicas' names
}

func newFleetWorld(t *testing.T, seed uint64, what fleetTrouble, all *tally) *fleetWorld {
	w := &fleetWorld{T: t, seed: seed, trouble: what, tally: all, started: time.Now(), logbook: newLogbook()}
	w.rng = rand.New(rand.NewPCG(seed, uint64(len(fmt.Sprint(what))))) // another life for each kind of trouble
	w.listen()
	w.ttl = time.Duration(w.pick(4, 6, 10)) * time.Second
	w.life = 5 * time.Minute
	t.Cleanup(func() { time.Sleep(time.Second) }) // after the server's end: a loop of a file store that was full ends a little later
	w.server = jetstest.Config{MaxStore: fleetStore}.Run(t)
	conn, err := Connect(t.Context(), "", w.server.Option(), nats.ReconnectWait(100*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	w.admin = conn
	t.Cleanup(conn.Close)
	if _, err := Open(t.Context(), conn, Config{}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.environment = w.static()
	return w
}

// listen keeps what the replicas say, and shows it when the seed has failed: it may
// not fail again.
func (w *fleetWorld) listen() {
	var out io.Writer = os.Stderr
	if os.Getenv("SIMULATION_LOG") == "" {
		said := new(said)
		w.Cleanup(func() {
			if w.Failed() {
				w.Logf("seed %d:\n%s", w.seed, said.b.Bytes())
			}
		})
		out = said
	}
	w.log = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// said is a log in memory.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (w *fleetWorld) pick(choices ...int) int { return choices[w.rng.IntN(len(choices))] }

func (w *fleetWorld) chance(p float64) bool { return w.rng.Float64() < p }

// upTo is a time to wait.
func (w *fleetWorld) upTo(d time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(d)))
}

// run is a life: trouble for a while, peace, rest, and the audit.
func (w *fleetWorld) run() {
	for _, t := range w.tenants {
		if w.chance(0.8) {
			w.must(w.put(t, true))
		}
	}
	for i := range 3 {
		w.slots[i] = w.launch(w.name())
		time.Sleep(w.upTo(10 * time.Second))
	}
	for end := time.Now().Add(w.life); time.Now().Before(end); {
		time.Sleep(w.upTo(15 * time.Second))
		w.strike()
		if w.chance(0.3) {
			w.reconfigure()
		}
	}
	w.peace()
	w.rest()
	w.leave()
	w.audit()
}

func (w *fleetWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *fleetWorld) name() string {
	w.serial++
	return fmt.Sprint("replica-", w.serial)
}

// strike does one thing to the fleet.
func (w *fleetWorld) strike() {
	i := w.rng.IntN(len(w.slots))
	r := w.slots[i]
	n := w.rng.IntN(100)
	what := "joins"
	switch {
	case r == nil:
		w.slots[i] = w.launch(w.name())
	case n < 12:
		what = "is killed"
		r.kill()
		w.slots[i] = nil
		if w.chance(0.5) { // by a restart, which goes on at once
			w.slots[i] = w.launch(r.name)
		}
	case n < 20:
		what = "dies at a write"
		r.cable.atWrite(1+w.rng.IntN(20), r.die)
		w.slots[i], w.doomed = nil, append(w.doomed, r)
	case n < 28:
		what = "leaves"
		r.heal()
		r.term()
		w.slots[i] = nil
	case n < 34:
		what = "is disconnected at a write"
		r.cable.atWrite(1+w.rng.IntN(20), func() { r.cable.cut(false) })
	case n < 42:
		what = "is cut off"
		r.cable.part()
		time.AfterFunc(w.upTo(4*w.ttl), r.heal)
	case n < 50:
		what = "hears nothing"
		r.cable.stall()
		time.AfterFunc(w.upTo(4*w.ttl), r.heal)
	case n < 60 && w.trouble.freezes:
		what = "is frozen"
		r.freeze()
		if w.chance(0.8) { // else until peace
			time.AfterFunc(w.upTo(6*w.ttl), r.heal)
		}
	case n < 64:
		what = "can't see LOCKS"
		w.stall(BucketLocks)
		r.cable.setDeaf(true)
		time.AfterFunc(w.upTo(5*w.ttl), func() { r.cable.setDeaf(false) })
	case n < 67:
		what = "and all others lose their watches"
		w.stall(BucketLocks)
		w.stall(BucketIntegrations)
	case n < 70:
		what = "is unable to poll something"
		r.cannot(w.tenants[w.rng.IntN(len(w.tenants))].name)
	case n < 76:
		what = "- the server restarts"
		w.server.Stop()
		if w.chance(0.6) {
			time.Sleep(w.upTo(2 * w.ttl))
		}
		w.server.Start(w)
	case n < 80:
		what = "- an org is away"
		o := w.orgs[w.rng.IntN(len(w.orgs))]
		o.away.Store(true)
		time.AfterFunc(w.upTo(time.Minute), func() { o.away.Store(false) })
	case n < 88 && w.trouble.others:
		what = "- others write"
		w.meddle(r)
	case n < 91 && w.trouble.full:
		what = "- the server's store is full"
		w.fill(w.upTo(2 * w.ttl))
	case n < 93:
		what = "is woken"
		for _, t := range w.tenants {
			r.wake(t.name)
		}
	default:
		what = "is cut off for a moment"
		r.cable.cut(false)
	}
	name := "nobody"
	if r != nil {
		name = r.name
	}
	w.log.Info("strike: "+name+" "+what, "slot", i)
}

// stall takes the watches of a bucket away; the watchers hear nothing of it.
func (w *fleetWorld) stall(bucket string) {
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	stream, err := w.admin.JS.Stream(ctx, BucketStream(bucket))
	if err != nil {
		return
	}
	for name := range stream.ConsumerNames(ctx).Name() {
		_ = stream.DeleteConsumer(ctx, name)
	}
}

// fleetStore is the size of the server's store.
const fleetStore = 32 << 20

// fill leaves no room in the server's store for a while.
func (w *fleetWorld) fill(d time.Duration) {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	js := w.admin.JS
	_, _ = js.CreateStream(ctx, jetstream.StreamConfig{Name: "BALLAST", Subjects: []string{"ballast"}})
	leave := uint64(w.rng.IntN(100 << 10)) // enough for a part of what comes next, perhaps
	for ctx.Err() == nil {
		info, err := js.AccountInfo(ctx)
		if err != nil || info.Store+leave+1<<10 >= fleetStore {
			break
		}
		room := fleetStore - info.Store - leave - 1<<10 // about what the stream keeps beside a message's data
		if _, err := js.Publish(ctx, "ballast", make([]byte, min(room, 4<<20))); err != nil {
			break
		}
	}
	time.Sleep(d)
	w.clear()
}

// clear makes room again.
func (w *fleetWorld) clear() {
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	_ = w.admin.JS.DeleteStream(ctx, "BALLAST")
}

// meddle is what others do to the buckets that the fleet goes by.
func (w *fleetWorld) meddle(r *replica) {
	w.misled = true
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	kv, err := w.admin.JS.KeyValue(ctx, BucketLocks)
	if err != nil {
		return
	}
	key := Key(w.tenants[w.rng.IntN(len(w.tenants))].name)
	switch w.rng.IntN(8) {
	case 0:
		_ = kv.Delete(ctx, key)
	case 1:
		_, _ = kv.Put(ctx, key, []byte(w.choose("", "{", `{"holder":"ghost","session":"x"}`, `{"holder":"`+r.name+`","session":"x"}`)))
	case 2:
		_ = kv.Delete(ctx, sessionPrefix+r.name)
	case 3:
		_, _ = kv.Put(ctx, sessionPrefix+r.name, []byte(w.choose("{", `{"id":"x"}`)))
	case 4:
		_, _ = kv.Put(ctx, sessionPrefix+"ghost", []byte(`{"id":"x"}`))
	case 5:
		_ = w.admin.JS.DeleteKeyValue(ctx, BucketLocks)
	case 6:
		for i := range w.slots {
			if w.slots[i] == nil {
				w.slots[i] = w.launch(r.name) // one of the same name
			}
		}
	case 7:
		for _, t := range w.tenants {
			w.quiet(t)
			t.off = time.Time{}
		}
		_ = w.admin.JS.DeleteKeyValue(ctx, BucketIntegrations) // all are gone, until they are written anew
	}
}
