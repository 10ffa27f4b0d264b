package sim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// TestSimulationOfLargeEvents: 1,000 events of 100 KB, more than a body may hold. They
// are asked for in smaller pages.
func TestSimulationOfLargeEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 100 MB")
	}
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := sinktest.New(t, jetstest.Config{})
		org := oktatest.New(oktatest.Config{Origin: simOrigin, Identity: true})
		filler := strings.Repeat("large ", 100_000/6)
		for i := range 1000 {
			org.Add(oktatest.Event{Data: fmt.Appendf(nil, `{"uuid":"id-%04d","published":"2026-11-22T08:00:00.000Z","eventType":"t","x":%q}`, i, filler)})
		}
		w := &world{T: t, asks: asks{origin: simOrigin, limit: 999}, history: history{since: time.Now().Add(-12 * time.Hour)}}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		st.OK((&pipeline.Runner{
			Kind:     "okta",
			Instance: "prod",
			Source: &okta.Client{Instance: "prod", Origin: simOrigin, Credential: pipeline.NewSecret("00secret"), Limit: w.asks.limit,
				HTTP: &http.Client{Transport: org.Transport()}},
			Sink: signals.New(st.Store, "prod", w.query(), nil, nil),
		}).Run(ctx))
		a := jetstest.Audit{Stream: jets.StreamSignals, Events: jets.SubjectEvents(sinktest.Kind.Name, "prod"), Positions: jets.SubjectPosition(sinktest.Kind.Name, "prod")}
		for _, e := range org.Events() {
			a.Log = append(a.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
		}
		st.OK(a.Run(t.Context(), st.Store.Conn.JS))
	})
}
