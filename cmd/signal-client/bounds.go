package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
)

// bounds keep what this process has in use at once, of all instances together. An
// org that drains goes after those that don't.
type bounds struct {
	requests *pipeline.Gate // in flight
	pages    *pipeline.Gate // bytes of pages in memory
	backlogs *pipeline.Gate // batches of backfills in memory, of 8 MiB or a page more
}

// mostBacklogs is how many backfills have a batch in memory at a time. They have
// room of their own: a batch waits there for a poll, which must not wait for it.
const mostBacklogs = 16

// leastPageMemory holds a page as large as it may be, and the one ahead of it.
const leastPageMemory = 2 * okta.DefaultMaxBody

// newBounds keeps room for one body that turns out to be as large as it may be
// while the rest is taken: it is read to its end, and the others wait for it.
func newBounds(c stageConfig) bounds {
	return bounds{
		requests: &pipeline.Gate{Capacity: int64(c.MaxInFlight)},
		pages:    &pipeline.Gate{Capacity: int64(c.PageMemory), Spare: okta.DefaultMaxBody},
		backlogs: &pipeline.Gate{Capacity: mostBacklogs},
	}
}

// WatchBounds adds the metrics of the bounds. It must be called once at most.
func (m *metrics) WatchBounds(b bounds) {
	used := func(gate *pipeline.Gate) int64 { return gate.Used() }
	limit := func(gate *pipeline.Gate) int64 { return gate.Capacity }
	watch := func(name, help string, gate *pipeline.Gate, figure func(*pipeline.Gate) int64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help},
			func() float64 { return float64(figure(gate)) }))
	}
	watch("okta_requests_in_flight", "Requests to Okta under way.", b.requests, used)
	watch("okta_requests_in_flight_limit", "How many there may be; beyond it they wait. 0: no limit.", b.requests, limit)
	watch("page_memory_bytes", "Bytes of pages in memory, and of those that are being read.", b.pages, used)
	watch("page_memory_limit_bytes", "How many there may be; before it answers wait for commits. 0: no limit.", b.pages, limit)
}
