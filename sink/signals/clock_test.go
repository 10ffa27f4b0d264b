package signals

import (
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// An event dated in the future, in an answer without the org's time, does not make a
// reopening start in the future: what is known of the org's clock suffices.
func TestFuturePublishedWithoutADate(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	q := query()
	now := sinktest.Epoch.Add(5 * time.Hour)
	q.Now = func() time.Time { return now }
	s := New(st.Store, "prod", q, nil, nil)
	_, err := s.Sync(t.Context())
	st.OK(err)
	e := sinktest.Event(1)
	e.Published = now.AddDate(1, 0, 0)
	p := page(s, 1, []pipeline.Event{e})
	p.Date = time.Time{}
	if st.commit(s, p); s.at.PublishedMax.After(now.Add(time.Minute)) {
		t.Errorf("published_max is %v", s.at.PublishedMax)
	}
}
