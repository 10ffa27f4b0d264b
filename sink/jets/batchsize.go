package jets

import "time"

const (
	growWait  = 10 * time.Second // before a batch that an overloaded server refused may grow again, at first
	limitWait = time.Hour        // between two attempts to exceed what the server is configured to take
)

// batchSize is how many messages an instance puts into one batch. It adapts to what
// the server takes: a refusal halves it, a success doubles it, but not at once.
//
// A limit of the server's configuration stays until somebody raises it, and each
// attempt to exceed it sends a batch in vain, so there is one an hour. An overload
// passes: the first attempt comes after seconds, and each one that fails doubles
// the wait, since a server may be too small for good without any limit that says so.
// Its zero value knows of no refusal.
type batchSize struct {
	halved  uint          // how often MaxBatch is halved at the moment
	limit   uint          // the least of that because of the server's limit; 0: none is known
	asks    time.Time     // when the limit is tried again
	grows   time.Time     // when a batch may grow after an overload
	wait    time.Duration // of the newest overload
	attempt bool          // the size has just been doubled
}

// Most is the most messages that the next batch may have: two at least, an event and
// its position.
func (b *batchSize) Most() int { return max(2, MaxBatch>>b.halved) }

// Accepted says that the server took a batch.
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

// Refused says that a batch of so many messages was too large for the server;
// limit: because of its configuration.
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
