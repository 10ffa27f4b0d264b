// Package locks decides which process polls an instance, by the bucket LOCKS: each
// process keeps one session alive there, and instances are distributed over the live
// sessions.
//
// It keeps two processes from polling one org most of the time. It never is what prevents
// doubles: the fences of package signals are.
//
// Start reading at [Locks.Hold] and [Locks.Run].
package locks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Config is the configuration of a process's locks.
type Config struct {
	Replica string             // the process's unique name; characters that a key can't have are replaced
	TTL     time.Duration      // of its session; whole seconds, at least 2; default 10 s
	Log     *slog.Logger       // nil: none
	Seen    *jets.SnapshotSeen // delays new locks after a reconnect until INTEGRATIONS is read; nil: no delay

	// Took is called for each lock that is taken over from an ended session: from is that
	// lock; expired: the session was not ended by its process. It must not block. Nil:
	// not called.
	Took func(instance string, from Lock, expired bool)
}

// Locks keeps one process's locks in the bucket LOCKS. The process keeps one session
// alive there, by one message every third of its TTL. A lock names the session that took
// it, has no TTL, and is void once the session is gone or has another id. Instances with
// a key are distributed over the live sessions: each process takes the instances that it
// owns, and hands over those that another owns. One watch serves all waiting calls;
// nothing is polled. It is safe for concurrent use.
//
// It does not guarantee that only one process polls an instance: a frozen process does
// not notice that its time is up. The fences are for that.
type Locks struct {
	store *jets.Store
	seen  *jets.SnapshotSeen
	ttl   time.Duration
	log   *slog.Logger
	base  string        // the configured name
	kick  chan struct{} // requests a renewal at once
	took  func(instance string, from Lock, expired bool)
	open  pipeline.Gate // locks being taken or released

	mu         sync.Mutex
	session    session
	fleet      *fleet
	contenders map[string]*contender // by instance
	declined   map[string]refusal    // by instance
	steady     time.Time             // since when no renewal has failed; zero: the last one failed
	blind      time.Time             // since when the watch is down; zero: it is up
	review     reminder              // when to check again what to hand over
	purged     bool                  // the session's key was gone without a delete marker
	leaving    bool                  // no lock is taken any more, nor released one by one
	closing    bool
	idle       chan struct{} // closed when closing and no Hold is left
}

var _ pipeline.Locks = (*Locks)(nil)

var errClosed = errors.New("locks are closed")

// contender is a Hold in progress.
type contender struct {
	pipeline.Claim
	lock     string        // key of the lock
	hash     uint64        // of its key
	entered  time.Time     // when it began
	wake     chan struct{} // something has changed: check whether it may take the lock
	revision uint64        // of the lock that it holds; 0: it waits
	since    time.Time     // when it took it
	despite  string        // session of the owner that had left it free for long; empty: none
	named    string        // the holder last logged by waitsFor
	lose     context.CancelCauseFunc
}

// New returns the locks of a process. No lock can be held before Run.
func New(store *jets.Store, cfg Config) (*Locks, error) {
	cfg.TTL = cmp.Or(cfg.TTL, 10*time.Second)
	// The server drops fractions of a second of a TTL.
	if cfg.TTL < 2*time.Second || cfg.TTL%time.Second != 0 {
		return nil, fmt.Errorf("session TTL %v: it must be whole seconds, at least 2s", cfg.TTL)
	}
	name := replicaName(cfg.Replica)
	l := &Locks{
		store: store, seen: cmp.Or(cfg.Seen, new(jets.SnapshotSeen)), ttl: cfg.TTL, log: jets.OrDiscard(cfg.Log), took: cfg.Took, base: name,
		kick: make(chan struct{}, 1), idle: make(chan struct{}), open: pipeline.Gate{Capacity: openLocks},
		session: newSession(name), fleet: new(fleet), contenders: map[string]*contender{}, declined: map[string]refusal{},
	}
	l.seen.Call(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.nudgeAll()
	})
	return l, nil
}

var unfitForKey = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// replicaName replaces the characters of a name that a key can't have.
func replicaName(name string) string {
	name = strings.Trim(unfitForKey.ReplaceAllString(name, "-"), "-")
	if name == "" {
		return "replica"
	}
	return name[:min(len(name), 64)]
}

