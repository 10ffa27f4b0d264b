package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/witfoo/signal-client/sink/embedded"
)

// NATSFigures is what /metrics says of NATS. It is asked for at each scrape,
// and must answer within a second or so.
type NATSFigures struct {
	Connected bool
	Stream    *StreamFigures // nil: not known now; its metrics are left out
	Room      *embedded.Room // of the embedded store; nil: there is none
}

// StreamFigures are the figures of SIGNALS.
type StreamFigures struct {
	Bytes uint64
	Limit int64     // 0 or less: none
	First time.Time // of the oldest message; zero: there is none
}

// WatchNATS adds the metrics of NATS, read through figures at each scrape. It
// must be called once at most.
func (m *Metrics) WatchNATS(figures func() NATSFigures) {
	m.registry.MustRegister(&natsCollector{
		figures:   figures,
		connected: describe("nats_connected", "Whether NATS is connected."),
		bytes:     describe("stream_bytes", "Size of the stream SIGNALS."),
		limit:     describe("stream_limit_bytes", "Size at which the stream drops its oldest events; 0: no limit."),
		free:      describe("store_free_bytes", "What the disk of the embedded store has left."),
		reserve:   describe("store_reserve_bytes", "What of it is kept for buckets and locks: with less left, events are held back."),
		first:     describe("stream_first_timestamp_seconds", "When the oldest message of the stream was stored: how far back a replay can go."),
	})
}

type natsCollector struct {
	figures                        func() NATSFigures
	connected, bytes, limit, first *prometheus.Desc
	free, reserve                  *prometheus.Desc
}

var _ prometheus.Collector = (*natsCollector)(nil)

// Describe names the metrics.
func (c *natsCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connected, c.bytes, c.limit, c.first, c.free, c.reserve} {
		to <- d
	}
}

// Collect reads the figures.
func (c *natsCollector) Collect(to chan<- prometheus.Metric) {
	f := c.figures()
	set := func(d *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	set(c.connected, truth(f.Connected))
	if f.Room != nil {
		set(c.free, float64(f.Room.Free))
		set(c.reserve, float64(f.Room.Reserve))
	}
	if f.Stream == nil {
		return
	}
	set(c.bytes, float64(f.Stream.Bytes))
	set(c.limit, float64(max(0, f.Stream.Limit)))
	if !f.Stream.First.IsZero() {
		set(c.first, seconds(f.Stream.First))
	}
}

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", name), help, nil, nil)
}

// WatchReady adds whether the service is ready: whether there are no reasons against
// it. It must be called once at most.
func (m *Metrics) WatchReady(reasons func() []string) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: Namespace, Name: "ready",
		Help: "Whether the process can do its work; if not, /readyz says why."}, func() float64 { return truth(len(reasons()) == 0) }))
}
