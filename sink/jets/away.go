package jets

import (
	"time"

	"github.com/nats-io/nats.go"
)

// absence is the time since which a connection is down, and the reason.
type absence struct {
	since time.Time // zero: the connection is up
	why   error
}

// toldAgain is how often the same problem of a live connection is logged.
const toldAgain = time.Minute

// Away returns since when the connection is down and why its last reconnect failed; zero: up.
func (c *Conn) Away() (since time.Time, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away.since, c.away.why
}

// tried records why a reconnect failed.
func (c *Conn) tried(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.away.since.IsZero() && err != nil {
		c.away.why = withoutURL(err)
	}
}

// failed logs errors that nats.go reports outside of any call, such as a missing
// permission; the same one once a minute. While the connection is down, such an error is
// the reason for that: a server that refuses the credentials does so at every attempt.
func (c *Conn) failed(nc *nats.Conn, sub *nats.Subscription, err error) {
	if !nc.IsConnected() {
		c.tried(err)
		return
	}
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	if !c.newTrouble(subject + " " + err.Error()) {
		return
	}
	if sub != nil {
		c.log.Warn("nats", "subject", subject, "err", err)
		return
	}
	c.log.Warn("nats", "err", err)
}

// newTrouble reports whether a problem has not been logged within the last minute.
func (c *Conn) newTrouble(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for text, at := range c.told {
		if now.Sub(at) >= toldAgain {
			delete(c.told, text)
		}
	}
	if _, told := c.told[what]; told {
		return false
	}
	if c.told == nil {
		c.told = map[string]time.Time{}
	}
	c.told[what] = now
	return true
}
