package signals

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// A foreign client keeps publishing on an instance's subject. The org's events are stored
// all the same, each once and in order.
func TestSomebodyElsePublishes(t *testing.T) {
	const total, limit = 5000, 500
	st := newFixture(t, jetstest.Config{})
	org := oktatest.New(oktatest.Config{Origin: sinktest.Origin, Requests: -1, Rate: oktatest.Rate{PerMinute: 1 << 30}})
	org.Generate(total, 30*time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	other := sinktest.Dial(t, st.Server)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() {
		pause := 10 * time.Millisecond
		for pipeline.Sleep(ctx, pause) == nil {
			began := time.Now()
			_, _ = other.JS.Publish(ctx, jets.SubjectEvents(sinktest.Kind.Name, "prod"), []byte(`{"uuid":"none of the org's"}`))
			pause = max(10*time.Millisecond, 4*time.Since(began)) // on a slow machine a commit takes longer too
		}
	})
	query := Query{Origin: sinktest.Origin, Hash: okta.Query("", limit), Since: pipeline.Since{Age: time.Hour},
		Start: func(since time.Time) pipeline.Link { return okta.Start("", limit, since) }}
	sink := New(st.Store, "prod", query, nil, nil)
	stored := make(chan int, total)
	wg.Go(func() {
		_ = (&pipeline.Runner{
			Kind:     "okta",
			Instance: "prod", Interval: time.Second, Sink: sink,
			Source: &okta.Client{Instance: "prod", Origin: sinktest.Origin, Credential: pipeline.NewSecret("00secret"), Limit: limit,
				HTTP: &http.Client{Transport: org.Transport()}},
			Trace: &pipeline.Trace{Committed: func(_ string, _ pipeline.Page, r pipeline.Receipt, _ time.Duration) { stored <- r.Stored }},
		}).Run(ctx)
	})
	patience := time.After(3 * time.Minute)
	for n := 0; n < total; {
		select {
		case more := <-stored:
			n += more
		case <-patience:
			t.Fatalf("%d of %d events stored", n, total)
		}
	}
	stop()
	wg.Wait()
	var uuids []string
	for m := range st.Messages(jets.StreamSignals) {
		if id := m.Header.Get(jets.HeaderID); id != "" {
			uuids = append(uuids, id)
		}
	}
	for i, e := range org.Events() {
		if i >= len(uuids) || uuids[i] != e.UUID {
			t.Fatalf("event %d of %d is not where it belongs among %d", i, total, len(uuids))
		}
	}
	if len(uuids) != total {
		t.Errorf("%d events for %d", len(uuids), total)
	}
}
