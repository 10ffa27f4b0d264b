package telemetry

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
)

// scrape is what /metrics serves, without comments.
func scrape(t *testing.T, m *Metrics) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var series []string
	for line := range strings.Lines(w.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			series = append(series, strings.TrimSpace(line))
		}
	}
	return series
}

// of are the series of one instance.
func of(instance string, series []string) []string {
	return slices.DeleteFunc(slices.Clone(series), func(s string) bool {
		return !strings.Contains(s, `integration="`+instance+`"`)
	})
}

// watched makes metrics with NATS figures.
func watched() *Metrics {
	m := NewMetrics()
	m.WatchNATS(func() NATSFigures {
		return NATSFigures{Connected: true, Stream: &StreamFigures{Bytes: 5, Limit: -1, First: time.Unix(1700000000, 0)}}
	})
	m.WatchBounds(&pipeline.Gate{Capacity: 9}, &pipeline.Gate{Capacity: 1000})
	return m
}

// drive does to an instance what happens to one in good order.
func drive(m *Metrics, instance string) {
	m.Acquired(pipeline.Integration{Kind: kinds.Default, Instance: instance, PollInterval: 5 * time.Minute})
	h := pipeline.Traces(m.Trace())
	h.Requested(instance, "200", time.Second)
	h.Budget(instance, pipeline.RateLimit{Limit: 60, Remaining: 41})
	h.Breaker(instance, "closed", false)
	at := pipeline.Position{
		PublishedMax: time.Unix(1700000001, 0), CompleteThrough: time.Unix(1700000002, 500e6), LastEvent: &pipeline.LastEvent{UUID: "u"},
	}
	h.Committed(instance, pipeline.Page{}, pipeline.Receipt{Position: at, Stored: 7}, time.Second)
	h.Moved(instance, pipeline.StatePolling, at, time.Time{})
	h.Wrote(instance, "ok", time.Second)
}

func TestMetricsLint(t *testing.T) {
	m := watched()
	drive(m, "prod")
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Metric != "pipeline_stage_count" { // the name is the pipeline's, not ours
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// The time of the newest event is known from the first sync on, without a new event; the
// beginning of a fresh start is not such a time.
func TestMetricsOfASilentOrg(t *testing.T) {
	m := watched()
	h := pipeline.Traces(m.Trace())
	at := pipeline.Position{PublishedMax: time.Unix(1700000001, 0)}
	for _, instance := range []string{"fresh", "silent"} {
		m.Acquired(pipeline.Integration{Kind: kinds.Default, Instance: instance, PollInterval: time.Minute})
		h.Moved(instance, pipeline.StateNew, at, time.Time{})
		at.LastEvent = &pipeline.LastEvent{UUID: "u"}
	}
	got := strings.Join(scrape(t, m), "\n")
	if want := `signal_client_last_event_published_timestamp_seconds{integration="silent"} 1.700000001e+09`; !strings.Contains(got, want) {
		t.Errorf("no %s", want)
	}
	if strings.Contains(got, `last_event_published_timestamp_seconds{integration="fresh"}`) {
		t.Error("an org without an event has the time of one")
	}
}

func TestMetricsValues(t *testing.T) {
	m := watched()
	drive(m, "prod")
	h := pipeline.Traces(m.Trace())
	h.Requested("prod", "503", time.Second)
	h.Requested("prod", "302", time.Second)
	h.Breaker("prod", "open", true)
	h.DeadLetter("prod", pipeline.FlawNoUUID)
	h.Fenced("prod")
	h.Lost("prod")
	h.Drift("published")
	h.Drift("debugContext.debugData.secret")
	h.Committed("prod", pipeline.Page{}, pipeline.Receipt{Repeats: 3}, time.Second)
	m.Owned(1)
	m.Unowned(2)
	got := scrape(t, m)
	for _, want := range []string{
		`signal_client_events_total{integration="prod",origin="live"} 7`,
		`signal_client_duplicates_dropped_total{integration="prod"} 3`,
		`signal_client_deadletters_total{integration="prod",reason="no_uuid"} 1`,
		`signal_client_complete_through_timestamp_seconds{integration="prod"} 1.7000000025e+09`,
		`signal_client_last_event_published_timestamp_seconds{integration="prod"} 1.700000001e+09`,
		`signal_client_poll_interval_seconds{integration="prod"} 300`,
		`signal_client_okta_requests_total{code="200",integration="prod"} 1`,
		`signal_client_okta_requests_total{code="5xx",integration="prod"} 1`,
		`signal_client_okta_requests_total{code="error",integration="prod"} 1`,
		`signal_client_okta_rate_limit{integration="prod"} 60`,
		`signal_client_okta_rate_limit_remaining{integration="prod"} 41`,
		`signal_client_breaker_open{integration="prod"} 1`,
		`signal_client_credential_refused{integration="prod"} 1`,
		`signal_client_fence_refusals_total{integration="prod"} 1`,
		`signal_client_stream_losses_total{integration="prod"} 1`,
		`signal_client_okta_request_duration_seconds_count 3`,
		`signal_client_commit_duration_seconds_count{result="ok"} 1`,
		`signal_client_commit_duration_seconds_count{result="fenced"} 0`,
		`signal_client_schema_drift_total{field="published"} 1`,
		`signal_client_schema_drift_total{field="other"} 1`,
		`signal_client_owned_integrations 1`,
		`signal_client_unowned_integrations 2`,
		`signal_client_nats_connected 1`,
		`signal_client_okta_requests_in_flight 0`,
		`signal_client_okta_requests_in_flight_limit 9`,
		`signal_client_okta_requests_waiting 0`,
		`signal_client_page_memory_bytes 0`,
		`signal_client_page_memory_waiting 0`,
		`signal_client_page_memory_limit_bytes 1000`,
		`signal_client_stream_bytes 5`,
		`signal_client_stream_limit_bytes 0`,
		`signal_client_stream_first_timestamp_seconds 1.7e+09`,
		`pipeline_stage_count{stage="source_client",status="success"} 7`,
		`pipeline_stage_count{stage="source_client",status="error"} 1`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, prefix := range []string{"go_goroutines ", "process_resident_memory_bytes ", "signal_client_build_info{"} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, prefix) }) {
			t.Errorf("no %s", prefix)
		}
	}
}

