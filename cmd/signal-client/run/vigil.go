package run

import (
	"errors"
	"log/slog"
	"time"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
)

// vigil logs once a minute, for the whole process, that NATS is away or does not answer.
// It is not safe for concurrent use.
type vigil struct {
	conn    *jets.Conn
	locks   *locks.Locks
	unowned *unownedCount
	log     *slog.Logger

	since time.Time // zero: no outage
	said  time.Time
}

// vigilEvery is how often an ongoing outage is logged.
const vigilEvery = time.Minute

// errNoSession: nothing is polled, although NATS is connected.
var errNoSession = errors.New("the session in LOCKS can't be renewed: JetStream does not answer, or has no leader")

// Look checks the connection and the session.
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
		v.since, v.said = now, now // the drop or lapse was logged then
		return
	case now.Sub(v.said) < vigilEvery:
		return
	}
	v.said = now
	v.log.Warn("nats: nothing is polled or stored until it is back", "since", v.since.UTC().Format(time.RFC3339),
		"for", now.Sub(v.since).Round(time.Second), "instances", len(v.unowned.enabled()), "err", why)
}

// natsAway reports whether the vigil logs a failure.
func (s *assembly) natsAway(err error) bool {
	return errors.Is(err, jets.ErrDisconnected) || !s.store.Conn.Connected()
}
