package sim

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/source/okta"
)

// TestSimulationOfEvictions has a stream that drops its oldest events and positions,
// by age or by size, while pollers are frozen for hours and nobody writes. What is left
// is audited: from its first event on nothing is missing, and what is too young to
// have been dropped is there. The org refuses no cursor: a query that is reopened brings
// again what the stream has dropped of the last hours.
func TestSimulationOfEvictions(t *testing.T) { simulate(t, evictions, 20) }

var evictions = trouble{org: true, evict: true}

// asks is how the org is asked, which its operator changes.
type asks struct {
	origin string
	filter string
	limit  int // elements a page
}

// movedOrigin is another name of the simulated org.
const movedOrigin = "https://acme-renamed.okta.com"

// everyEvent is a filter that lets all events pass: a change of it is a change of the
// query, and nothing else.
const everyEvent = "uuid pr"

func (a asks) client(w *world) *okta.Client {
	return &okta.Client{Instance: "prod", Origin: a.origin, Credential: pipeline.NewSecret("00secret"), Limit: a.limit,
		HTTP: &http.Client{Transport: w.org.Transport()}, MaxBody: 2 << 20}
}

func (a asks) query(w *world) signals.Query {
	q := signals.Query{Origin: a.origin, Hash: okta.Query(a.filter, a.limit), Since: pipeline.Since{Moment: w.history.since},
		Start: func(since time.Time) pipeline.Link { return okta.Start(a.filter, a.limit, since) },
	}
	if w.org != nil {
		q.Org = a.client(w).Organization // which is not answered at times
	}
	return q
}

// change changes how the org is asked. Most of the pollers learn of it at once; who does
// not goes on with what it knows, against the others.
func (w *world) change() {
	switch w.rng.IntN(4) {
	case 0:
		w.asks.origin = map[string]string{simOrigin: movedOrigin, movedOrigin: simOrigin}[w.asks.origin]
	case 1, 2:
		w.asks.filter = map[string]string{"": everyEvent, everyEvent: ""}[w.asks.filter]
	default:
		w.asks.limit = w.pick(2, 5, 20, 50)
	}
	w.log.Info("changed", "asks", w.asks)
	for i, p := range w.pollers {
		if w.chance(0.9) {
			p.kill()
			w.pollers[i] = w.launch(p.name)
		}
	}
}

// silence lets nothing pass between a poller, or all of them, and the server for a
// while, without the end of a connection: as when a server freezes, or a firewall
// forgets. What was written meanwhile arrives late.
func (w *world) silence(p *poller) {
	silent := []*poller{p}
	if w.chance(0.2) {
		silent = w.pollers
	}
	d := w.upTo(10 * time.Minute)
	for _, p := range silent {
		p.wire.Stall()
		time.AfterFunc(d, p.wire.Heal)
	}
}

// sleepForHours freezes a poller for hours, in which the world goes on.
func (w *world) sleepForHours(p *poller) {
	d := time.Hour + w.upTo(5*time.Hour)
	p.freeze(d)
	for over := time.Now().Add(d - w.upTo(10*time.Minute)); time.Now().Before(over); w.evict() {
		time.Sleep(10 * time.Minute)
	}
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// evict makes the stream drop its oldest messages as it should: by size it does so
// itself, once it is told. By age a purge of the oldest stands in, as the server judges age
// by a clock that is outside the bubble.
func (w *world) evict() {
	if !w.trouble.evict {
		return
	}
	conn, err := jets.Connect(w.Context(), "", w.server.Option())
	if err != nil {
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	s, err := conn.JS.Stream(ctx, jets.StreamSignals)
	if err != nil {
		return
	}
	if w.firstSeq == 0 {
		w.firstSeq = s.CachedInfo().State.FirstSeq
	}
	if config := s.CachedInfo().Config; w.maxBytes > 0 && config.MaxBytes != w.maxBytes {
		config.MaxBytes = w.maxBytes
		if _, err := conn.JS.UpdateStream(ctx, config); err != nil {
			w.Error(err)
		}
	}
	if w.maxAge == 0 {
		return
	}
	if seq, err := scan.SequenceAt(ctx, conn, time.Now().Add(-w.maxAge)); err == nil && seq > s.CachedInfo().State.FirstSeq {
		w.log.Info("evicted", "before", seq)
		if err := s.Purge(ctx, jetstream.WithPurgeSequence(seq)); err != nil {
			w.Error(err)
		}
	}
}

// kept is from when on all must be there, as the org persisted it: older events may
// have been dropped. Zero: none.
func (w *world) kept(s jetstream.StreamState) time.Time {
	switch {
	case w.maxAge > 0:
		return w.org.Now().Add(-w.maxAge)
	case s.FirstSeq > w.firstSeq: // the server may drop more than it must
		return w.org.Now()
	}
	return time.Time{}
}
