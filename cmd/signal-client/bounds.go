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
	watch := func(name, help string, figure func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, figure))
	}
	watch("okta_requests_in_flight", "Requests to Okta under way.", func() float64 { return float64(b.requests.Used()) })
	watch("okta_requests_in_flight_limit", "Requests to Okta that may be under way at a time; 0: no limit.", func() float64 { return float64(b.requests.Capacity) })
	watch("okta_requests_waiting", "Requests to Okta that wait for others to end.", func() float64 { return float64(b.requests.Waiting()) })
	watch("page_memory_bytes", "Bytes of pages in memory, and of those that are being read.", func() float64 { return float64(b.pages.Used()) })
	watch("page_memory_limit_bytes", "Bytes of pages that may be in memory; a part is kept for those that turn out to be large. 0: no limit.", func() float64 { return float64(b.pages.Capacity) })
	watch("page_memory_waiting", "Answers of Okta that wait for memory, until other pages are stored.", func() float64 { return float64(b.pages.Waiting()) })
}
