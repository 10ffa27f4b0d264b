package signals

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// fullPages commits full pages, one after another.
type fullPages struct {
	*fixture
	sink   *Sink
	next   int
	wrote  map[string]int // batches by result, of the newest page
	pauses time.Duration  // before each
}

func newFullPages(st *fixture, pauses time.Duration) *fullPages {
	p := &fullPages{fixture: st, pauses: pauses}
	trace := &pipeline.Trace{Wrote: func(_, result string, _ time.Duration) { p.wrote[result]++ }}
	p.wrote = map[string]int{}
	p.sink = New(st.Store, "prod", query(), trace, nil)
	return p
}

// commit commits a page of 999 events and returns in how many batches they were
// stored, and how many were refused.
func (p *fullPages) commit() (stored, refused int) {
	p.Helper()
	time.Sleep(p.pauses)
	if _, err := p.sink.Sync(p.Context()); err != nil {
		p.Fatal(err)
	}
	p.wrote = map[string]int{}
	first := p.next*999 + 1
	p.next++
	p.fixture.commit(p.sink, page(p.sink, p.next, sinktest.Events(first, first+998)))
	return p.wrote["ok"], p.wrote["too_large"]
}

// TestBatchesGrowBack: a server that is too busy for large batches gets small ones until
// it is well again, and no longer.
func TestBatchesGrowBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newFixture(t, jetstest.Config{MaxWaiting: 8})
		p := newFullPages(st, 10*time.Second)
		if stored, refused := p.commit(); stored < 5 || refused == 0 {
			t.Fatalf("a busy server stored a page in %d batches and refused %d", stored, refused)
		}
		st.Server.RestartAs(t, func(c *jetstest.Config) { c.MaxWaiting = 0 })
		st.OK(st.Store.Conn.Up(t.Context()))
		for pages := 1; ; pages++ {
			stored, _ := p.commit()
			if stored == 1 {
				break
			}
			if pages == 60 { // ten minutes
				t.Fatalf("page %d after the overload is stored in %d batches", pages, stored)
			}
		}
	})
}

// TestLimitOfBatchesIsLearned: the server's limit is not probed with each page, but from
// time to time, for it may have been raised.
func TestLimitOfBatchesIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newFixture(t, jetstest.Config{Limits: server.JSLimitOpts{MaxBatchSize: 300}})
		p := newFullPages(st, 5*time.Minute)
		refused := 0
		for range 36 { // three hours
			_, n := p.commit()
			refused += n
		}
		if refused < 2 || refused > 8 {
			t.Errorf("%d batches were refused in three hours", refused)
		}
		st.Server.RestartAs(t, func(c *jetstest.Config) { c.Limits.MaxBatchSize = 0 })
		st.OK(st.Store.Conn.Up(t.Context()))
		for range 14 {
			p.commit()
		}
		if stored, _ := p.commit(); stored != 1 {
			t.Errorf("an hour after the limit was raised a page is stored in %d batches", stored)
		}
	})
}
