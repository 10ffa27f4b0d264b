package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// The simulation: an org, a real nats-server and up to three pollers without locks, in
// one bubble of fake time. The seed chooses their faults. In the end the whole stream is
// audited: every event once, in order, byte for byte, every watermark true.

//
// SIMULATION_SEEDS says how many seeds are run, SIMULATION_FIRST which is the
// first (a number, or "random"), and SIMULATION_LOG=1 shows what the pollers say.
// One seed does not replay to the letter, since goroutines run as they like
// within a fake instant; a few runs of a seed that failed mostly fail again.

func TestSimulation(t *testing.T) { simulate(t, everything, 80) }

// TestSimulationOfFencesAlone removes the recent ids and what they hide: only fences and
// sync protect the pollers from each other.
func TestSimulationOfFencesAlone(t *testing.T) { simulate(t, fencesAlone, 24) }

// TestSimulationOfShortPages has an org that sends short pages while more is
// waiting, empty ones that lead on among them.
func TestSimulationOfShortPages(t *testing.T) { simulate(t, shortPages, 24) }

func simulate(t *testing.T, what trouble, seeds uint64) {
	if n, err := strconv.ParseUint(os.Getenv("SIMULATION_SEEDS"), 10, 64); err == nil {
		seeds = n
	}
	first := uint64(1)
	if n, err := strconv.ParseUint(os.Getenv("SIMULATION_FIRST"), 10, 64); err == nil {
		first = n
	} else if os.Getenv("SIMULATION_FIRST") == "random" {
		first = rand.Uint64N(1 << 40)
	}
	t.Logf("%d seeds from %d", seeds, first)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, seed, what).run() })
		})
	}
}

// trouble selects the faults of a simulation.
type trouble struct {
	org      bool // repeats, refused cursors, faults of every kind
	operator bool // deletes and purges what he should not
	backups  bool // the server comes back with an older copy of its store
	amnesia  bool // pollers forget the recent ids
	short    bool // short pages while more is waiting
	changes  bool // the query, and the org's name, are changed
	evict    bool // the stream drops its oldest messages
	clocks   bool // the pollers' machines and the org tell a wrong time
	pauses   bool // nobody polls for months, once
	past     bool // a backfill goes on; events turn visible behind the cursor
}

var (
	everything  = trouble{org: true, operator: true, backups: true, changes: true}
	fencesAlone = trouble{amnesia: true}
	shortPages  = trouble{org: true, operator: true, backups: true, short: true}
)

// world is one run of the simulation.
type world struct {
	*testing.T
	seed    uint64
	trouble trouble
	rng     *rand.Rand
	log     *slog.Logger
	faults  []oktatest.Fault
	server  *jetstest.Server
	org     *oktatest.Org
	started time.Time
	pollers []*poller
	asks    asks
	reopens int // left: times that cursors are refused for good
	purges  int // left
	sleeps  int // left: times that a poller is frozen for hours

	maxAge   time.Duration // of the stream's messages; 0: no limit
	maxBytes int64         // of the stream; 0: no limit
	firstSeq uint64        // of the stream, before it dropped anything; 0: not known
	resumed  time.Time     // when a pause of months ended
	ages     time.Duration // for which the stream is made to keep messages; 0: the default
	backup   string
	history  history
	walls    map[string]*wallClock // of the pollers' machines
	lies     lies
}

const simOrigin = "https://acme.okta.com"

