package telemetry

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/search"
)

// Each Watch method adds gauges that are read at each scrape. Call it at most once.

type setGauge func(d *prometheus.Desc, value float64, labels ...string)

// scraped is a collector of gauges that are read at each scrape.
type scraped struct {
	descs []*prometheus.Desc
	read  func(set setGauge)
}

// Describe implements prometheus.Collector.
func (c scraped) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c scraped) Collect(to chan<- prometheus.Metric) {
	c.read(func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	})
}

func (m *Metrics) watch(read func(set setGauge), descs ...*prometheus.Desc) {
	m.registry.MustRegister(scraped{descs, read})
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", name), help, labels, nil)
}

// WatchBounds adds the bounds on requests in flight and on bytes of pages in memory.
func (m *Metrics) WatchBounds(requests, pages *pipeline.Gate) {
	one := func(name, help string, figure func() float64) {
		d := describe(name, help)
		m.watch(func(set setGauge) { set(d, figure()) }, d)
	}
	one("okta_requests_in_flight", "Requests to Okta in flight.", func() float64 { return float64(requests.Used()) })
	one("okta_requests_in_flight_limit", "Requests to Okta that may be in flight at a time; 0: no limit.", func() float64 { return float64(requests.Capacity) })
	one("okta_requests_waiting", "Requests to Okta that wait for others to end.", func() float64 { return float64(requests.Waiting()) })
	one("page_memory_bytes", "Bytes of pages in memory, those being read included.", func() float64 { return float64(pages.Used()) })
	one("page_memory_limit_bytes", "Bytes of pages that may be in memory; a part is reserved for pages that turn out to be large. 0: no limit.", func() float64 { return float64(pages.Capacity) })
	one("page_memory_waiting", "Answers of Okta that wait for memory, until other pages are stored.", func() float64 { return float64(pages.Waiting()) })
}

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

// WatchIntegrations adds the counts of integrations by state and of live replicas.
func (m *Metrics) WatchIntegrations(states func() map[string]string, replicas func() int) {
	state := describe("integrations", "Enabled integrations that this process knows, each in one state; unowned, invalid, elsewhere and cut_off are those that it does not hold.", "state")
	live := describe("replicas", "Processes with a live session, as this process sees it; 0 while that is unknown.")
	m.watch(func(set setGauge) {
		counts := map[string]int{}
		for _, s := range states() {
			counts[s]++
		}
		for _, s := range integrationStates {
			set(state, float64(counts[s]), s)
		}
		set(live, float64(replicas()))
	}, state, live)
}

// WatchStreams adds the counts of streams with an unsuitable configuration, by severity.
func (m *Metrics) WatchStreams(faults func() map[string]int) {
	d := describe("stream_faults", "Streams and buckets that can't be used as configured (critical), or whose limits differ from what was configured or may lose events (warning).", "severity")
	m.watch(func(set setGauge) {
		counts := faults()
		for _, severity := range []string{SeverityCritical, SeverityWarning} {
			set(d, float64(counts[severity]), severity)
		}
	}, d)
}

// NATSFigures are the figures of NATS in /metrics. They are read within a second or so.
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

// WatchNATS adds the figures of NATS.
func (m *Metrics) WatchNATS(figures func() NATSFigures) {
	connected := describe("nats_connected", "Whether NATS is connected.")
	bytes := describe("stream_bytes", "Size of the stream SIGNALS.")
	limit := describe("stream_limit_bytes", "Size at which the stream drops its oldest events; 0: no limit.")
	first := describe("stream_first_timestamp_seconds", "When the oldest message of the stream was stored: how far back a replay can go.")
	free := describe("store_free_bytes", "Free space on the embedded store's disk.")
	reserve := describe("store_reserve_bytes", "The part of it reserved for buckets and locks: with less left, events are held back.")
	m.watch(func(set setGauge) {
		f := figures()
		set(connected, truth(f.Connected))
		if f.Room != nil {
			set(free, float64(f.Room.Free))
			set(reserve, float64(f.Room.Reserve))
		}
		if f.Stream == nil {
			return
		}
		set(bytes, float64(f.Stream.Bytes))
		set(limit, float64(max(0, f.Stream.Limit)))
		if !f.Stream.First.IsZero() {
			set(first, seconds(f.Stream.First))
		}
	}, connected, bytes, limit, first, free, reserve)
}

// WatchReady adds whether the service is ready, which it is without reasons against it.
func (m *Metrics) WatchReady(reasons func() []string) {
	d := describe("ready", "Whether the process can do its work; if not, /readyz says why.")
	m.watch(func(set setGauge) { set(d, truth(len(reasons()) == 0)) }, d)
}

// WatchTokens adds when API tokens of disabled integrations were last used, of those that the
// vendor will soon delete for that: such an integration has no other series.
func (m *Metrics) WatchTokens(idle func() map[string]time.Time) {
	d := describe("token_last_used_timestamp_seconds", "When the API token of a disabled integration was last used, if Okta will delete it for that within 5 days, or has.", LabelIntegration)
	m.watch(func(set setGauge) {
		for instance, used := range idle() {
			set(d, seconds(used), instance)
		}
	}, d)
}

// contained is the counter of contained panics.
func contained() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: Namespace, Name: "contained_panics_total",
		Help: "Faults in the program, in console, search or notifications, that ended a part of its work but not polling; the log has their stacks."},
		func() float64 { return float64(pipeline.Panics()) })
}

// WatchSearch adds the figures of the search index.
func (m *Metrics) WatchSearch(progress func() search.Progress) {
	up := describe("search_up", "Whether the search index works: it follows the stream, or is being built.")
	indexed := describe("search_indexed_events", "Events that the search index holds.")
	behind := describe("search_behind_events", "Events of the stream that are not in the search index yet.")
	refused := describe("search_refused_events", "Events that the search index did not take, since it was empty: too old, too far ahead, or for another reason.")
	m.watch(func(set setGauge) {
		p, works := progress(), 1.0
		switch p.State {
		case search.StateOff:
			return
		case search.StateFailed, search.StateStarting:
			works = 0
		}
		set(up, works)
		set(indexed, float64(p.Indexed))
		set(behind, float64(p.Behind))
		set(refused, float64(p.Refused.Total()))
	}, up, indexed, behind, refused)
}