// Replica returns the process's current name: the configured one, until another process
// takes it.
func (l *Locks) Replica() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session.name
}

// Run keeps the session until ctx ends. Then it ends all holds, waits until every Hold
// has returned and deletes the session, which frees every lock at once.
func (l *Locks) Run(ctx context.Context) error {
	l.mu.Lock()
	l.blind = time.Now()
	l.mu.Unlock()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = l.store.Follow(running, jets.BucketLocks, ">", l.view()) })
	wg.Go(func() { l.keep(running) })
	<-ctx.Done()
	l.close()
	<-l.idle
	stop()
	wg.Wait()
	l.bye(context.WithoutCancel(ctx))
	return ctx.Err()
}

// Leave announces the end of the process: no lock is taken any more, and those that are
// no longer held are freed when Run ends, all at once, by one message.
func (l *Locks) Leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = true
}

// Hold implements pipeline.Locks. A process has at most one Hold per instance.
func (l *Locks) Hold(ctx context.Context, claim pipeline.Claim, held func(context.Context)) error {
	c, err := l.enter(claim)
	if err != nil {
		return err
	}
	defer l.leave(claim.Instance)
	for {
		t, err := l.turn(c)
		if err != nil {
			return err
		}
		if t.lease != nil {
			revision, err := l.take(ctx, c, t.last)
			if err == nil {
				l.hold(ctx, t, c, revision, held)
				return nil
			}
			l.log.Debug("lock not taken", "instance", claim.Instance, "err", err)
			t.wait = l.ttl / 3 // the watch, or the next try, shows who has it
		}
		if err := jets.Await(ctx, c.wake, t.wait); err != nil {
			return err
		}
	}
}

func (l *Locks) enter(claim pipeline.Claim) (*contender, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return nil, errClosed
	}
	if l.contenders[claim.Instance] != nil {
		return nil, fmt.Errorf("lock of %s: this process contends for it already", claim.Instance)
	}
	c := &contender{Claim: claim, lock: jets.Key(claim.Kind.Name, claim.Instance), hash: hash(claim.Key), entered: time.Now(), wake: make(chan struct{}, 1)}
	l.contenders[claim.Instance] = c
	return c, nil
}

func (l *Locks) leave(instance string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.contenders, instance)
	if l.closing && len(l.contenders) == 0 {
		close(l.idle)
	}
}

// close stops new holds, and ends the existing ones.
func (l *Locks) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving, l.closing = true, true
	l.review.Stop()
	l.session.lapse("shutdown")
	l.nudgeAll()
	if len(l.contenders) == 0 {
		close(l.idle)
	}
}

// turn is whether a lock may be taken now.
type turn struct {
	lease   context.Context // to hold it under; nil: it may not be taken
	last    uint64          // revision of the lock
	former  Lock            // the lock, if it names an ended session; zero: none
	expired bool            // that session ended by its TTL
	despite string          // session of its owner, which has left it free for long; empty: this process owns it, or nobody does
	wait    time.Duration   // time until it may be taken; 0: after a change
}

func (l *Locks) turn(c *contender) (turn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return turn{}, errClosed
	}
	if !l.fleet.known || !l.session.stands() || l.leaving {
		return turn{}, nil
	}
	if wait := l.behind(); wait > 0 {
		return turn{wait: wait}, nil
	}
	lock := l.fleet.locks[c.lock]
	t := turn{lease: l.session.lease, last: lock.revision}
	if lock.Session == l.session.id {
		return t, nil
	}
	at, ever := l.freeAt(lock)
	if !ever {
		if c.Key == "" && c.Origin != "" && lock.Origin != "" && lock.Origin != c.Origin {
			return turn{}, &NameTakenError{Instance: c.Instance, Holder: lock.Holder, There: lock.Origin, Here: c.Origin}
		}
		l.waitsFor(c, lock.Holder)
		return turn{}, nil
	}
	holder, seen := l.fleet.sessions[lock.Holder]
	t.former, t.expired = lock, lock.Session != "" && (!seen || holder.expired)
	if owner := l.owner(c); owner.name != l.session.name {
		at, t.despite = l.neglected(c, at, lock), owner.id
	} else if c.Key == "" && l.declining(c.Instance) {
		at = at.Add(l.ttl / 3) // other contenders go first
	}
	if wait := time.Until(at); wait > 0 {
		return turn{wait: wait}, nil
	}
	return t, nil
}

