package sim

import (
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// audit reads the whole stream and holds it against the org's log.
func (w *world) audit() {
	w.Helper()
	conn, err := jets.Connect(w.Context(), "", w.server.Option())
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.JS.Stream(w.Context(), jets.StreamSignals)
	if err != nil {
		w.Fatal(err)
	}
	a := jetstest.Audit{Stream: jets.StreamSignals, Events: jets.SubjectEvents(sinktest.Kind.Name, "prod"), Positions: jets.SubjectPosition(sinktest.Kind.Name, "prod")}
	for _, e := range w.org.Events() {
		a.Log = append(a.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted, Kind: w.kind(e)})
	}
	if w.trouble.evict {
		a.Kept = w.kept(stream.CachedInfo().State)
	}
	if w.trouble.pauses {
		if err := w.excuse(&a, w.gap(w.Context(), conn)); err != nil {
			w.Fatalf("seed %d: %v", w.seed, err)
		}
	}
	if err := a.Run(w.Context(), conn.JS); err != nil {
		w.Fatalf("seed %d: %v", w.seed, err)
	}
}
