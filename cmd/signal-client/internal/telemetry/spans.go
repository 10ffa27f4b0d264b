package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
)

// Spans records each page as an OpenTelemetry trace: "page", from its request to the
// stream's acknowledgement, with "poll" and "commit" in it. The OTEL_EXPORTER_OTLP_
// variables name their destination, by OTLP over HTTP. It is safe for concurrent use.
type Spans struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer

	mu    sync.Mutex
	open  map[string][]openPage // by instance: fetched but not stored yet; one or two
	began map[string]time.Time  // by instance: its newest request, until its page arrives
}

type openPage struct {
	link pipeline.Link
	ctx  context.Context // contains the page's span
	span trace.Span
}

// tracing reports whether the environment names a destination for traces.
func tracing() bool {
	off := strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none"
	return !off && (os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "")
}

// errGRPC: the environment requests OTLP over gRPC, which is not built in.
var errGRPC = errors.New("only OTLP over HTTP is supported: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, and the collector's port for it, usually 4318")

// NewSpans returns nil, and runs nothing, if the environment does not configure traces.
func NewSpans(ctx context.Context, replica string, log *slog.Logger) (*Spans, error) {
	if !tracing() {
		return nil, nil
	}
	if os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") == "grpc" {
		return nil, errGRPC
	}
	exporter, err := otlptracehttp.New(ctx) // it reads the other variables
	if err != nil {
		return nil, fmt.Errorf("export traces: %w", err)
	}
	b := build.Read()
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "signal-client"), attribute.String("service.version", b.Version),
		attribute.String("service.instance.id", replica)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe this process for traces: %w", err)
	}
	var first sync.Once
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		first.Do(func() { log.Warn("traces not exported; further failures are logged at level debug", "err", err) })
		log.Debug("traces not exported", "err", err)
	}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &Spans{provider: provider, tracer: provider.Tracer("github.com/witfoo/signal-client"), open: map[string][]openPage{}, began: map[string]time.Time{}}, nil
}

// spanGrace is how long sending the last spans may take.
const spanGrace = 500 * time.Millisecond

// End sends the rest, for a moment.
func (s *Spans) End() {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), spanGrace)
	defer cancel()
	_ = s.provider.Shutdown(ctx)
}

// Trace returns the hooks that record spans; nil if there are none.
func (s *Spans) Trace() *pipeline.Trace {
	if s == nil {
		return nil
	}
	return &pipeline.Trace{Polled: s.polled, Committed: s.committed, Failed: s.failed, Requested: s.requested}
}

// requested records when a request was sent, in case the poll fails.
func (s *Spans) requested(instance, _ string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began[instance] = time.Now().Add(-took)
}

// polled starts a page's trace at the time of its request.
func (s *Spans) polled(instance string, page pipeline.Page, took time.Duration) {
	began := trace.WithTimestamp(time.Now().Add(-took))
	ctx, span := s.tracer.Start(context.Background(), "page", began, trace.WithAttributes(
		attribute.String("signal.instance", instance), attribute.Int("signal.events", len(page.Events)),
		attribute.Int("signal.bytes", page.Bytes), attribute.Bool("signal.full", page.Full)))
	_, poll := s.tracer.Start(ctx, "poll", began, trace.WithSpanKind(trace.SpanKindClient))
	poll.End()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.began, instance)
	s.open[instance] = append(s.open[instance], openPage{page.Link, ctx, span})
	if pages := s.open[instance]; len(pages) > 2 { // the oldest was dropped without a hook
		pages[0].span.End()
		s.open[instance] = pages[1:]
	}
}

// committed ends a page's trace.
func (s *Spans) committed(instance string, page pipeline.Page, r pipeline.Receipt, took time.Duration) {
	p, ok := s.take(instance, page.Link)
	if !ok {
		return
	}
	_, commit := s.tracer.Start(p.ctx, "commit", trace.WithTimestamp(time.Now().Add(-took)), trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.Int("signal.stored", r.Stored), attribute.Int("signal.repeats", r.Repeats),
			attribute.Int("signal.dead_letters", r.DeadLetters), attribute.Int64("signal.position", int64(r.Position.Seq))))
	commit.End()
	p.span.End()
}

func (s *Spans) take(instance string, link pipeline.Link) (openPage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.open[instance] {
		if p.link == link {
			s.open[instance] = append(s.open[instance][:i:i], s.open[instance][i+1:]...)
			return p, true
		}
	}
	return openPage{}, false
}

// failed ends the traces of the current pages, or records one of its own.
func (s *Spans) failed(instance string, err error) {
	s.mu.Lock()
	pages, began := s.open[instance], s.began[instance]
	delete(s.open, instance)
	delete(s.began, instance)
	s.mu.Unlock()
	if len(pages) == 0 {
		if began.IsZero() { // no request was sent
			began = time.Now()
		}
		_, span := s.tracer.Start(context.Background(), "poll", trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(attribute.String("signal.instance", instance)))
		pages = []openPage{{span: span}}
	}
	for _, p := range pages {
		p.span.SetStatus(otelcodes.Error, problem.Explain(err))
		p.span.End()
	}
}
