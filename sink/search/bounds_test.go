package search_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/sink/search"
)

// ask sends a query, and returns the status and the beginning of the answer.
func (f *fixture) ask(path string, q url.Values) (status int, said string) {
	f.Helper()
	var index *search.Index
	f.await("it answers", func() bool {
		var err error
		index, err = f.service.Index()
		return err == nil
	})
	ctx, cancel := context.WithTimeout(f.Context(), 30*time.Second)
	defer cancel()
	answer, err := index.Get(ctx, path, q)
	f.OK(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	f.OK(err)
	return answer.StatusCode, string(text)
}

// A histogram has a bound: its gaps are filled outside of the time and the number of
// queries that VictoriaLogs allows.
func TestHistogramBounds(t *testing.T) {
	f := newFixture(t)
	f.lay(300)
	f.start()
	f.current()
	const path = "/select/logsql/hits"
	for _, q := range []url.Values{
		{"step": {"1ms"}},
		{"step": {"1ns"}, "field": {"seq"}, "fields_limit": {"100000"}},
		{"step": {"1s"}, "start": {"1970-01-01T00:00:00Z"}},
		{"step": {"1m"}, "end": {"2200-01-01T00:00:00Z"}},
	} {
		q.Set("query", "*")
		if status, said := f.ask(path, q); status != http.StatusBadRequest || !strings.Contains(said, "larger step") {
			t.Errorf("%v: %d %.200s", q, status, said)
		}
	}
	for _, q := range []url.Values{{"step": {"1m"}}, {"step": {"1s"}, "start": {"now-1h"}, "end": {"now"}}, {"step": {"1h"}, "field": {"instance"}}} {
		q.Set("query", "*")
		if status, said := f.ask(path, q); status != http.StatusOK || !strings.Contains(said, `"hits"`) {
			t.Errorf("%v: %d %.200s", q, status, said)
		}
	}
	status, said := f.ask(path, url.Values{"query": {"*"}, "step": {"1s"}, "start": {"now-2h"}, "end": {"now"}, "field": {"seq"}})
	if n := strings.Count(said, `"timestamps"`); status != http.StatusOK || n > 150 {
		t.Errorf("%d series of 7200 bars", n)
	}
}

// So many tails, and no more, run at a time; each leaves its place to another.
func TestTailBounds(t *testing.T) {
	f := newFixture(t)
	f.start()
	f.await("it answers", func() bool { _, err := f.service.Index(); return err == nil })
	index, err := f.service.Index()
	f.OK(err)
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	tail := func() int {
		answer, err := index.Get(ctx, "/select/logsql/tail", url.Values{"query": {"*"}, "refresh_interval": {"1ns"}, "start_offset": {"90d"}})
		f.OK(err)
		t.Cleanup(func() { answer.Body.Close() })
		return answer.StatusCode
	}
	for n := range 64 {
		if status := tail(); status != http.StatusOK {
			t.Fatalf("tail %d: %d", n, status)
		}
	}
	if status := tail(); status != http.StatusServiceUnavailable {
		t.Errorf("one more: %d", status)
	}
	cancel()
	f.await("there is room again", func() bool {
		ctx, cancel := context.WithCancel(f.Context())
		defer cancel()
		answer, err := index.Get(ctx, "/select/logsql/tail", url.Values{"query": {"*"}})
		f.OK(err)
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}
