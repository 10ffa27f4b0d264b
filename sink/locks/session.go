package locks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// session is this process's session.
type session struct {
	name, id string
	hash     uint64 // of name
	started  time.Time
	revision uint64 // of its key at the last write; 0: not written yet

	lease context.Context // ends when the session may have expired; nil: not live yet
	stood time.Time       // when the lease began
	end   context.CancelCauseFunc
	until time.Time // when the lease ends unless renewed
	timer *time.Timer
}

func newSession(name string) session {
	return session{name: name, id: nuid.Next(), hash: hash(name), started: time.Now().UTC()}
}

// stands reports whether the session is live.
func (s *session) stands() bool { return s.lease != nil && s.lease.Err() == nil }

// lapse ends the lease, and with it all holds.
func (s *session) lapse(why string) {
	if s.lease == nil {
		return
	}
	s.timer.Stop()
	s.end(fmt.Errorf("%w: %s", pipeline.ErrSessionLost, why))
}

// keep renews the session until ctx ends: every third of the TTL, sooner after a failure,
// at once after a reconnect. While the watch has been down for long it does not renew: a
// process that can't see what it owns must not keep it from others.
func (l *Locks) keep(ctx context.Context) {
	failures, limit := 0, l.ttl/3
	for ctx.Err() == nil {
		if l.stalled() {
			l.log.Warn("watch of LOCKS is down: the session is not renewed until it is back", "replica", l.Replica())
			for ctx.Err() == nil && l.stalled() {
				_ = jets.Await(ctx, l.kick, 0)
			}
			continue
		}
		sent := time.Now()
		err := l.renew(ctx, limit)
		if err != nil && failures == 0 && ctx.Err() == nil {
			l.log.Warn("session not renewed", "replica", l.Replica(), "err", err)
		}
		l.note(err != nil)
		failures++
		next := sent.Add(l.ttl / 3)
		switch {
		case err == nil:
			failures, limit = 0, l.limit(time.Since(sent))
			l.restate(ctx)
			l.sweep(ctx)
		case !l.store.Conn.Connected():
			_ = l.store.Conn.Up(ctx)
			next = time.Now().Add(10 * time.Millisecond)
		default:
			next = time.Now().Add(min(l.ttl/40, time.Second))
			if failures%6 == 0 {
				limit = l.ttl / 3 // the server may be slow rather than gone
			}
		}
		_ = jets.Await(ctx, l.kick, max(time.Until(next), time.Millisecond))
	}
}

// limit returns how long a renewal may take, given the duration of the previous one. A
// message to a stream without a leader is lost: waiting long for its answer would find
// the next leader too late.
func (l *Locks) limit(took time.Duration) time.Duration {
	return min(max(4*took, l.ttl/10, 500*time.Millisecond), l.ttl/3)
}

// note records since when renewals have succeeded.
func (l *Locks) note(failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case failed:
		l.steady = time.Time{}
	case l.steady.IsZero():
		l.steady = time.Now()
	}
}

// stalled reports whether the watch has been down too long. Setting it up again takes
// time: its silence must be noticed, and a lost leader replaced.
func (l *Locks) stalled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.blind.IsZero() && time.Since(l.blind) > max(l.ttl, 2*jets.WatchSilence)
}

// renewNow makes keep renew at once.
func (l *Locks) renewNow() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// renew writes the session's key and so restarts its TTL.
func (l *Locks) renew(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for range 5 {
		l.mu.Lock()
		s := l.session
		l.mu.Unlock()
		if s.revision != 0 {
			err := l.beat(ctx, s)
			if !errors.Is(err, pipeline.ErrFenced) {
				return err
			}
		}
		if err := l.reconcile(ctx, s); err == nil || !errors.Is(err, pipeline.ErrFenced) {
			return err
		}
	}
	return errors.New("another process keeps writing this session")
}

// beat writes the session's key if nobody else has. It publishes to the key's subject,
// because a key-value update drops the TTL.
func (l *Locks) beat(ctx context.Context, s session) error {
	sent := time.Now()
	declines, reasons := l.declines()
	value := jets.Encode(Session{ID: s.id, StartedAt: s.started, Declines: declines, Reasons: reasons})
	revision, err := l.write(ctx, sessionPrefix+s.name, s.revision, value, nats.Header{"Nats-TTL": {seconds(l.ttl)}})
	if err != nil {
		return err
	}
	l.renewed(s, revision, sent)
	return nil
}