// An instance has at most 15 series while nothing is wrong except a repeat and a
// throttled request, and none after it is released.
func TestMetricsSeriesPerInstance(t *testing.T) {
	m := NewMetrics()
	drive(m, "prod")
	drive(m, "other")
	if n := len(of("prod", scrape(t, m))); n != 11 {
		t.Errorf("an instance in good order has %d series, want 11", n)
	}
	h := pipeline.Traces(m.Trace())
	h.Requested("prod", "429", time.Second)
	h.Committed("prod", pipeline.Page{}, pipeline.Receipt{Repeats: 1}, time.Second)
	if n := len(of("prod", scrape(t, m))); n > 15 {
		t.Errorf("%d series, want 15 at most", n)
	}
	for _, code := range codes {
		h.Requested("prod", code, time.Second)
	}
	for _, why := range []pipeline.Why{pipeline.WhyBackfill, pipeline.WhyRepair} {
		h.Inserted("prod", pipeline.Past{Why: why}, pipeline.Receipt{Stored: 1})
	}
	m.Released("prod")
	h.Requested("prod", "200", time.Second) // a late one
	h.Committed("prod", pipeline.Page{}, pipeline.Receipt{Stored: 1}, time.Second)
	series := scrape(t, m)
	if left := of("prod", series); len(left) > 0 {
		t.Errorf("left after the release: %v", left)
	}
	if n := len(of("other", series)); n != 11 {
		t.Errorf("the other instance has %d series, want 11", n)
	}
}

// An unknown time is absent, not 1970.
func TestMetricsUnknownIsAbsent(t *testing.T) {
	m := NewMetrics()
	m.WatchNATS(func() NATSFigures { return NATSFigures{} })
	m.Acquired(pipeline.Integration{Kind: kinds.Default, Instance: "prod"})
	h := pipeline.Traces(m.Trace())
	h.Moved("prod", pipeline.StateNew, pipeline.Position{}, time.Time{})
	for _, s := range scrape(t, m) {
		for _, name := range []string{"_complete_through", "_last_event", "_stream_bytes", "_stream_first"} {
			if strings.Contains(s, name) {
				t.Errorf("%s is there", s)
			}
		}
	}
}

func TestMetricsConcurrent(t *testing.T) {
	m := watched()
	var wg sync.WaitGroup
	for _, instance := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			for range 50 {
				drive(m, instance)
				m.Released(instance)
			}
		})
	}
	for range 20 {
		scrape(t, m)
	}
	wg.Wait()
	if left := slices.DeleteFunc(scrape(t, m), func(s string) bool { return !strings.Contains(s, "integration=") }); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A closed breaker refuses nothing, whatever opened it before.
func TestMetricsBreakerClosed(t *testing.T) {
	m := NewMetrics()
	m.Acquired(pipeline.Integration{Kind: kinds.Default, Instance: "prod"})
	h := pipeline.Traces(m.Trace())
	h.Breaker("prod", "open", true)
	h.Breaker("prod", "closed", true)
	for _, want := range []string{`signal_client_breaker_open{integration="prod"} 0`, `signal_client_credential_refused{integration="prod"} 0`} {
		if !slices.Contains(scrape(t, m), want) {
			t.Errorf("no %s", want)
		}
	}
}
