package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// TestSimulationOfPauses has nobody poll for months, fewer or more days than the org
// keeps its log: beyond that events are gone, and the positions say which may be.
// After it the link is taken or refused, and the query or the org's name may be
// another. What no gap covers is in the stream, once and in order.
func TestSimulationOfPauses(t *testing.T) { simulate(t, pauses, 20) }

var pauses = trouble{org: true, pauses: true}

// pause ends all pollers and lets months go by.
func (w *world) pause() {
	for _, p := range w.pollers {
		p.kill()
	}
	w.server.Stop()
	days := 60 + w.rng.IntN(60)
	w.org.GenerateFrom(time.Now().Add(time.Hour), 100, time.Duration(days)*24*time.Hour)
	time.Sleep(time.Duration(days) * 24 * time.Hour)
	w.resumed = time.Now()
	w.server.Start(w)
	if w.chance(0.4) {
		w.org.ExpireCursors()
	}
	switch w.rng.IntN(4) {
	case 0:
		w.asks.origin = movedOrigin
	case 1:
		w.asks.filter = everyEvent
	}
	for i, p := range w.pollers {
		w.pollers[i] = w.launch(p.name)
	}
}

// gap is what the newest position says; nil: nothing.
func (w *world) gap(ctx context.Context, conn *jets.Conn) *pipeline.Gap {
	w.Helper()
	m, err := conn.Last(ctx, jets.StreamSignals, jets.SubjectPosition(sinktest.Kind.Name, "prod"))
	var p pipeline.Position
	if err == nil {
		err = json.Unmarshal(m.Data, &p)
	}
	if err != nil {
		w.Fatal(err)
	}
	return p.Gap
}

// excuse lets what a gap covers be missing. The org drops events while the rest of its log
// is read, so a gap reaches a little farther than it says.
func (w *world) excuse(a *jetstest.Audit, gap *pipeline.Gap) error {
	if w.ages == 0 {
		a.Kept = w.resumed.Add(time.Hour - sinktest.Kind.Retention) // the stream keeps no more, either
	}
	if gap == nil {
		return nil
	}
	if gap.Until.Sub(gap.From) <= 0 || gap.Until.Before(w.started.Add(-2*time.Hour)) {
		return fmt.Errorf("gap %+v", *gap)
	}
	for i, e := range w.org.Events() {
		if !e.Published.Before(gap.From.Add(-2*time.Hour)) && e.Published.Before(gap.Until.Add(2*time.Hour)) {
			a.Log[i].Kind = jetstest.Loose
		}
	}
	return nil
}
