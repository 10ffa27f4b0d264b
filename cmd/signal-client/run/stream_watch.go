package run

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// streamWatch notices when somebody changes streams or buckets while the service runs: a
// limit that is too low, a transform, a seal. It reports that in the log, advisories,
// metrics and /readyz, and changes nothing. What was logged at start is not reported
// again. It is safe for concurrent use.
type streamWatch struct {
	store      *jets.Store
	advisories *telemetry.Advisories
	log        *slog.Logger

	mu    sync.Mutex
	found map[string]streamFault // by stream
}

// streamFault is what is wrong with a stream.
type streamFault struct {
	unfit  string   // why it can't be used; empty: it can
	doubts []string // warnings: it works, but not for long or not for every event
}

func (f streamFault) severity() string {
	if f.unfit != "" {
		return telemetry.SeverityCritical
	}
	return telemetry.SeverityWarning
}

// String returns all that is wrong.
func (f streamFault) String() string {
	all := f.doubts
	if f.unfit != "" {
		all = append([]string{f.unfit}, f.doubts...)
	}
	return strings.Join(all, "; ")
}

// streamLookEvery is how often the streams are checked; streamLookTime bounds one check.
const (
	streamLookEvery = 30 * time.Second
	streamLookTime  = 10 * time.Second
)

// Run checks until ctx ends.
func (w *streamWatch) Run(ctx context.Context) error {
	w.look(ctx, false)
	for pipeline.Sleep(ctx, streamLookEvery) == nil {
		w.look(ctx, true)
	}
	return ctx.Err()
}

// look checks all streams once, and reports changes. A stream that can't be looked up
// counts as unchanged: an outage of NATS is reported elsewhere.
func (w *streamWatch) look(ctx context.Context, tell bool) {
	ctx, cancel := context.WithTimeout(ctx, streamLookTime)
	defer cancel()
	for _, i := range w.store.Inspect(ctx) {
		if i.Info == nil && !i.Missing || i.Missing && i.Spare {
			continue
		}
		var now streamFault
		switch {
		case i.Missing:
			now.unfit = "it is gone"
		case i.Unfit != nil:
			now.unfit = i.Unfit.Error()
		}
		now.doubts = i.Doubts
		if i.Lacks != "" {
			now.doubts = append(slices.Clone(now.doubts), "it lacks "+i.Lacks+": a restart of the service adds it")
		}
		w.take(i.Name, now, tell)
	}
}

// take records what is wrong with a stream, and reports it if it is new.
func (w *streamWatch) take(stream string, now streamFault, tell bool) {
	w.mu.Lock()
	before := w.found[stream]
	if w.found == nil {
		w.found = map[string]streamFault{}
	}
	delete(w.found, stream)
	if now.String() != "" {
		w.found[stream] = now
	}
	w.mu.Unlock()
	if now.String() == before.String() || !tell && now.unfit == "" {
		return
	}
	name := strings.ToLower(stream)
	switch {
	case now.unfit != "":
		w.log.Error("stream can't be used as it is configured now", "stream", stream, "why", now.String())
	case now.String() != "":
		w.log.Warn("stream is not configured as it should be", "stream", stream, "why", now.String())
	default:
		w.log.Info("stream is configured as it should be again", "stream", stream)
		w.advisories.Tell(telemetry.AdviseStreamUnfitOver, name, telemetry.SeverityInfo, nil)
		return
	}
	w.advisories.Tell(telemetry.AdviseStreamUnfit, name, now.severity(), map[string]any{"error": now.String()})
}

// Unready returns which streams for events, positions or locks can't be used; empty: none.
func (w *streamWatch) Unready() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, stream := range []string{jets.StreamSignals, jets.BucketCursors, jets.BucketLocks, jets.BucketIntegrations} {
		if f := w.found[stream]; f.unfit != "" {
			return fmt.Sprintf("%s can't be used: %s", stream, f.unfit)
		}
	}
	return ""
}

// Faults counts the streams with a fault, by severity.
func (w *streamWatch) Faults() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[string]int{}
	for _, f := range w.found {
		counts[f.severity()]++
	}
	return counts
}