// reconcile finds out why the session's key has changed, and writes it: again if it is
// gone, or over an earlier process's key if this process has just started. A process
// whose name was taken later continues under a new name.
func (l *Locks) reconcile(ctx context.Context, s session) error {
	m, err := l.store.Conn.Value(ctx, jets.BucketLocks, sessionPrefix+s.name)
	if err != nil {
		return err
	}
	if m.Seq == 0 {
		l.mu.Lock()
		l.purged = s.revision != 0
		l.mu.Unlock()
	}
	var standing Session
	if m.Data != nil && json.Unmarshal(m.Data, &standing) != nil {
		standing.ID = "?"
	}
	if standing.ID != "" && standing.ID != s.id && s.revision != 0 {
		l.rename(s)
		return fmt.Errorf("name taken: %w", pipeline.ErrFenced)
	}
	taken := s.revision == 0 && standing.ID != "" && standing.ID != s.id
	expired := s.revision != 0 && standing.ID == ""
	s.revision = m.Seq
	if err := l.beat(ctx, s); err != nil {
		return err // logged once it has succeeded: it is tried repeatedly
	}
	switch {
	case taken:
		l.log.Info("session of an earlier process taken over", "replica", s.name)
	case expired:
		l.log.Warn("session had expired", "replica", s.name)
	}
	return nil
}

// rename gives the name up to the process that took it.
func (l *Locks) rename(s session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session.lapse("another process took the name " + s.name)
	l.session = newSession(l.base + "-" + strings.ToLower(nuid.Next()[16:]))
	l.log.Warn("another process took this replica's name: polling stops and continues under a new name",
		"replica", s.name, "new", l.session.name)
}

// renewed extends the lease to the earliest time at which the server may expire the
// session: the server's clock started after sent. Other processes wait at least a tenth
// of the TTL longer.
func (l *Locks) renewed(s session, revision uint64, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := &l.session
	own.revision = revision
	until := sent.Add(l.ttl)
	left := time.Until(until)
	if left <= 0 || l.closing {
		return
	}
	own.until = until
	if own.stands() {
		own.timer.Reset(left)
		return
	}
	own.lease, own.end = context.WithCancelCause(context.Background())
	own.stood = time.Now()
	own.timer = time.AfterFunc(left, l.overdue)
	l.log.Info("locks: session is live", "replica", s.name)
	l.nudgeAll()
}

// overdue ends the lease when it has run out.
func (l *Locks) overdue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session.stands() && !time.Now().Before(l.session.until) {
		l.log.Warn("session could not be renewed in time: polling stops", "replica", l.session.name)
		l.session.lapse("session not renewed in time")
	}
}

// restate writes the held locks again if the session's key was gone without a marker: a
// purge of the bucket is invisible to a watch and removes them, too. A lock that still
// exists stays unchanged; if another process has it by now, the watch shows that.
func (l *Locks) restate(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.ttl/3)
	defer cancel()
	var wg sync.WaitGroup
	l.mu.Lock()
	for _, c := range l.contenders {
		if !l.purged || c.revision == 0 {
			continue
		}
		wg.Go(func() {
			revision, err := l.take(ctx, c, 0)
			l.mu.Lock()
			defer l.mu.Unlock()
			if err == nil && c.revision != 0 {
				c.revision = revision
			}
		})
	}
	l.purged = false
	l.mu.Unlock()
	wg.Wait()
}

// sweep releases this session's locks that have no Hold here: an earlier release failed.
func (l *Locks) sweep(ctx context.Context) {
	l.mu.Lock()
	left := map[string]uint64{}
	for key, lock := range l.fleet.locks {
		if lock.Session == l.session.id && l.contender(key) == nil && l.fleet.known && !l.leaving {
			left[key] = lock.revision
		}
	}
	l.mu.Unlock()
	for key, revision := range left {
		l.release(ctx, key, revision)
	}
}

// bye deletes the session. Its delete marker expires.
func (l *Locks) bye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	l.mu.Lock()
	s := l.session
	l.mu.Unlock()
	if s.revision == 0 {
		return
	}
	err := l.delete(ctx, s)
	if errors.Is(err, pipeline.ErrFenced) {
		// A renewal was stored, but its ack was lost.
		m, err2 := l.store.Conn.Value(ctx, jets.BucketLocks, sessionPrefix+s.name)
		var standing Session
		if err2 == nil && json.Unmarshal(m.Data, &standing) == nil && standing.ID == s.id {
			s.revision = m.Seq
			err = l.delete(ctx, s)
		}
	}
	if err != nil {
		l.log.Warn("session not ended: its locks are free when it expires", "replica", s.name, "err", err)
	}
}

// delete deletes the session's key if nobody else wrote it.
func (l *Locks) delete(ctx context.Context, s session) error {
	_, err := l.write(ctx, sessionPrefix+s.name, s.revision, nil, nats.Header{
		"KV-Operation": {"DEL"}, "Nats-TTL": {seconds(jets.MarkerTTL)},
	})
	return err
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + "s" }

// sessionPrefix is that of a replica's key in LOCKS.
const sessionPrefix = "session."
