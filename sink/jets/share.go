package jets

import (
	"fmt"
	"hash/fnv"
	"math/bits"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// An instance belongs to one of the live replicas, and each of them computes the
// same one: the replica that ranks highest for the instance's key (rendezvous
// hashing), so that one that comes or goes moves its own share alone. No clock of
// another machine has a say in it.

const (
	// neglect, in TTLs, is how long a lock stays free before anyone may take it.
	neglect = 3
	// maturity, in TTLs, is how long a replica must be seen alive before
	// others hand over to it.
	maturity = 2
	// stray is how long whoever took a neglected lock keeps it, unless its
	// owner becomes another.
	stray = 5 * time.Minute
)

// hash and rank are the same in every replica, and must stay so: FNV-1a, mixed
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

// candidate is a live replica that an instance may belong to.
type candidate struct {
	name, id string
	since    time.Time // when it was first seen
	willing  bool      // it does not decline the instance
	rank     uint64
}

// above orders candidates. Whoever declines has an instance only when all do.
func (c candidate) above(d candidate) bool {
	switch {
	case c.willing != d.willing:
		return c.willing
	case c.rank != d.rank:
		return c.rank > d.rank
	}
	return c.name < d.name
}

// owner is the replica that a contender's instance belongs to; this one, when it
// is not shared out.
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

// neglected returns when a lock that is free from at on has been free for so long
// that anyone may take it. The time during which nobody could have wanted it, or
// this process could not have known, does not count. Those that decline it come
// last.
func (l *Locks) neglected(c *contender, at time.Time, lock Lock) time.Time {
	patience := neglect * l.ttl
	if l.declining(c.Instance) {
		patience *= 2
	}
	return newest(at, lock.seen, l.fleet.settled, c.entered, l.session.stood).Add(patience)
}

// shareOut looks at all contenders anew: the sessions are others than before.
func (l *Locks) shareOut() {
	l.nudgeAll()
	for _, c := range l.contenders {
		l.reconsider(c)
	}
}

// reconsider hands over what is held and belongs to another, or says when to look
// again: a replica that comes and goes is not worth moving anything.
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

// reminder calls back once, at the earliest of the times that it was given. It is
// not safe for concurrent use, save that the call comes from a goroutine of its own.
type reminder struct {
	timer *time.Timer
	at    time.Time
}

// By makes the call come at the latest then.
func (r *reminder) By(at time.Time, call func()) {
	if r.timer != nil && time.Until(r.at) > 0 && !at.Before(r.at) {
		return
	}
	r.Stop()
	r.at, r.timer = at, time.AfterFunc(time.Until(at), call)
}

// Stop makes no call come, but for one that is under way.
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
