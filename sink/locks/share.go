package locks

import (
	"fmt"
	"hash/fnv"
	"math/bits"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// An instance is owned by one of the live replicas, and each of them computes the same
// owner: the replica that ranks highest for the instance's key (rendezvous hashing), so
// that a replica that comes or goes moves only its own share. No other machine's clock
// matters.

const (
	// neglect, in TTLs, is how long a lock stays free before any replica may take it.
	neglect = 3
	// maturity, in TTLs, is how long a replica must be alive before others hand over to
	// it.
	maturity = 2
	// stray is how long a replica keeps a neglected lock that it took, unless the owner
	// changes.
	stray = 5 * time.Minute
)

// Invariant: hash and rank are the same in every replica and every version: FNV-1a, mixed
// by the finalizer of SplitMix64.
func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return mix(h.Sum64())
}

func rank(replica, key uint64) uint64 { return mix(replica ^ bits.RotateLeft64(key, 32)) }

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// candidate is a live replica that may own an instance.
type candidate struct {
	name, id string
	since    time.Time // when it was first seen
	willing  bool      // it does not decline the instance
	rank     uint64
}

// above orders candidates. A replica that declines the instance owns it only if all do.
func (c candidate) above(d candidate) bool {
	switch {
	case c.willing != d.willing:
		return c.willing
	case c.rank != d.rank:
		return c.rank > d.rank
	}
	return c.name < d.name
}

// owner returns the replica that owns a contender's instance; this one, if it is not
// distributed.
func (l *Locks) owner(c *contender) candidate {
	own := &l.session
	owner := candidate{name: own.name, id: own.id, willing: !l.declining(c.Instance), rank: rank(own.hash, c.hash)}
	if c.Key == "" {
		return owner
	}
	for name, s := range l.fleet.sessions {
		if s.id == "" || name == own.name {
			continue
		}
		other := candidate{name: name, id: s.id, since: s.since, willing: !s.declines[c.Instance], rank: rank(s.hash, c.hash)}
		if other.above(owner) {
			owner = other
		}
	}
	return owner
}

// neglected returns when a lock, free since at, may be taken by any replica. The time in
// which nobody could have wanted it, or this process could not have known, does not
// count. Replicas that decline it come last.
func (l *Locks) neglected(c *contender, at time.Time, lock Lock) time.Time {
	patience := neglect * l.ttl
	if l.declining(c.Instance) {
		patience *= 2
	}
	return newest(at, lock.seen, l.fleet.settled, c.entered, l.session.stood).Add(patience)
}

// shareOut checks all contenders again after a change of sessions.
func (l *Locks) shareOut() {
	l.nudgeAll()
	for _, c := range l.contenders {
		l.reconsider(c)
	}
}

// reconsider hands over a held instance that another replica owns, or schedules the next
// check: a replica that comes and goes should move nothing.
func (l *Locks) reconsider(c *contender) {
	if c.revision == 0 || l.leaving || !l.fleet.known {
		return
	}
	owner := l.owner(c)
	if owner.name == l.session.name {
		return
	}
	at := owner.since.Add(maturity * l.ttl)
	if c.despite == owner.id {
		at = newest(at, c.since.Add(stray))
	}
	if time.Until(at) > 0 {
		l.review.By(at, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.shareOut()
		})
		return
	}
	c.lose(fmt.Errorf("%w: %s", pipeline.ErrHandover, owner.name))
}

// reminder calls back once, at the earliest of its times. It is not safe for concurrent
// use; the call runs in its own goroutine.
type reminder struct {
	timer *time.Timer
	at    time.Time
}

// By schedules the call for at, unless it comes sooner.
func (r *reminder) By(at time.Time, call func()) {
	if r.timer != nil && time.Until(r.at) > 0 && !at.Before(r.at) {
		return
	}
	r.Stop()
	r.at, r.timer = at, time.AfterFunc(time.Until(at), call)
}

// Stop cancels the call, unless it is running.
func (r *reminder) Stop() {
	if r.timer != nil {
		r.timer.Stop()
	}
}

func newest(times ...time.Time) time.Time {
	last := times[0]
	for _, t := range times[1:] {
		if t.After(last) {
			last = t
		}
	}
	return last
}