func newWorld(t *testing.T, seed uint64, what trouble) *world {
	w := &world{T: t, seed: seed, trouble: what, rng: rand.New(rand.NewPCG(seed, 7)), started: time.Now(), faults: oktatest.Faults()}
	w.log = slog.New(slog.DiscardHandler)
	if os.Getenv("SIMULATION_LOG") != "" {
		w.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	w.asks = asks{origin: simOrigin, limit: w.pick(2, 5, 20, 50)}
	w.makeHistory()
	if what.pauses && w.chance(0.6) {
		w.ages = 400 * 24 * time.Hour
	}
	w.reopens, w.purges = w.rng.IntN(4), w.rng.IntN(2)
	if w.chance(0.4) {
		w.sleeps = 1
	}
	if what.evict {
		w.sleeps = 1
		w.faults = slices.DeleteFunc(w.faults, func(f oktatest.Fault) bool { return f.Status == http.StatusBadRequest })
		if w.chance(0.5) {
			w.maxAge = time.Duration(w.pick(20, 60)) * time.Minute
		} else {
			w.asks.limit = w.pick(2, 5, 20)
			w.maxBytes = 100 << 10
		}
	}
	var limits server.JSLimitOpts
	if w.chance(0.3) {
		limits.MaxBatchSize = w.pick(2, 4, 9) // pages are split
	}
	w.server = jetstest.Config{Limits: limits}.Run(t)
	w.org = oktatest.New(w.orgConfig())
	if wordings := oktatest.CursorRefusals(); what.org && !what.evict {
		w.org.RefuseCursorsAs(wordings[w.rng.IntN(len(wordings))])
	}
	w.org.GenerateFrom(w.started.Add(-3*time.Hour), 40+w.rng.IntN(150), 4*time.Hour)
	if what.org {
		w.org.SetFault(w.fault)
	}
	return w
}

func (w *world) orgConfig() oktatest.Config {
	c := oktatest.Config{Seed: w.seed, Origin: simOrigin, Links: oktatest.Links{Vary: true}, Requests: -1,
		Skew: time.Duration(w.pick(0, -10, 10)) * time.Minute,
		Rate: oktatest.Rate{PerMinute: w.pick(60, 600)},
		// Late by less than the overlap of a reopening, which is all that is promised.
		Lag: oktatest.Lag{Late: 0.1, LateBy: 55 * time.Minute}}
	if w.trouble.org {
		c.RepeatWithin, c.RepeatAcross, c.Conflicts = 0.2, 0.2, 0.3
	}
	if w.trouble.short {
		c.ShortPages = 0.3
	}
	return c
}

func (w *world) pick(choices ...int) int { return choices[w.rng.IntN(len(choices))] }

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// fault draws what goes wrong with a request, by its number alone.
func (w *world) fault(r oktatest.Request) oktatest.Fault {
	if off := w.lies.next(); off != 0 {
		return oktatest.Fault{Skew: off}
	}
	rng := rand.New(rand.NewPCG(w.seed, uint64(r.N)))
	if rng.Float64() > 0.15 {
		return oktatest.Fault{}
	}
	fault := w.faults[rng.IntN(len(w.faults))]
	fault.Bomb = min(fault.Bomb, 4<<20) // past what the pollers take
	return fault
}

// run is a life: trouble for a while, recovery, and the audit.
func (w *world) run() {
	for i := range 1 + w.rng.IntN(3) {
		w.pollers = append(w.pollers, w.launch(fmt.Sprint("poller-", i)))
	}
	for range 10 + w.rng.IntN(30) {
		time.Sleep(w.upTo(time.Minute))
		w.evict()
		w.injectFault()
	}
	if w.trouble.pauses {
		w.pause()
		for range 10 {
			time.Sleep(w.upTo(time.Minute))
			w.injectFault()
		}
	}
	for _, p := range w.pollers {
		p.kill()
	}
	w.org.SetFault(nil)
	w.recover()
	w.audit()
}

// recover lets a new poller catch up with everything.
func (w *world) recover() {
	all := w.org.Events()
	if until := time.Until(all[len(all)-1].Persisted); until > 0 {
		time.Sleep(until)
	}
	p := w.launch("last")
	time.Sleep(15 * time.Minute)
	w.evict()
	time.Sleep(15 * time.Minute)
	if w.trouble.past {
		w.examineAtLast()
	}
	p.kill()
}

// injectFault injects one fault.
func (w *world) injectFault() {
	i := w.rng.IntN(len(w.pollers))
	p := w.pollers[i]
	switch n := w.rng.IntN(100); {
	case n < 18:
		p.kill()
		time.Sleep(w.upTo(time.Minute))
		w.pollers[i] = w.launch(p.name)
	case n < 35:
		p.wire.CutAfter(w.rng.IntN(12))
	case n < 42:
		w.silence(p)
	case n < 45 && w.sleeps > 0:
		w.sleeps--
		w.sleepForHours(p)
	case n < 57:
		p.freeze(w.upTo(5 * time.Minute))
	case n < 65:
		w.server.Restart(w)
	case n < 69:
		w.server.Stop()
		time.Sleep(w.upTo(5 * time.Minute))
		w.server.Start(w)
	case n < 80 && w.trouble.clocks:
		w.stepClock(p)
	case n < 74 && w.trouble.changes:
		w.change()
	case n < 77 && w.trouble.past:
		w.late()
	case n < 82 && w.trouble.past:
		_, _ = w.examine()
	case n < 80 && w.trouble.backups:
		w.backupOrRestore()
	case n < 90 && w.trouble.operator:
		w.operate()
	case n < 100 && w.trouble.org && !w.trouble.evict:
		w.refuse()
	}
}

func (w *world) backupOrRestore() {
	w.server.Stop()
	if w.backup == "" {
		w.backup = w.server.Copy(w)
	} else {
		w.server.Restore(w, w.backup)
	}
	w.server.Start(w)
}

// refuse makes the org refuse cursors: for a moment, or for good.
func (w *world) refuse() {
	if w.reopens == 0 {
		w.org.RefuseCursors(1)
		return
	}
	w.reopens--
	w.org.ExpireCursors()
}

// operate does what operators do, and should not.
func (w *world) operate() {
	conn, err := jets.Connect(w.Context(), "", w.server.Option())
	if err != nil {
		return
	}
	defer conn.Close()
	st := &sinktest.Fixture{T: w.T, Store: jets.Attach(conn, sinktest.Kind)}
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	switch w.rng.IntN(6) {
	case 0:
		if kv, err := conn.JS.KeyValue(ctx, jets.BucketCursors); err == nil {
			_ = kv.Delete(ctx, jets.Key(sinktest.Kind.Name, "prod"))
		}
	case 1:
		_ = conn.JS.DeleteKeyValue(ctx, jets.BucketCursors)
	case 2:
		if m, err := conn.Last(ctx, jets.StreamSignals, jets.SubjectPosition(sinktest.Kind.Name, "prod")); err == nil {
			st.Delete(m.Seq)
		}
	case 3:
		if w.purges > 0 && standsInCursors(ctx, conn) {
			w.purges--
			st.Purge(jets.SubjectPosition(sinktest.Kind.Name, "prod"))
		}
	default:
		w.moveByHand(ctx)
	}
}

// standsInCursors reports whether CURSORS knows the instance: with both gone
// nothing is left to go on from, and since is all there is.
func standsInCursors(ctx context.Context, c *jets.Conn) bool {
	m, err := c.Last(ctx, jets.BucketStream(jets.BucketCursors), jets.BucketSubject(jets.BucketCursors, jets.Key(sinktest.Kind.Name, "prod")))
	return err == nil && len(m.Data) > 0
}