// openLocks is how many locks a process takes or releases at once: a renewal of the
// session must not wait behind thousands of them.
const openLocks = 64

// NameTakenError: a live process polls another origin under the instance's name. It
// matches pipeline.ErrConfig.
type NameTakenError struct{ Instance, Holder, There, Here string }

func (e *NameTakenError) Error() string {
	return fmt.Sprintf("the name %s is taken: %s polls %s under it; give %s a name of its own", e.Instance, e.Holder, e.There, e.Here)
}

// Is reports whether target is pipeline.ErrConfig.
func (e *NameTakenError) Is(target error) bool { return target == pipeline.ErrConfig }

// waitsFor logs, once per holder, that an instance configured by environment is polled by
// another process.
func (l *Locks) waitsFor(c *contender, holder string) {
	if c.Key == "" && c.named != holder {
		c.named = holder
		l.log.Info("locks: another process polls this instance; this one stands by", "instance", c.Instance, "holder", holder)
	}
}

// take writes the lock if last is still the key's last revision.
func (l *Locks) take(ctx context.Context, c *contender, last uint64) (uint64, error) {
	place, err := l.open.Take(ctx, 1, false)
	if err != nil {
		return 0, err
	}
	defer place.Release()
	ctx, cancel := context.WithTimeout(ctx, jets.RequestTimeout)
	defer cancel()
	l.mu.Lock()
	lock := Lock{Holder: l.session.name, Session: l.session.id, AcquiredAt: time.Now().UTC(), Origin: c.Origin}
	l.mu.Unlock()
	return l.write(ctx, c.lock, last, jets.Encode(lock), nil)
}

// hold calls held while the lock is valid, and releases it.
func (l *Locks) hold(ctx context.Context, t turn, c *contender, revision uint64, held func(context.Context)) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(t.lease, func() { cancel(context.Cause(t.lease)) })
	defer stop()
	l.mu.Lock()
	c.revision, c.since, c.despite, c.lose = revision, time.Now(), t.despite, cancel
	if seen := l.fleet.locks[c.lock]; seen.revision > revision && seen.Session != l.session.id {
		c.shut() // taken away before its revision was known here
	}
	l.tries(c.Instance)
	l.reconsider(c)
	l.mu.Unlock()
	l.log.Debug("lock taken", "instance", c.Instance)
	if l.took != nil && t.former.Session != "" {
		l.took(c.Instance, t.former, t.expired)
	}

	held(ctx)

	l.mu.Lock()
	revision, c.revision = c.revision, 0
	l.mu.Unlock()
	l.release(context.WithoutCancel(ctx), c.lock, revision)
}

// release deletes a lock that still has a revision. At the end of the process that is not
// needed: the session's end frees all.
func (l *Locks) release(ctx context.Context, key string, revision uint64) {
	l.mu.Lock()
	leaving := l.leaving
	l.mu.Unlock()
	if leaving {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	place, err := l.open.Take(ctx, 1, false)
	if err != nil {
		return // the next sweep releases it
	}
	defer place.Release()
	revision, err = l.write(ctx, key, revision, nil, nats.Header{"KV-Operation": {"DEL"}})
	if err != nil {
		_, instance := l.store.InstanceOf(key)
		l.log.Debug("lock not given back", "instance", instance, "err", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fleet.known && l.fleet.locks[key].revision < revision { // a new Hold may come before the watch's news
		l.fleet.locks[key] = Lock{revision: revision, seen: time.Now()}
	}
}

// write publishes a key's value if last is still its last revision; else it returns an
// error that matches pipeline.ErrFenced.
func (l *Locks) write(ctx context.Context, key string, last uint64, value []byte, header nats.Header) (uint64, error) {
	m := &nats.Msg{Subject: l.store.Conn.PutSubject(jets.BucketLocks, key), Data: value, Header: header}
	jets.Expect(m, last)
	return l.store.Publisher.Publish(ctx, []*nats.Msg{m})
}

// shut ends a hold whose lock may be lost.
func (c *contender) shut() {
	if c.revision != 0 {
		c.lose(pipeline.ErrLockLost)
	}
}

func (c *contender) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
