package main

import (
	"context"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// An idle poller whose next poll is far away reads a position that somebody else wrote
// when it is woken, and polls on. That its next commit is not refused shows that it
// synced first.
func TestWake(t *testing.T) {
	natsd := jetstest.Config{Listen: true}.Run(t)
	sim := oktatest.New(oktatest.Config{Seed: 1, Even: true, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
	sim.Generate(20, time.Hour)
	okta := httptest.NewServer(sim)
	t.Cleanup(okta.Close)
	nc := natsd.Connect(t)
	conn, err := jets.Connect(t.Context(), "", natsd.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	events, err := nc.SubscribeSync(jets.SubjectEvents(kinds.Default.Name, "acme"))
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil { // the server knows of it before the service starts
		t.Fatal(err)
	}
	idle := make(chan pipeline.Position, 100)
	var fenced atomic.Int32
	c := stageOn(natsd.URL(), okta.URL)
	c.Okta.PollInterval = "2160h" // its own moment of that hardly is now
	startTraced(t, c, &pipeline.Trace{
		Moved: func(_ string, state pipeline.State, at pipeline.Position, _ time.Time) {
			if state == pipeline.StatePolling {
				idle <- at
			}
		},
		Fenced: func(string) { fenced.Add(1) },
	})
	await := func(n int) {
		t.Helper()
		for range n {
			if _, err := events.NextMsg(clitest.Patience); err != nil {
				t.Fatal(err)
			}
		}
	}
	await(20)
	<-idle

	ctx, cancel := context.WithTimeout(t.Context(), clitest.Patience)
	defer cancel()
	position, err := conn.Last(ctx, jets.StreamSignals, jets.SubjectPosition(kinds.Default.Name, "acme"))
	if err != nil {
		t.Fatal(err)
	}
	copied := &nats.Msg{Subject: position.Subject, Data: position.Data, Header: nats.Header{
		"Nats-Expected-Last-Subject-Sequence": {strconv.FormatUint(position.Seq, 10)},
	}}
	if _, err := conn.JS.PublishMsg(ctx, copied); err != nil {
		t.Fatal(err)
	}
	sim.Add(make([]oktatest.Event, 5)...)
	if err := nc.Publish(jets.SubjectWake("acme"), nil); err != nil {
		t.Fatal(err)
	}
	await(5)
	if n := fenced.Load(); n != 0 {
		t.Errorf("refused %d times: it did not sync", n)
	}
}
