package signals

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// Of those that wait to open a batch, a short page of an org at the head of its log goes
// first; full pages and events of the past go later. A position alone waits for none.
func TestQuietBatchesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newFixture(t, jetstest.Config{})
		q := &batchQueue{fixture: st}
		q.sink("drains")
		q.sink("past")
		q.sink("quiet")
		q.sink("idle")
		first := st.written()
		all, err := st.Store.Publisher.Gate.Take(t.Context(), st.Store.Publisher.Gate.Capacity, false)
		st.OK(err)
		q.commit("drains", func(s *Sink) pipeline.Page { return page(s, 2, sinktest.Events(1, 3)) })
		q.insert("past")
		q.commit("quiet", func(s *Sink) pipeline.Page { return short(s, 2, sinktest.Events(1, 3)) })
		q.commit("idle", func(s *Sink) pipeline.Page { return short(s, 2, nil) })
		q.want("idle")
		st.OK(all.Resize(t.Context(), st.Store.Publisher.Gate.Capacity-1)) // from here one at a time
		q.wg.Wait()
		all.Release()
		if got, want := st.written()[len(first):], []string{"quiet", "drains", "past"}; !slices.Equal(got, want) {
			t.Fatalf("written: %q, want %q", got, want)
		}
	})
}

// written is whose events the stream holds, batch by batch.
func (st *fixture) written() []string {
	st.Helper()
	var instances []string
	for m := range st.Messages(jets.StreamSignals) {
		if instance, ok := strings.CutPrefix(m.Subject, "signals.okta."); ok {
			instances = append(instances, instance)
		}
	}
	return slices.Compact(instances)
}

// batchQueue is sinks that write at once.
type batchQueue struct {
	*fixture
	sinks map[string]*Sink
	wg    sync.WaitGroup

	mu   sync.Mutex
	done []string
}

func (q *batchQueue) sink(instance string) {
	q.Helper()
	s := New(q.Store, instance, query(), nil, nil)
	_, err := s.Sync(q.Context())
	q.OK(err)
	if q.sinks == nil {
		q.sinks = map[string]*Sink{}
	}
	q.commitNow(s)
	q.sinks[instance] = s
}

// commitNow leaves nothing to make up for.
func (q *batchQueue) commitNow(s *Sink) { q.fixture.commit(s, short(s, 1, sinktest.Events(8, 8))) }

func (q *batchQueue) commit(instance string, page func(*Sink) pipeline.Page) {
	s := q.sinks[instance]
	q.do(instance, func(ctx context.Context) error {
		_, err := s.Commit(ctx, s.at, page(s))
		return err
	})
}

func (q *batchQueue) insert(instance string) {
	s := q.sinks[instance]
	q.do(instance, func(ctx context.Context) error {
		_, err := s.Insert(ctx, s.at, pipeline.Past{Events: sinktest.Events(1, 3), Why: pipeline.WhyBackfill, From: sinktest.Epoch, Until: sinktest.Epoch.Add(time.Hour)})
		return err
	})
}

func (q *batchQueue) do(instance string, f func(context.Context) error) {
	q.wg.Go(func() {
		err := f(q.Context())
		q.mu.Lock()
		defer q.mu.Unlock()
		if err != nil {
			instance = fmt.Sprintf("%s: %v", instance, err)
		}
		q.done = append(q.done, instance)
	})
	synctest.Wait()
}

// want checks what was written since it was last asked.
func (q *batchQueue) want(instances ...string) {
	q.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Equal(q.done, instances) {
		q.Fatalf("written: %q, want %q", q.done, instances)
	}
	q.done = nil
}
