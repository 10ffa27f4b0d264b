package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/witfoo/signal-client/pipeline"
)

// WatchBounds adds the metrics of the bounds on requests in flight and on bytes of pages
// in memory. It must be called at most once.
func (m *Metrics) WatchBounds(requests, pages *pipeline.Gate) {
	watch := func(name, help string, figure func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: Namespace, Name: name, Help: help}, figure))
	}
	watch("okta_requests_in_flight", "Requests to Okta in flight.", func() float64 { return float64(requests.Used()) })
	watch("okta_requests_in_flight_limit", "Requests to Okta that may be in flight at a time; 0: no limit.", func() float64 { return float64(requests.Capacity) })
	watch("okta_requests_waiting", "Requests to Okta that wait for others to end.", func() float64 { return float64(requests.Waiting()) })
	watch("page_memory_bytes", "Bytes of pages in memory, those being read included.", func() float64 { return float64(pages.Used()) })
	watch("page_memory_limit_bytes", "Bytes of pages that may be in memory; a part is reserved for pages that turn out to be large. 0: no limit.", func() float64 { return float64(pages.Capacity) })
	watch("page_memory_waiting", "Answers of Okta that wait for memory, until other pages are stored.", func() float64 { return float64(pages.Waiting()) })
}
