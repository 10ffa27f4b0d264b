package bench

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

const (
	idlePolls    = 10_000
	idleWarm     = 500 // polls before the first look
	idleInterval = time.Minute
)

// idle polls an org in which nothing happens. Org and server are in the same
// process, so the heap is looked at by who allocated what.
func idle(t *testing.T, r *report) {
	progress("idle: %s polls, in a bubble", thousands(idlePolls))
	var looks [3]heap // before, half way, after
	var requests int
	defer func(rate int) { runtime.MemProfileRate = rate }(runtime.MemProfileRate)
	runtime.MemProfileRate = 1
	synctest.Test(t, func(t *testing.T) {
		org := oktatest.New(oktatest.Config{Seed: 1, Origin: bubbleOrigin, Requests: -1})
		org.Generate(2000, time.Hour)
		polls, before := 0, 0
		ctx, cancel := context.WithCancel(t.Context())
		b := &bubble{org: org, interval: idleInterval, trace: pipeline.Trace{
			Moved: func(_ string, state pipeline.State, _ pipeline.Position, _ time.Time) {
				if state != pipeline.StatePolling {
					return
				}
				switch polls++; polls {
				case idleWarm:
					looks[0], before = lookAtHeap(), org.Stats().Requests
				case idleWarm + idlePolls/2:
					looks[1] = lookAtHeap()
				case idleWarm + idlePolls:
					looks[2], requests = lookAtHeap(), org.Stats().Requests-before
					cancel()
				}
			},
		}}
		b.run(ctx, t)
	})
	if requests == 0 {
		t.Fatal("nothing was asked")
	}
	allocated := func(from, to heap) float64 { return float64(to.allocated-from.allocated) / (idlePolls / 2) / 1024 }
	first, second := allocated(looks[0], looks[1]), allocated(looks[1], looks[2])
	grown := float64(looks[2].kept-looks[0].kept) / idlePolls
	perInterval := float64(requests) / idlePolls
	r.Part(fmt.Sprintf("Idle instance, %s polls", thousands(idlePolls)))
	r.Target("requests an interval", fmt.Sprintf("%.3f", perInterval), "1", perInterval == 1)
	r.Target("allocated by a poll, first half and second", fmt.Sprintf("%.1f KB, %.1f KB", first, second), "no growth", second < 1.01*first)
	r.Target("heap grown by a poll", fmt.Sprintf("%.1f bytes", grown), "< 1 byte", grown < 1)
}
