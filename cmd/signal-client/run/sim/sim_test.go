package sim

import (
	"bytes"
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

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// The simulation of a fleet: twelve orgs with fifteen instances, a real nats-server and
// up to four replicas, each of them everything that signal-client run is behind its
// listener. A seed chooses their faults, and variables choose seeds: see CONTRIBUTING.md.
// In the end the fleet must recover by itself; then it is checked at rest, and the
// streams are audited.

// TestSimulationFleet has every fault: the state of replicas may be old, and others may
// write to LOCKS. No event is lost or doubled.
func TestSimulationFleet(t *testing.T) {
	simulateFleets(t, fleetTrouble{stream: 11, freezes: true, others: true, full: true}, 4)
}

// TestSimulationFleetApart has no process frozen and nobody else write to LOCKS:
// then no two replicas ever poll an instance at once.
func TestSimulationFleetApart(t *testing.T) { simulateFleets(t, fleetTrouble{stream: 12}, 4) }

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
	held     time.Duration // most, from the recovery until all are held
	owned    time.Duration // most, until all are held by their owners
	complete time.Duration // most, until all that orgs have is stored
	outdated int           // requests of a replica that had been frozen, while another polled
	misled   int           // of one that was told too late that others meddled
}

// fleetTrouble selects faults of a fleet besides kills, partitions, restarts, and changes
// to what is polled.
type fleetTrouble struct {
	stream  uint64 // of chance: one seed is another life in each simulation
	freezes bool   // processes stop for longer than their session lasts, and continue
	full    bool   // the server's store fills up
	others  bool   // others write to the buckets, delete them, or run under a replica's name
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
	admin       *jets.Conn
	logbook     *logbook
	tally       *tally
	orgs        []*fleetOrg
	tenants     []*tenant
	environment config.Okta // of each replica
	slots       [4]*replica // nil: nobody runs there
	doomed      []*replica  // will die soon, or have
	calm        atomic.Bool // nothing goes wrong any more
	misled      bool        // LOCKS did not say the truth at a time
	serial      int         // of replicas' names
}

func newFleetWorld(t *testing.T, seed uint64, what fleetTrouble, all *tally) *fleetWorld {
	w := &fleetWorld{T: t, seed: seed, trouble: what, tally: all, started: time.Now(), logbook: newLogbook()}
	w.rng = rand.New(rand.NewPCG(seed, what.stream))
	w.listen()
	w.ttl = time.Duration(w.pick(4, 6, 10)) * time.Second
	w.life = 5 * time.Minute
	t.Cleanup(func() { time.Sleep(time.Second) }) // after the server's end: a loop of a file store that was full ends a little later
	w.server = jetstest.Config{MaxStore: fleetStore}.Run(t)
	conn, err := jets.Connect(t.Context(), "", w.server.Option(), nats.ReconnectWait(100*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	w.admin = conn
	t.Cleanup(conn.Close)
	if _, err := jets.Open(t.Context(), conn, jets.Config{Kinds: sinktest.Kinds}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.environment = w.static(w.tenants[len(w.tenants)-1])
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

// run is a life: trouble for a while, recovery, rest, and the audit.
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
		w.injectFault()
		if w.chance(0.3) {
			w.reconfigure()
		}
	}
	w.recover()
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
