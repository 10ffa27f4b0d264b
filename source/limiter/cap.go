package limiter

import (
	"maps"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Okta gives an API token or a service app half of each limit by default, and an admin may
// change that, to 5 % at least. Beyond it Okta answers 429, though the headers may show the
// org's limit, with plenty left (rl2-token-oauth, read 2026-11-28). Such a 429 teaches the
// credential's cap.
const (
	// leastCap is the smallest cap that Okta knows, as a part of the limit: 1/leastCap.
	leastCap = 20
	// askAgain is how long after a cap was learned, or confirmed, one request beyond it is
	// sent. It is answered if the cap is larger now, else it confirms the cap.
	askAgain = 24 * time.Hour
)

// credentialCap is what is known of a credential's cap.
type credentialCap struct {
	pipeline.Cap     // zero: none is known
	sent         int // requests in this window, at most: those in flight, and others' that may have been ours, included
	granted      int // requests of this window that were answered, and not with 429
}

// Remember takes over the cap of a credential that another process, or an earlier one, has
// learned. What this one has learned wins.
func (l *Limiter) Remember(c pipeline.Credential, known pipeline.Cap) {
	if c == nil || known.Requests <= 0 || known.Requests >= known.Of {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.capOf(c); one.Requests == 0 {
		one.Cap, one.sent = known, max(one.sent, l.window.limit-l.window.remaining)
		one.Since = pipeline.Earlier(one.Since, time.Now())
	}
}

// capOf returns what is known of a credential's cap; without a credential, of none.
func (l *Limiter) capOf(c pipeline.Credential) *credentialCap {
	if c == nil {
		return new(credentialCap)
	}
	if l.caps == nil {
		l.caps = map[pipeline.Credential]*credentialCap{}
	}
	if l.caps[c] == nil {
		l.caps[c] = &credentialCap{sent: l.inFlight}
		if !l.whole {
			l.caps[c].sent = max(l.inFlight, l.window.limit-l.window.remaining)
		}
	}
	return l.caps[c]
}

// within returns the cap for a limit, which is a percentage of it; 0: none is known.
func (c *credentialCap) within(limit int) int {
	if c.Requests == 0 || c.Of == limit {
		return c.Requests
	}
	return max(1, c.Requests*limit/c.Of)
}

// due reports whether one request beyond the cap is to be sent.
func (c *credentialCap) due(now time.Time) bool {
	return c.Requests > 0 && now.Sub(c.Since) >= askAgain
}

// spare returns how many requests may still be sent in this window, which peers use, too.
func (c *credentialCap) spare(now time.Time, limit, peers int) int {
	n := c.within(limit)/(1+peers) - c.sent
	if peers == 0 && c.due(now) {
		n++
	}
	return n
}

// countAnew begins the count of a window, in which a number of requests may have been sent
// with any credential. It forgets credentials that are long out of use.
func (l *Limiter) countAnew(now time.Time, sent int) {
	maps.DeleteFunc(l.caps, func(_ pipeline.Credential, c *credentialCap) bool {
		return c.sent == 0 && now.Sub(c.Since) > 2*askAgain
	})
	for _, c := range l.caps {
		c.sent, c.granted = sent, 0
	}
}

// learnCap learns from an answer of the current window.
func (l *Limiter) learnCap(now time.Time, c *credentialCap, share float64, seen budget, refused bool) {
	switch {
	case seen.reset == 0 || seen.reset != l.window.reset:
		return // it is not known to be of this window
	case !refused:
		c.granted++
		l.raise(now, c)
	case seen.limit == 0 || seen.remaining <= kept(seen.limit, share) || seen.retryAfter > 0:
		return // the limit is used up, or something else than a window's count
	default:
		if n := l.granted(now, c, seen); n*leastCap >= seen.limit && n < seen.limit {
			c.Cap = pipeline.Cap{Requests: n, Of: seen.limit, Since: now.UTC()}
		}
	}
}

// raise corrects a cap beyond which requests were answered: some were in flight when it was
// learned, or it is larger now, and how much larger is learned anew.
func (l *Limiter) raise(now time.Time, c *credentialCap) {
	switch most := c.within(l.window.limit); {
	case most == 0 || c.granted <= most:
	case c.due(now):
		c.Cap = pipeline.Cap{}
	default:
		c.Requests, c.Of = c.granted, l.window.limit
	}
}

// granted returns how many requests the org has let a credential have in this window. When
// others may have used it too, it is at most what c.sent counts: the default, if that fits,
// is likelier.
func (l *Limiter) granted(now time.Time, c *credentialCap, seen budget) int {
	if l.whole && l.peers(now) == 0 {
		return c.granted
	}
	most := max(c.sent-1, c.granted)
	if half := seen.limit / 2; c.granted <= half && half <= most {
		return half
	}
	return most
}
