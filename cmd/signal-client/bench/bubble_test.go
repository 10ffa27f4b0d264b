package bench

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/source/breaker"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// bubble is one instance from org to stream within a synctest bubble, where a
// week takes seconds. It is the way of a page that the service wires, and what it
// stands on is real, but for the sockets.
type bubble struct {
	org      *oktatest.Org
	interval time.Duration
	limit    int
	share    float64
	trace    pipeline.Trace
}

const bubbleOrigin = "https://acme.okta.com"

// run polls until ctx ends.
func (b *bubble) run(ctx context.Context, t *testing.T) {
	t.Helper()
	conn, err := jets.Connect(ctx, "", jetstest.Run(t).Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	store, err := jets.Open(ctx, conn, jets.Config{Kinds: kinds.All.Plain()})
	if err != nil {
		t.Fatal(err)
	}
	client := &okta.Client{
		Instance: "acme", Origin: bubbleOrigin, Credential: pipeline.NewSecret("bench"), Limit: b.limit, Share: b.share,
		HTTP: &http.Client{Transport: b.org.Transport()}, Trace: &b.trace,
	}
	query := signals.Query{
		Origin: bubbleOrigin, Hash: okta.Query("", b.limit), Since: pipeline.Since{Age: drainSince},
		Start: func(since time.Time) pipeline.Link { return okta.Start("", b.limit, since) },
	}
	runner := &pipeline.Runner{
		Kind:     "okta",
		Instance: "acme", Interval: b.interval, Trace: &b.trace,
		Source: breaker.Wrap("acme", client, &b.trace), Sink: signals.New(store, "acme", query, &b.trace, nil),
	}
	if err := runner.Run(ctx); err != nil {
		t.Fatal(err)
	}
}
