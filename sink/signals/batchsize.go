package signals

import (
	"time"

	"github.com/witfoo/signal-client/sink/jets"
)

const (
	growWait  = 10 * time.Second // first wait before a batch may grow after an overloaded server refused one
	limitWait = time.Hour        // between two attempts to exceed the server's configured limit
)

// batchSize is how many messages an instance puts into one batch. It adapts to the
// server: a refusal halves it, a success doubles it, but not at once.
//
// A configured limit stays until somebody raises it, and each attempt to exceed it costs
// a batch, so there is one an hour. An overload passes: the first attempt comes after
// seconds, and each failed one doubles the wait, because a server may be too small for
// good without a limit that says so. The zero value knows of no refusal.
type batchSize struct {
	halved  uint          // how often MaxBatch is halved now
	limit   uint          // the least halved that the server's limit allows; 0: no limit known
	asks    time.Time     // when the limit is tried again
	grows   time.Time     // when a batch may grow again after an overload
	wait    time.Duration // wait after the newest overload
	attempt bool          // the size has just been doubled
}

// Most returns how many messages the next batch may have; two are an event and its position.
func (b *batchSize) Most() int { return max(2, jets.MaxBatch>>b.halved) }

// Accepted records that the server accepted a batch.
func (b *batchSize) Accepted(now time.Time) {
	b.attempt = false
	if b.halved == 0 {
		b.wait = 0
		return
	}
	if b.limit > 0 && !now.Before(b.asks) {
		b.limit = 0
	}
	if b.halved > b.limit && !now.Before(b.grows) {
		b.halved--
		b.attempt = true
	}
}

// Refused records that a batch was too large; limit: for the server's configuration.
func (b *batchSize) Refused(messages int, limit bool, now time.Time) {
	for b.Most() >= messages && b.Most() > 2 {
		b.halved++
	}
	if limit {
		b.limit, b.asks = b.halved, now.Add(limitWait)
	} else {
		if b.attempt {
			b.wait *= 2
		}
		b.wait = min(max(b.wait, growWait), limitWait)
		b.grows = now.Add(b.wait)
	}
	b.attempt = false
}
