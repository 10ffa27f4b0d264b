package telemetry

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/breaker"
)

// Metrics is the content of /metrics. It is safe for concurrent use.
//
// An instance's series have the label integration. They exist from Acquired to Released,
// which comes when another process polls it or nobody should: so a former owner leaves no
// frozen gauge, and one that is cut off from NATS stays visible. Hooks in between only
// count. A healthy instance has 11 series: those that alerts need, 0 from the start, and
// those of its activity. Repeats, refused fences, dead letters of a reason, and answers
// other than 200 each add a series when they first occur.
type Metrics struct {
	registry *prometheus.Registry
	instance instanceMetrics
	process  processMetrics

	mu       sync.RWMutex
	acquired map[string]bool
}

// instanceMetrics have the label integration.
type instanceMetrics struct {
	events, repeats, deadLetters              *prometheus.CounterVec
	requests, fences, losses, gaps            *prometheus.CounterVec
	completeThrough, lastPublished            *prometheus.GaugeVec
	interval, limit, remaining, credentialCap *prometheus.GaugeVec
	breakerOpen, refused                      *prometheus.GaugeVec
	differences                               *prometheus.GaugeVec
}

// processMetrics are the process's own.
type processMetrics struct {
	requestTime, commitTime *prometheus.HistogramVec
	drift, stage, takeovers *prometheus.CounterVec
	lettersLost             prometheus.Counter
	owned, unowned          prometheus.Gauge
}

// NewMetrics returns the metrics with their own registry.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), acquired: map[string]bool{}}
	m.instance = newInstanceMetrics()
	m.process = newProcessMetrics()
	m.registry.MustRegister(m.instance.all()...)
	m.registry.MustRegister(m.process.all()...)
	m.registry.MustRegister(buildInfo(build.Read()), contained(), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Acquired starts an instance's series.
func (m *Metrics) Acquired(i pipeline.Integration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acquired[i.Instance] = true
	s := &m.instance
	s.interval.WithLabelValues(i.Instance).Set(i.PollInterval.Seconds())
	s.losses.WithLabelValues(i.Instance)
	s.gaps.WithLabelValues(i.Instance)
	s.breakerOpen.WithLabelValues(i.Instance)
	s.refused.WithLabelValues(i.Instance)
}

// Polled returns the instances that have series.
func (m *Metrics) Polled() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Collect(maps.Keys(m.acquired))
}

// Took counts a takeover from a process whose session had ended; expired: nobody deleted it.
func (m *Metrics) Took(expired bool) {
	m.process.takeovers.WithLabelValues(takeoverOf(expired)).Inc()
}

func takeoverOf(expired bool) string {
	if expired {
		return "expired"
	}
	return "ended"
}

// Released ends an instance's series.
func (m *Metrics) Released(instance string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.acquired, instance)
	m.instance.drop(instance)
}

// Owned sets how many instances this process polls.
func (m *Metrics) Owned(n int) { m.process.owned.Set(float64(n)) }

// Unowned sets how many enabled instances nobody polls, as this process sees it.
func (m *Metrics) Unowned(n int) { m.process.unowned.Set(float64(n)) }

// while calls f if the instance is acquired, and prevents its release meanwhile.
func (m *Metrics) while(instance string, f func(s *instanceMetrics)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.acquired[instance] {
		f(&m.instance)
	}
}

