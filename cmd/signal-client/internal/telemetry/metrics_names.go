package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/pipeline"
)

const (
	LabelIntegration = "integration" // not "instance": Prometheus uses that for the target

	originLive = "live" // besides those of the past

	// pipeline_stage_count is shared by all stages of the pipeline that this program is
	// part of, hence its name. It counts elements, not requests.
	stageSource  = "source_client"
	stageSuccess = "success" // stored events
	stageError   = "error"   // dead letters
)

// Values of a second label, besides the reasons of dead letters.
var (
	origins = []string{originLive, string(pipeline.WhyBackfill), string(pipeline.WhyRepair)}
	codes   = []string{"200", "400", "401", "403", "429", "5xx", "error"}
)

func newInstanceMetrics() instanceMetrics {
	return instanceMetrics{
		events:          counter("events_total", "Events stored in the stream, counted after its acknowledgement.", LabelIntegration, "origin"),
		repeats:         counter("duplicates_dropped_total", "Events that Okta served again and that were not stored again.", LabelIntegration),
		deadLetters:     counter("deadletters_total", "Elements of a page that could not be published, by reason.", LabelIntegration, "reason"),
		requests:        counter("okta_requests_total", "Requests to Okta by folded status code.", LabelIntegration, "code"),
		fences:          counter("fence_refusals_total", "Commits refused because another writer was first.", LabelIntegration),
		losses:          counter("stream_losses_total", "Times that acknowledged data was found missing from the stream.", LabelIntegration),
		gaps:            counter("gaps_total", "Gaps: times when Okta may have dropped events before they were read.", LabelIntegration),
		completeThrough: gauge("complete_through_timestamp_seconds", "The watermark: everything Okta persisted up to then is stored.", LabelIntegration),
		lastPublished:   gauge("last_event_published_timestamp_seconds", "When the newest stored event was published.", LabelIntegration),
		interval:        gauge("poll_interval_seconds", "Configured time between polls at the head of the log.", LabelIntegration),
		limit:           gauge("okta_rate_limit", "Requests that Okta allows in a window, as last seen.", LabelIntegration),
		remaining:       gauge("okta_rate_limit_remaining", "Requests left in the window, as last seen.", LabelIntegration),
		credentialCap:   gauge("okta_rate_limit_cap", "Requests that Okta lets the credential use in a window; only where a refusal has shown that it is less than the limit.", LabelIntegration),
		breakerOpen:     gauge("breaker_open", "Whether the breaker holds requests back.", LabelIntegration),
		refused:         gauge("credential_refused", "Whether Okta refused the credential.", LabelIntegration),
		differences:     gauge("audit_differences", "Events that the newest standing audit found missing, stored twice, or stored but not shown.", LabelIntegration),
	}
}

func (s *instanceMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{s.events, s.repeats, s.deadLetters, s.requests, s.fences, s.losses, s.gaps, s.completeThrough,
		s.lastPublished, s.interval, s.limit, s.remaining, s.credentialCap, s.breakerOpen, s.refused, s.differences}
}

// drop deletes an instance's series by name: searching for matching series would walk
// through all instances' for each release.
func (s *instanceMetrics) drop(instance string) {
	for _, v := range s.all() {
		v.(interface{ DeleteLabelValues(...string) bool }).DeleteLabelValues(instance)
	}
	for _, origin := range origins {
		s.events.DeleteLabelValues(instance, origin)
	}
	for _, flaw := range pipeline.Flaws {
		s.deadLetters.DeleteLabelValues(instance, string(flaw))
	}
	for _, code := range codes {
		s.requests.DeleteLabelValues(instance, code)
	}
}

func newProcessMetrics() processMetrics {
	p := processMetrics{
		requestTime: histogram("okta_request_duration_seconds", "Time of a request to Okta, its body included.",
			[]float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}),
		commitTime: histogram("commit_duration_seconds", "Time from a fetched page to the stream's acknowledgement.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "result"),
		drift:       counter("schema_drift_total", "Members of events that differ from Okta's documentation.", "field"),
		owned:       gauge("owned_integrations", "Instances that this process polls.").WithLabelValues(),
		unowned:     gauge("unowned_integrations", "Enabled instances that nobody polls, as this process sees it.").WithLabelValues(),
		takeovers:   counter("takeovers_total", "Instances taken over from a process that ended its session, or whose session expired because it died or froze.", "session"),
		lettersLost: counter("deadletters_lost_total", "Elements that could not even be kept as dead letters; the log names them.").WithLabelValues(),
		stage: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pipeline_stage_count",
			Help: "Elements through a pipeline stage: success are stored events, error are dead letters."}, []string{"stage", "status"}),
	}
	p.requestTime.WithLabelValues()
	for _, result := range []string{"ok", "fenced", "doubt", "too_large"} {
		p.commitTime.WithLabelValues(result)
	}
	for _, field := range []string{"eventType", "published"} {
		p.drift.WithLabelValues(field)
	}
	for _, expired := range []bool{false, true} {
		p.takeovers.WithLabelValues(takeoverOf(expired))
	}
	p.stage.WithLabelValues(stageSource, stageSuccess)
	p.stage.WithLabelValues(stageSource, stageError)
	return p
}

func (p *processMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{p.requestTime, p.commitTime, p.drift, p.stage, p.takeovers, p.lettersLost, p.owned, p.unowned}
}

func buildInfo(b build.Info) prometheus.Collector {
	v := gauge("build_info", "What this binary was built from; always 1.", "version", "revision", "date", "goversion")
	v.WithLabelValues(b.Version, b.Revision, b.Date, b.Go).Set(1)
	return v
}

// Namespace begins the names of all metrics.
const Namespace = "signal_client"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: Namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: Namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: Namespace, Name: name, Help: help, Buckets: buckets}, labels)
}
