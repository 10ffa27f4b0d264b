package telemetry

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/witfoo/signal-client/pipeline"
)

// collect is an OTLP collector.
func collect(t *testing.T) func() (spans []*otlp.Span, service string) {
	t.Helper()
	var mu sync.Mutex
	var all []*otlp.Span
	service := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var req collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &req) != nil {
			t.Errorf("%s: %d bytes, %v", r.URL.Path, len(body), err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range req.ResourceSpans {
			for _, a := range resource.Resource.Attributes {
				if a.Key == "service.name" {
					service = a.Value.GetStringValue()
				}
			}
			for _, scope := range resource.ScopeSpans {
				all = append(all, scope.Spans...)
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	return func() ([]*otlp.Span, string) {
		mu.Lock()
		defer mu.Unlock()
		return all, service
	}
}

// A page is one trace from its request to its commit; the trace of a dropped page ends
// with its error.
func TestSpans(t *testing.T) {
	collected := collect(t)
	s, err := NewSpans(t.Context(), "one", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	hooks := s.Trace()
	first := pipeline.Page{Link: "/1", Events: make([]pipeline.Event, 3)}
	ahead := pipeline.Page{Link: "/2", Events: make([]pipeline.Event, 2)}
	hooks.Polled("acme", first, time.Second)
	hooks.Polled("acme", ahead, time.Second)
	hooks.Committed("acme", first, pipeline.Receipt{Stored: 3}, 10*time.Millisecond)
	hooks.Failed("acme", errors.New("fenced"))
	hooks.Requested("acme", "503", time.Minute)
	hooks.Failed("acme", errors.New("busy"))
	s.End()

	all, service := collected()
	named := map[string][]*otlp.Span{}
	for _, span := range all {
		named[span.Name] = append(named[span.Name], span)
	}
	if service != "signal-client" || len(all) != 6 || len(named["page"]) != 2 || len(named["poll"]) != 3 || len(named["commit"]) != 1 {
		t.Fatalf("%s sent %v", service, all)
	}
	commit, page := named["commit"][0], named["page"][0]
	if string(commit.ParentSpanId) != string(page.SpanId) || time.Duration(page.EndTimeUnixNano-page.StartTimeUnixNano) < time.Second {
		t.Errorf("commit %v in page %v", commit, page)
	}
	if failed := named["poll"][2]; failed.Status.GetMessage() != "busy" || time.Duration(failed.EndTimeUnixNano-failed.StartTimeUnixNano) < time.Minute {
		t.Errorf("the request that failed is %v", failed)
	}
	if status := named["page"][1].Status; status.GetCode() != otlp.Status_STATUS_CODE_ERROR || status.GetMessage() != "fenced" {
		t.Errorf("the page given up ended with %v", status)
	}
}

// A collector that refuses everything is logged, once.
func TestSpansThatNobodyTakes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
	var said bytes.Buffer
	s, err := NewSpans(t.Context(), "one", slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.Trace().Failed("acme", errors.New("busy"))
	}
	s.End() // it waits for those that export
	if n := strings.Count(said.String(), "level=WARN msg=\"traces not exported"); n != 1 {
		t.Errorf("said %d times:\n%s", n, said.String())
	}
}

func TestSpansAreOff(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"nothing said": {},
		"disabled":     {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
		"no exporter":  {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range env {
				t.Setenv(k, v)
			}
			s, err := NewSpans(t.Context(), "one", slog.New(slog.DiscardHandler))
			if s != nil || err != nil || s.Trace() != nil {
				t.Errorf("%v, %v", s, err)
			}
			s.End()
		})
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if _, err := NewSpans(t.Context(), "one", slog.New(slog.DiscardHandler)); !errors.Is(err, errGRPC) {
		t.Errorf("grpc: %v", err)
	}
}
