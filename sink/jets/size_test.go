package jets

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

func TestLoneEvent(t *testing.T) {
	st := newStand(t, jetstest.Config{})
	s := st.synced()
	for i := 1; i <= 4; i++ {
		st.commit(s, short(s, i, events(i, i)))
		if i == 2 {
			s = st.synced()
		}
	}
	st.wantEvents(1, 4)
}

// TestEventOfNineMegabytes: more than the server takes. What fits of it is
// kept, and the events around it are stored.
func TestEventOfNineMegabytes(t *testing.T) {
	const size = 9 << 20
	st := newStand(t, jetstest.Config{})
	s := st.synced()
	huge := event(2)
	huge.Data = []byte(`{"uuid":"id-0002","x":"` + strings.Repeat("x", size) + `"}`)
	r := st.commit(s, page(s, 1, []pipeline.Event{event(1), huge, event(3)}))
	if r.Stored != 2 || r.DeadLetters != 1 {
		t.Fatalf("receipt %+v", r)
	}
	for m := range st.messages(StreamDeadLetter) {
		told, _ := strconv.Atoi(m.Header.Get(headerSize))
		if told != len(huge.Data) || len(m.Data) < 7<<20 || !strings.HasPrefix(string(huge.Data), string(m.Data)) {
			t.Errorf("dead letter of %d bytes, said to be %d", len(m.Data), told)
		}
	}
	if !s.at.PublishedMax.Equal(event(3).Published) {
		t.Errorf("published_max %v", s.at.PublishedMax)
	}
}

// TestSimulationOfLargeEvents: 1,000 events of 100 KB, more than a body may hold. They
// are asked for in smaller pages.
func TestSimulationOfLargeEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 100 MB")
	}
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newStand(t, jetstest.Config{})
		org := oktatest.New(oktatest.Config{Origin: simOrigin, Identity: true})
		filler := strings.Repeat("large ", 100_000/6)
		for i := range 1000 {
			org.Add(oktatest.Event{Data: fmt.Appendf(nil, `{"uuid":"id-%04d","published":"2026-11-22T08:00:00.000Z","eventType":"t","x":%q}`, i, filler)})
		}
		w := &world{T: t, asks: asks{origin: simOrigin, limit: 999}, history: history{since: time.Now().Add(-12 * time.Hour)}}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		st.ok((&pipeline.Runner{
			Instance: "prod",
			Source: &okta.Client{Instance: "prod", Origin: simOrigin, Token: pipeline.NewSecret("00secret"), Limit: w.asks.limit,
				HTTP: &http.Client{Transport: org.Transport()}},
			Sink: NewSink(st.store, "prod", w.query(), nil, nil),
		}).Run(ctx))
		a := jetstest.Audit{Stream: StreamSignals, Events: SubjectEvents("prod"), Positions: SubjectPosition("prod")}
		for _, e := range org.Events() {
			a.Log = append(a.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
		}
		st.ok(a.Run(t.Context(), st.store.Conn.JS))
	})
}
