package main

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/witfoo/signal-client/pipeline"
)

// What an integration is that this process does not hold, beside the states of
// those that it does.
const (
	stateStalled   = "stalled"   // held here, and due for minutes without a request
	stateElsewhere = "elsewhere" // another process holds it
	stateUnowned   = "unowned"   // nobody holds it
	stateInvalid   = "invalid"   // its value can't be read, so nobody polls it
	stateCutOff    = "cut_off"   // this process has no live session in NATS: it can't hold it, nor tell who does
)

// integrationStates are the values of the label state.
var integrationStates = []string{
	slug(pipeline.StateNew), slug(pipeline.StatePolling), slug(pipeline.StateCatchingUp), slug(pipeline.StateThrottled),
	slug(pipeline.StateRetrying), slug(pipeline.StateRefused), slug(pipeline.StateConfig),
	stateStalled, stateElsewhere, stateUnowned, stateInvalid, stateCutOff,
}

// slug is a state as a label's value.
func slug(s pipeline.State) string { return strings.ReplaceAll(string(s), " ", "_") }

// WatchIntegrations adds the gauge of the integrations by state, and that of the
// live replicas. It must be called once at most.
func (m *metrics) WatchIntegrations(states func() map[string]string, replicas func() int) {
	m.registry.MustRegister(&integrationCollector{states: states, replicas: replicas,
		stateDesc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "integrations"),
			"Enabled integrations that this process knows, each in one state; unowned, invalid, elsewhere and cut_off are those that it does not hold.", []string{"state"}, nil),
		replicaDesc: describe("replicas", "Processes with a live session, seen from this one; 0 while it can't tell."),
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
