package run

import (
	"errors"
	"log/slog"
	"time"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
)

// vigil says once a minute, for the whole process, that NATS is away, or answers
// nothing, while it is. It is for one goroutine.
type vigil struct {
	conn   *jets.Conn
	locks  *locks.Locks
	census *unownedCount
	log    *slog.Logger

	since time.Time // zero: nothing is wrong
	said  time.Time
}

// vigilEvery is how often the same is said.
const vigilEvery = time.Minute

// errNoSession is why nothing is polled though NATS is connected.
var errNoSession = errors.New("the session in LOCKS can't be renewed: JetStream does not answer, or has no leader")

// Look looks how things are.
func (v *vigil) Look() {
	since, why := v.conn.Away()
	if since.IsZero() && !v.locks.Live() {
		why = errNoSession
	}
	now := time.Now()
	switch {
	case why == nil:
		v.since = time.Time{}
		return
	case v.since.IsZero():
		v.since, v.said = now, now // what dropped, or lapsed, was logged then
		return
	case now.Sub(v.said) < vigilEvery:
		return
	}
	v.said = now
	v.log.Warn("nats: nothing is polled or stored until it is back", "since", v.since.UTC().Format(time.RFC3339),
		"for", now.Sub(v.since).Round(time.Second), "instances", len(v.census.enabled()), "err", why)
}

// natsAway reports a failure that the vigil tells of.
func (s *assembly) natsAway(err error) bool {
	return errors.Is(err, jets.ErrDisconnected) || !s.store.Conn.Connected()
}