// Trace returns the hooks that feed the metrics.
func (m *Metrics) Trace() *pipeline.Trace {
	return &pipeline.Trace{
		Committed: m.committed,
		Inserted:  m.inserted,
		Audited: func(instance string, r pipeline.Audited) {
			m.while(instance, func(s *instanceMetrics) { s.differences.WithLabelValues(instance).Set(float64(r.Differences())) })
		},
		Moved:      m.moved,
		Requested:  m.requested,
		Budget:     m.budget,
		Breaker:    m.breaker,
		DeadLetter: m.deadLetter,
		DeadLetterLost: func(string, pipeline.Flaw) {
			m.process.stage.WithLabelValues(stageSource, stageError).Inc()
			m.process.lettersLost.Inc()
		},
		Fenced: func(instance string) {
			m.while(instance, func(s *instanceMetrics) { s.fences.WithLabelValues(instance).Inc() })
		},
		Lost: func(instance string) {
			m.while(instance, func(s *instanceMetrics) { s.losses.WithLabelValues(instance).Inc() })
		},
		PassedOver: func(instance string, _ pipeline.Gap) {
			m.while(instance, func(s *instanceMetrics) { s.gaps.WithLabelValues(instance).Inc() })
		},
		Wrote: func(_, result string, took time.Duration) {
			m.process.commitTime.WithLabelValues(result).Observe(took.Seconds())
		},
		Drift: func(field string) { m.process.drift.WithLabelValues(driftField(field)).Inc() },
	}
}

func (m *Metrics) committed(instance string, _ pipeline.Page, r pipeline.Receipt, _ time.Duration) {
	m.process.stage.WithLabelValues(stageSource, stageSuccess).Add(float64(r.Stored))
	m.while(instance, func(s *instanceMetrics) {
		s.events.WithLabelValues(instance, originLive).Add(float64(r.Stored))
		if r.Repeats > 0 {
			s.repeats.WithLabelValues(instance).Add(float64(r.Repeats))
		}
	})
}

func (m *Metrics) inserted(instance string, past pipeline.Past, r pipeline.Receipt) {
	m.process.stage.WithLabelValues(stageSource, stageSuccess).Add(float64(r.Stored))
	m.while(instance, func(s *instanceMetrics) {
		s.events.WithLabelValues(instance, string(past.Why)).Add(float64(r.Stored))
	})
}

func (m *Metrics) moved(instance string, _ pipeline.State, at pipeline.Position, _ time.Time) {
	// A series is absent, rather than 1970, until its value is known. That of the last
	// event exists from the start, so that a silent org is noticed.
	m.while(instance, func(s *instanceMetrics) {
		if !at.CompleteThrough.IsZero() {
			s.completeThrough.WithLabelValues(instance).Set(seconds(at.CompleteThrough))
		}
		if at.LastEvent != nil && !at.PublishedMax.IsZero() {
			s.lastPublished.WithLabelValues(instance).Set(seconds(at.PublishedMax))
		}
	})
}

func (m *Metrics) requested(instance, code string, took time.Duration) {
	m.process.requestTime.WithLabelValues().Observe(took.Seconds())
	m.while(instance, func(s *instanceMetrics) { s.requests.WithLabelValues(instance, foldCode(code)).Inc() })
}

func (m *Metrics) budget(instance string, limit pipeline.RateLimit) {
	m.while(instance, func(s *instanceMetrics) {
		s.limit.WithLabelValues(instance).Set(float64(limit.Limit))
		s.remaining.WithLabelValues(instance).Set(float64(limit.Remaining))
		if limit.Cap == nil {
			s.credentialCap.DeleteLabelValues(instance)
			return
		}
		s.credentialCap.WithLabelValues(instance).Set(float64(limit.Cap.Requests))
	})
}

func (m *Metrics) breaker(instance, state string, refused bool) {
	m.while(instance, func(s *instanceMetrics) {
		s.breakerOpen.WithLabelValues(instance).Set(truth(state == breaker.Open))
		s.refused.WithLabelValues(instance).Set(truth(refused && state != breaker.Closed))
	})
}

func (m *Metrics) deadLetter(instance string, flaw pipeline.Flaw) {
	m.process.stage.WithLabelValues(stageSource, stageError).Inc()
	m.while(instance, func(s *instanceMetrics) { s.deadLetters.WithLabelValues(instance, string(flaw)).Inc() })
}

// foldCode limits the label's values.
func foldCode(code string) string {
	if slices.Contains(codes, code) {
		return code
	}
	if len(code) == 3 && code[0] == '5' {
		return "5xx"
	}
	return "error"
}

// driftField limits the label's values to the members that are read.
func driftField(field string) string {
	switch field {
	case "uuid", "published", "eventType":
		return field
	}
	return "other"
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds returns a time as Prometheus counts it.
func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
