package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/witfoo/signal-client/sink/embedded"
)

// NATSFigures are the figures of NATS in /metrics. They are read at each scrape, within a
// second or so.
type NATSFigures struct {
	Connected bool
	Stream    *StreamFigures // nil: not known now, and left out
	Room      *embedded.Room // of the embedded store; nil: not embedded
}

// StreamFigures are the figures of SIGNALS.
type StreamFigures struct {
	Bytes uint64
	Limit int64     // 0 or less: none
	First time.Time // of the oldest message; zero: none
}

// WatchNATS adds the metrics of NATS, read by figures at each scrape. It must be called
// at most once.
func (m *Metrics) WatchNATS(figures func() NATSFigures) {
	m.registry.MustRegister(&natsCollector{
		figures:   figures,
		connected: describe("nats_connected", "Whether NATS is connected."),
		bytes:     describe("stream_bytes", "Size of the stream SIGNALS."),
		limit:     describe("stream_limit_bytes", "Size at which the stream drops its oldest events; 0: no limit."),
		free:      describe("store_free_bytes", "Free space on the embedded store's disk."),
		reserve:   describe("store_reserve_bytes", "The part of it reserved for buckets and locks: with less left, events are held back."),
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

// WatchReady adds whether the service is ready, which it is without reasons against it.
// It must be called at most once.
func (m *Metrics) WatchReady(reasons func() []string) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: Namespace, Name: "ready",
		Help: "Whether the process can do its work; if not, /readyz says why."}, func() float64 { return truth(len(reasons()) == 0) }))
}
