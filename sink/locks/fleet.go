package locks

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/witfoo/signal-client/sink/jets"
)

// Lock is the value of an instance's key in LOCKS.
type Lock struct {
	Holder     string    `json:"holder"`  // replica
	Session    string    `json:"session"` // id of the holder's session when it took the lock
	AcquiredAt time.Time `json:"acquired_at,omitzero"`
	Origin     string    `json:"origin,omitempty"` // where the holder sends the instance's requests

	revision uint64    // of the key, deleted or not; 0: never written
	seen     time.Time // when the watch delivered it
}

// Session is the value of a replica's key in LOCKS.
type Session struct {
	ID        string    `json:"id"`
	StartedAt time.Time `json:"started_at,omitzero"`
	Declines  []string  `json:"declines,omitempty"` // instances that it can't poll

	Reasons map[string]string `json:"reasons,omitempty"` // why, by instance; not for all, if there are many

	RenewedAt time.Time     `json:"-"` // by the server's clock, when read
	TTL       time.Duration `json:"-"` // when it expires unless renewed
}

// fleet is the content of LOCKS.
type fleet struct {
	known    bool      // the watch has delivered everything
	began    time.Time // when the watch began
	settled  time.Time // when it had delivered everything
	sessions map[string]sighting
	locks    map[string]Lock // by the instance's key; a deleted one has only its revision
}

// sighting is the last news of a replica's session.
type sighting struct {
	id       string    // empty: it is gone
	expired  bool      // it expired and was not deleted
	seen     time.Time // the last news, renewals included
	since    time.Time // the first news of this id in a row
	hash     uint64    // of the replica's name
	declines map[string]bool
}

func (s sighting) same(t sighting) bool { return s.id == t.id && maps.Equal(s.declines, t.declines) }

// freeAt returns the time from which a lock may be taken, and whether it may be taken at
// all. A lock whose session has expired, or is missing, is left alone for a grace period
// in which its holder can come back.
func (l *Locks) freeAt(lock Lock) (at time.Time, ever bool) {
	session, seen := l.fleet.sessions[lock.Holder]
	switch {
	case lock.Session == "":
		return lock.seen, true
	case !seen:
		return l.fleet.settled.Add(l.ttl / 3), true
	case session.id == lock.Session:
		return time.Time{}, false
	case session.expired:
		return session.seen.Add(l.grace(session.seen)), true
	}
	return session.seen, true // the holder deleted its session, or another process runs under its name
}

// grace is how long the locks of an expired session are left alone. After a change of
// leader nothing expires for a while, and then everything at once. If this process could
// renew and watch for as long as the other was silent, that is not the reason: the other
// process is gone, and its own clock has stopped it.
func (l *Locks) grace(expired time.Time) time.Duration {
	if !l.steady.IsZero() && expired.Sub(newest(l.steady, l.fleet.settled)) >= l.ttl {
		return min(l.ttl/10, time.Second)
	}
	return l.ttl / 3
}

// view updates l.fleet from the watch. A new watch replaces it once it has delivered
// everything; until then no lock is taken.
func (l *Locks) view() jets.View {
	var next *fleet
	return jets.View{
		Fresh: func() {
			next = &fleet{began: time.Now(), sessions: map[string]sighting{}, locks: map[string]Lock{}}
			l.renewNow() // the connection, or the bucket's leader, may be a new one
		},
		Entry: func(e jets.KVEntry) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if replica, ok := strings.CutPrefix(e.Key, sessionPrefix); ok {
				l.sighted(next, replica, e)
			} else if kind, _ := l.store.InstanceOf(e.Key); kind != nil {
				l.locked(next, e)
			}
		},
		Settled: func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if !next.known {
				next.known, next.settled = true, time.Now()
				l.fleet = next
				l.blind = time.Time{}
				l.recheck()
				l.shareOut()
				l.renewNow() // keep waits for the watch, or the session has lapsed without it
			}
		},
		Ended: func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.fleet.known = false
			if l.blind.IsZero() {
				l.blind = time.Now()
			}
		},
	}
}

// sighted records the news of a session. A renewal is no news, unless it declines other
// instances than before.
func (l *Locks) sighted(f *fleet, replica string, e jets.KVEntry) {
	var s Session
	if !e.Gone && json.Unmarshal(e.Value, &s) != nil {
		s.ID = "?" // an unreadable session, but not ours
	}
	before, seen := f.sessions[replica]
	if seen && e.Gone && before.id == "" {
		return // the marker of its deletion has expired
	}
	now := sighting{id: s.ID, expired: e.Expired, seen: time.Now(), since: time.Now(), hash: hash(replica), declines: set(s.Declines)}
	if s.ID == before.id {
		now.since = before.since
	}
	f.sessions[replica] = now
	if now.same(before) || !f.known {
		return
	}
	if replica == l.session.name && s.ID != l.session.id {
		l.renewNow() // expired or taken over: the next renewal shows which
	}
	l.shareOut()
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}

// locked records the news of a lock, and ends this process's hold if another has it now.
func (l *Locks) locked(f *fleet, e jets.KVEntry) {
	lock := Lock{}
	if !e.Gone && json.Unmarshal(e.Value, &lock) != nil {
		lock = Lock{} // unreadable: free
	}
	lock.revision, lock.seen = e.Revision, time.Now()
	f.locks[e.Key] = lock
	c := l.contender(e.Key)
	if c == nil || !f.known {
		return
	}
	if e.Revision > c.revision && lock.Session != l.session.id {
		c.shut()
	}
	c.nudge()
}

// recheck ends the holds that a new watch does not confirm, except those that began after
// it.
func (l *Locks) recheck() {
	for _, c := range l.contenders {
		if c.revision == 0 || !c.since.Before(l.fleet.began) {
			continue
		}
		lock := l.fleet.locks[c.lock]
		if lock.Session == l.session.id {
			c.revision = lock.revision
			continue
		}
		c.shut()
	}
}

// contender returns this process's contender for a lock; nil: there is none.
func (l *Locks) contender(key string) *contender {
	_, instance := l.store.InstanceOf(key)
	if c := l.contenders[instance]; c != nil && c.lock == key {
		return c
	}
	return nil
}

func (l *Locks) nudgeAll() {
	for _, c := range l.contenders {
		c.nudge()
	}
}

// Live reports whether this process's session is live. While it is not, nothing is
// polled.
func (l *Locks) Live() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session.stands()
}

// Holders returns the live replica that holds the lock of each instance, given by its key,
// by the watch; "" if none does. It returns nil while this process can't know: its session has lapsed, or the
// watch is down.
func (l *Locks) Holders(keys []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.fleet.known || !l.session.stands() {
		return nil
	}
	holders := make([]string, len(keys))
	for n, key := range keys {
		lock := l.fleet.locks[key]
		if lock.Session != "" && l.fleet.sessions[lock.Holder].id == lock.Session {
			holders[n] = lock.Holder
		}
	}
	return holders
}

// Sessions counts the live replicas, this one included; 0 while that can't be known.
func (l *Locks) Sessions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	live := 0
	for _, s := range l.fleet.sessions {
		if s.id != "" && l.fleet.known {
			live++
		}
	}
	return live
}

// behind returns how long new locks wait for a snapshot of INTEGRATIONS; 0: not at all.
func (l *Locks) behind() time.Duration {
	if l.seen.Over(l.store.Conn.Generation()) {
		return 0
	}
	return max(0, time.Until(l.fleet.settled.Add(jets.SnapshotTime)))
}
