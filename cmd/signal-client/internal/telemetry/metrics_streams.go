package telemetry

import "github.com/prometheus/client_golang/prometheus"

// WatchStreams adds the gauge of streams with an unsuitable configuration; faults counts
// them by severity. It must be called at most once.
func (m *Metrics) WatchStreams(faults func() map[string]int) {
	m.registry.MustRegister(&streamCollector{faults: faults, desc: prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", "stream_faults"),
		"Streams and buckets that can't be used as configured (critical), or whose limits differ from what was configured or may lose events (warning).", []string{"severity"}, nil)})
}

type streamCollector struct {
	faults func() map[string]int
	desc   *prometheus.Desc
}

var _ prometheus.Collector = (*streamCollector)(nil)

// Describe names the metric.
func (c *streamCollector) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect counts.
func (c *streamCollector) Collect(to chan<- prometheus.Metric) {
	counts := c.faults()
	for _, severity := range []string{SeverityCritical, SeverityWarning} {
		to <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(counts[severity]), severity)
	}
}
