package sim

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// TestSimulationOfThePast lets the pollers run a backfill between their polls, with all
// other faults. The org also makes events visible behind the cursor. Only backups are
// left out: a backfill does not notice that its stored events are lost.
func TestSimulationOfThePast(t *testing.T) { simulate(t, thePast, 24) }

// TestSimulationOfThePastInShortPages has the org send short pages as well, while the
// live poll is far behind and has much of the backfill's span ahead of it.
func TestSimulationOfThePastInShortPages(t *testing.T) { simulate(t, thePastInShortPages, 20) }

var (
	thePast             = trouble{org: true, operator: true, past: true}
	thePastInShortPages = trouble{org: true, operator: true, past: true, short: true}
)

// history is the backfill of a simulation: what the bucket would hold.
type history struct {
	mu    sync.Mutex
	job   backfill.Job
	since time.Time // where the live poll begins; before it is the past
}

func (w *world) makeHistory() {
	w.history.since = w.started.Add(-time.Hour)
	if !w.trouble.past || w.trouble.short {
		w.history.since = w.started.Add(-12 * time.Hour)
	}
	if !w.trouble.past {
		return
	}
	from, until := w.started.Add(-150*time.Minute), w.started.Add(-20*time.Minute)
	w.history.job, _ = backfill.NewJob(sinktest.Kind, "1", "prod", from, until, 0, w.started)
}

// save stands for the bucket: the last writer wins, even a poller frozen long ago.
func (h *history) save(_ context.Context, j backfill.Job) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.job = j
	return nil
}

// span is the backfill as it stands, for one who looks beside the pollers.
func (h *history) span() backfill.Job {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.job
}

// backlog is a poller's part in the backfill.
func (p *poller) backlog() pipeline.Backlog {
	w := p.w
	if !w.trouble.past {
		return nil
	}
	w.history.mu.Lock()
	defer w.history.mu.Unlock()
	return &backfill.Backfill{
		Job:    w.history.job,
		Source: sinktest.GatedSource{Source: p.asks.client(w), Gate: &p.gate},
		Window: func(since, until time.Time) pipeline.Link {
			return okta.Window(w.asks.filter, w.asks.limit, since, until)
		},
		Save: w.history.save,
	}
}

func (s *gatedSink) Insert(ctx context.Context, at pipeline.Position, past pipeline.Past) (pipeline.Receipt, error) {
	s.gate.Pass()
	defer s.gate.Pass()
	return s.Sink.Insert(ctx, at, past)
}

// late puts an event into the log behind where the cursor may be already.
func (w *world) late() {
	now := w.org.Now() // its clock may be ahead of ours
	at := now.Add(-time.Duration(w.rng.Int64N(int64(3 * time.Hour))))
	w.org.Add(oktatest.Event{Persisted: at.Add(time.Minute), Published: at, UUID: "", Visible: now})
}

// examine audits from the beginning of the backfill, and repairs, beside the pollers.
func (w *world) examine() (audit.Report, error) {
	conn, err := jets.Connect(w.Context(), "", w.server.Option())
	if err != nil {
		return audit.Report{}, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Minute)
	defer cancel()
	return (&audit.Audit{
		Instance: "prod", Since: w.history.span().Since, Until: time.Now().Truncate(time.Millisecond), Repair: true,
		Source: w.asks.client(w),
		Window: func(since, until time.Time) pipeline.Link {
			return okta.Window(w.asks.filter, w.asks.limit, since, until)
		},
		Ledger: &signals.Ledger{Store: jets.Attach(conn, sinktest.Kind), Instance: "prod"},
	}).Run(ctx)
}

// examineAtLast is the audit after all trouble: it leaves no difference.
func (w *world) examineAtLast() {
	for range 2 {
		r, err := w.examine()
		if err != nil || r.Left() > 0 || r.Twice > 0 {
			w.Fatalf("seed %d: audit: %+v: %v", w.seed, r, err)
		}
	}
}

// kind is how an event is to come into the stream. A reopening may bring what
// came before since, as the overlap of one that follows a start reaches there.
func (w *world) kind(e oktatest.Event) jetstest.Kind {
	job := w.history.span()
	switch {
	case !w.trouble.past:
		return jetstest.Live
	case e.Published.Before(job.Since):
		return jetstest.Loose
	case !e.Visible.After(e.Persisted) && !e.Persisted.Before(w.history.since):
		return jetstest.Live
	}
	return jetstest.Past // by the backfill, or else by the audit
}
