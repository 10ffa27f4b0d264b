package sim

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
	"github.com/witfoo/signal-client/source/page"
)

// TestCapOutlivesTheProcess: an org lets a token use three tenths of its limit, and says so by
// a 429 alone. A process that drains the org learns it from one; those that take over read
// it in STATUS, and keep to it from their first window on.
func TestCapOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := oktatest.New(oktatest.Config{Seed: 1, Origin: "https://acme.okta.com", Requests: -1, Rate: oktatest.Rate{PerMinute: 120, Share: 0.3}})
		org.Generate(6000, 20*time.Hour)
		server := jetstest.Run(t)
		store, err := jets.Open(t.Context(), sinktest.Dial(t, server), jets.Config{Kinds: []*pipeline.Kind{okta.Source.Kind}})
		if err != nil {
			t.Fatal(err)
		}
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.acme",
			`{"settings":{"fqdn":"acme.okta.com","since":"24h","limit":5,"rate_share":1},"credentials":{"api_token":"right-token"}}`)
		const processes, minutes = 4, 7
		for n := range processes {
			runFor(t, server, org, minutes*time.Minute+time.Duration(n)*13*time.Second)
			status, err := buckets.ReadStatus(t.Context(), store.Of(okta.Source.Kind), "acme")
			if err != nil || status.RateLimit == nil || status.RateLimit.Cap == nil {
				t.Fatalf("process %d: status %+v, %v", n, status, err)
			}
			if c := status.RateLimit.Cap; c.Requests != 36 || c.Of != 120 || status.RateLimit.Limit != 120 {
				t.Errorf("process %d: cap %+v", n, c)
			}
		}
		info, err := store.Conn.Info(t.Context(), jets.StreamSignals)
		if err != nil {
			t.Fatal(err)
		}
		// A process that takes over does not know how much of the window was used, so that most
		// of it may be lost.
		if most := uint64(0.9 * 5 * 36 * (processes*minutes - processes)); info.State.Msgs < most {
			t.Errorf("%d messages in %d minutes, want %d", info.State.Msgs, processes*minutes, most)
		}
		if stats := org.Stats(); stats.Violations != 1 || stats.MaxWindow != 36 {
			t.Errorf("%d requests were refused, and %d sent in a window", stats.Violations, stats.MaxWindow)
		}
	})
}

// runFor runs what signal-client run starts but its listener, for a time.
func runFor(t *testing.T, server *jetstest.Server, org *oktatest.Org, d time.Duration) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	conn, err := jets.Connect(ctx, "", server.Option())
	if err != nil {
		t.Fatal(err)
	}
	s := run.Service{
		Config: config.Config{
			Stream: config.Stream{MaxAge: config.Duration(okta.Source.Retention)},
			Process: config.Process{Replica: "one", SessionTTL: config.Duration(10 * time.Second),
				RequestTimeout: config.Duration(time.Minute), MaxInFlight: 10, PageMemory: page.DefaultMost + 4<<20},
		},
		Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: org.Transport()}, Kinds: kinds.Kinds{okta.Source},
	}
	if err := s.RunOn(ctx, conn); err != nil && ctx.Err() == nil {
		t.Errorf("it ended with %v", err)
	}
}
