package jets

import (
	"time"

	"github.com/nats-io/nats.go"
)

// absence is since when a connection does not stand, and why it does not come back.
type absence struct {
	since time.Time // zero: it stands
	why   error
}

// toldAgain is how often the same trouble of a connection that stands is logged.
const toldAgain = time.Minute

// Away returns since when the connection does not stand, and why the newest try to make
// it anew failed; the zero time while it stands.
func (c *Conn) Away() (since time.Time, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away.since, c.away.why
}

// tried keeps why a try to connect again failed.
func (c *Conn) tried(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.away.since.IsZero() && err != nil {
		c.away.why = withoutURL(err)
	}
}

// failed logs what nats.go learns outside of any call, such as a permission that is
// missing; the same once a minute. What it learns while the connection does not stand is
// the reason for that: a server that refuses the credentials does so at every try.
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

// newTrouble reports whether the same was not logged a short while ago.
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
