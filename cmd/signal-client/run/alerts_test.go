package run

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	native "github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	staleness "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
)

// monitor is a Prometheus with the project's alerts: it scrapes its targets and
// evaluates the rules by the engine of Prometheus, on the clock of the bubble that
// it runs in.
type monitor struct {
	*testing.T
	engine  *promql.Engine
	rules   []rulefmt.Rule
	targets map[string]func() http.Handler // by instance; a nil handler: it does not answer
	series  map[uint64]*scraped
	active  map[string]map[uint64]time.Time // by alert, and labels: since when
	firing  map[string]bool
	ever    map[string]bool // what has fired
}

// scraped is a series as it was scraped.
type scraped struct {
	labels  labels.Labels
	samples []chunks.Sample
}

// sample is a chunks.Sample.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64 { return s.at }

func (s sample) ST() int64 { return 0 } // unknown

func (s sample) F() float64 { return s.value }

func (s sample) H() *native.Histogram { return nil }

func (s sample) FH() *native.FloatHistogram { return nil }

func (s sample) Type() chunkenc.ValueType { return chunkenc.ValFloat }

func (s sample) Copy() chunks.Sample { return s }

// newMonitor makes a monitor with deployments/prometheus/rules.yaml.
func newMonitor(t *testing.T) *monitor {
	t.Helper()
	groups, errs := rulefmt.ParseFile(filepath.Join(clitest.Root(t), "deployments", "prometheus", "rules.yaml"), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	m := &monitor{T: t, targets: map[string]func() http.Handler{}, series: map[uint64]*scraped{}, active: map[string]map[uint64]time.Time{}, ever: map[string]bool{}}
	for _, group := range groups.Groups {
		m.rules = append(m.rules, group.Rules...)
	}
	m.engine = promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
	return m
}

// watch scrapes a target from now on.
func (m *monitor) watch(instance string, target func() http.Handler) { m.targets[instance] = target }

// monitorEvery is the interval of scrapes and evaluations.
const monitorEvery = 15 * time.Second

// pass lets time pass, and returns which alerts fire at its end.
func (m *monitor) pass(d time.Duration) []string {
	m.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(monitorEvery)
		for instance, target := range m.targets {
			m.scrape(instance, target())
		}
		m.evaluate()
	}
	return slices.Sorted(maps.Keys(m.firing))
}

// scrape takes what a target says in. A series that is there no more ends at once, as
// Prometheus has it.
func (m *monitor) scrape(instance string, target http.Handler) {
	m.Helper()
	of := labels.FromStrings("instance", instance, "job", "signal-client")
	up := 0.0
	if target != nil {
		up = 1
	}
	now := map[uint64]bool{m.add(of, "up", up): true}
	if target != nil {
		w := httptest.NewRecorder()
		target.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		for line := range strings.Lines(w.Body.String()) {
			if strings.HasPrefix(line, telemetry.Namespace+"_") && !strings.Contains(line, "_bucket{") {
				n := strings.LastIndexByte(line, ' ')
				figure, err := strconv.ParseFloat(strings.TrimSpace(line[n:]), 64)
				if err != nil {
					m.Fatal(err)
				}
				now[m.add(of, line[:n], figure)] = true
			}
		}
	}
	for hash, s := range m.series {
		if s.labels.Get("instance") == instance && !now[hash] && !staleness.IsStaleNaN(s.samples[len(s.samples)-1].F()) {
			s.samples = append(s.samples, sample{time.Now().UnixMilli(), math.Float64frombits(staleness.StaleNaN)})
		}
	}
}

func (m *monitor) add(of labels.Labels, series string, figure float64) (hash uint64) {
	m.Helper()
	metric, err := parser.NewParser(parser.Options{}).ParseMetric(series)
	if err != nil {
		m.Fatal(err)
	}
	b := labels.NewBuilder(metric)
	of.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
	metric = b.Labels()
	hash = metric.Hash()
	if m.series[hash] == nil {
		m.series[hash] = &scraped{labels: metric}
	}
	m.series[hash].samples = append(m.series[hash].samples, sample{time.Now().UnixMilli(), figure})
	return hash
}

// evaluate asks for each alert's expression, and fires it when it has been so for
// long enough.
func (m *monitor) evaluate() {
	m.Helper()
	m.firing = map[string]bool{}
	for _, rule := range m.rules {
		since := map[uint64]time.Time{}
		for _, s := range m.ask(rule.Expr) {
			hash := s.Metric.Hash()
			since[hash] = time.Now()
			if at, was := m.active[rule.Alert][hash]; was {
				since[hash] = at
			}
			if time.Since(since[hash]) >= time.Duration(rule.For) {
				m.firing[rule.Alert], m.ever[rule.Alert] = true, true
			}
		}
		m.active[rule.Alert] = since
	}
}

// ask evaluates an expression now.
func (m *monitor) ask(expr string) promql.Vector {
	m.Helper()
	query, err := m.engine.NewInstantQuery(m.Context(), m, nil, expr, time.Now())
	if err != nil {
		m.Fatalf("%s: %v", expr, err)
	}
	defer query.Close()
	vector, err := query.Exec(m.Context()).Vector()
	if err != nil {
		m.Fatalf("%s: %v", expr, err)
	}
	return slices.Clone(vector)
}

// value is that of an expression that gives one.
func (m *monitor) value(expr string) float64 {
	m.Helper()
	vector := m.ask(expr)
	if len(vector) != 1 {
		m.Fatalf("%s: %d values", expr, len(vector))
	}
	return vector[0].F
}

// Querier makes a monitor a storage.Queryable.
func (m *monitor) Querier(mint, maxt int64) (storage.Querier, error) { return m, nil }

// Select implements storage.Querier.
func (m *monitor) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &scrapedSet{next: -1}
	for _, s := range m.series {
		if !slices.ContainsFunc(matchers, func(l *labels.Matcher) bool { return !l.Matches(s.labels.Get(l.Name)) }) {
			set.all = append(set.all, storage.NewListSeries(s.labels, s.samples))
		}
	}
	slices.SortFunc(set.all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return set
}

// LabelValues is asked for by no expression.
func (m *monitor) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames is asked for by no expression.
func (m *monitor) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Close implements storage.Querier.
func (m *monitor) Close() error { return nil }

// scrapedSet is a storage.SeriesSet.
type scrapedSet struct {
	all  []storage.Series
	next int
}

func (s *scrapedSet) Next() bool { s.next++; return s.next < len(s.all) }

func (s *scrapedSet) At() storage.Series { return s.all[s.next] }

func (s *scrapedSet) Err() error { return nil }

func (s *scrapedSet) Warnings() annotations.Annotations { return nil }
