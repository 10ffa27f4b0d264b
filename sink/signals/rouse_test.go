package signals

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// A poller at the head of a quiet log writes nothing, and so does not notice a change of
// the stream. A command that needs its sync wakes it and waits.
func TestCommandWakesPoller(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(*fixture, *Sink)
		want error // where nobody polls
	}{
		"events above the position": {func(st *fixture, _ *Sink) { st.foreign(sinktest.Event(6)) }, ErrUncompared},
		"the positions purged":      {func(st *fixture, _ *Sink) { st.Purge(jets.SubjectPosition(sinktest.Kind.Name, "prod")) }, ErrPurged},
		"the stream purged":         {func(st *fixture, _ *Sink) { st.Purge("") }, ErrPurged},
		"the position before":       {func(st *fixture, s *Sink) { st.Delete(s.at.Seq); st.foreign(sinktest.Event(6)) }, ErrUncompared},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
				st := newFixture(t, jetstest.Config{})
				s := st.settled(sinktest.Events(1, 3))
				repair := func() (pipeline.Receipt, error) {
					return (&Ledger{Store: st.Store, Instance: "prod"}).Insert(t.Context(), day(pipeline.WhyRepair, sinktest.Events(4, 5)))
				}
				c.harm(st, s)
				began := time.Now()
				if _, err := repair(); !errors.Is(err, c.want) {
					t.Errorf("nobody polls: %v, want %v", err, c.want)
				}
				if waited := time.Since(began); waited < patience || waited > 2*patience {
					t.Errorf("nobody polls: it waited %v", waited)
				}
				woken := 0
				sub, err := st.Store.Conn.NATS.Subscribe(jets.SubjectWake("prod"), func(*nats.Msg) {
					woken++
					_, err := s.Sync(t.Context())
					if err == nil {
						_, err = s.Commit(t.Context(), s.at, short(s, 4, nil))
					}
					if err != nil {
						t.Errorf("the poller: %v", err)
					}
				})
				st.OK(err)
				r, err := repair()
				st.OK(err)
				if r.Stored != 2 {
					t.Errorf("%+v", r)
				}
				st.OK(sub.Drain())
				synctest.Wait()
				if woken == 0 {
					t.Error("the poller was not woken")
				}
			})
		})
	}
}

// foreign publishes an event as another client may.
func (st *fixture) foreign(e pipeline.Event) {
	st.Helper()
	_, err := st.Store.Conn.JS.PublishMsg(st.Context(), &nats.Msg{Subject: jets.SubjectEvents(sinktest.Kind.Name, "prod"), Data: e.Data, Header: nats.Header{jets.HeaderID: {e.UUID}}})
	st.OK(err)
}
