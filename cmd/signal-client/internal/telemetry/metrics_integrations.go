package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/witfoo/signal-client/pipeline"
)

// States of an integration that this process does not hold, besides those of held ones.
const (
	stateStalled   = "stalled"   // held here, but overdue by minutes without a request
	StateElsewhere = "elsewhere" // another process holds it
	StateUnowned   = "unowned"   // no process holds it
	StateInvalid   = "invalid"   // its value is invalid, so it is not polled
	StateCutOff    = "cut_off"   // this process has no live session in NATS: it can't hold it, nor tell who does
)

// integrationStates are the values of the label state.
var integrationStates = []string{
	Slug(pipeline.StateNew), Slug(pipeline.StatePolling), Slug(pipeline.StateCatchingUp), Slug(pipeline.StateThrottled),
	Slug(pipeline.StateRetrying), Slug(pipeline.StateRefused), Slug(pipeline.StateConfig),
	stateStalled, StateElsewhere, StateUnowned, StateInvalid, StateCutOff,
}

// Slug returns a state as a label value.
func Slug(s pipeline.State) string { return strings.ReplaceAll(string(s), " ", "_") }

// WatchIntegrations adds the gauges of integrations by state and of live replicas. It
// must be called at most once.
func (m *Metrics) WatchIntegrations(states func() map[string]string, replicas func() int) {
	m.registry.MustRegister(&integrationCollector{states: states, replicas: replicas,
		stateDesc: prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", "integrations"),
			"Enabled integrations that this process knows, each in one state; unowned, invalid, elsewhere and cut_off are those that it does not hold.", []string{"state"}, nil),
		replicaDesc: describe("replicas", "Processes with a live session, as this process sees it; 0 while that is unknown."),
	})
}

type integrationCollector struct {
	states                 func() map[string]string // by instance
	replicas               func() int
	stateDesc, replicaDesc *prometheus.Desc
}

var _ prometheus.Collector = (*integrationCollector)(nil)

// Describe names the metrics.
func (c *integrationCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.stateDesc
	to <- c.replicaDesc
}

// Collect counts.
func (c *integrationCollector) Collect(to chan<- prometheus.Metric) {
	counts := map[string]int{}
	for _, state := range c.states() {
		counts[state]++
	}
	for _, state := range integrationStates {
		to <- prometheus.MustNewConstMetric(c.stateDesc, prometheus.GaugeValue, float64(counts[state]), state)
	}
	to <- prometheus.MustNewConstMetric(c.replicaDesc, prometheus.GaugeValue, float64(c.replicas()))
}
