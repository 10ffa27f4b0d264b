package jets

import (
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
)

// LocksConfig says under which name, and how closely, a process keeps its locks.
type LocksConfig struct {
	Replica string        // the process's name, alone its own; made fit for a key
	TTL     time.Duration // of its session; whole seconds, at least 2; default 10 s
	Log     *slog.Logger  // nil: none
	Seen    *SnapshotSeen // new locks wait for INTEGRATIONS after a reconnect; nil: they don't

	// Took is told of each lock that is taken while it names a session that has
	// ended: from is that lock; expired, that nobody ended it. It must not block.
	// Nil: nobody is told.
	Took func(instance string, from Lock, expired bool)
}

// Locks keeps the locks of one process in the bucket LOCKS. The process keeps
// one session alive there, by one message each third of its TTL; a lock names
// the session that took it, has no TTL, and is void once the session is gone or
// has another id. Instances with a key are shared out over the live sessions: each
// process takes what belongs to it, and hands over what belongs to another. One
// watch feeds all that wait; nothing is asked again and again. It is safe for
// concurrent use.
//
// It does not guarantee that one process alone polls an instance: a frozen
// process does not notice that its time has passed. That is what fences are for.
type Locks struct {
	store *Store
	seen  *SnapshotSeen
	ttl   time.Duration
	log   *slog.Logger
	base  string        // the name that the process was given
	kick  chan struct{} // asks for a renewal at once
	took  func(instance string, from Lock, expired bool)
	open  pipeline.Gate // locks being taken or given back

	mu         sync.Mutex
	session    session
	fleet      *fleet
	contenders map[string]*contender // by instance
	declined   map[string]refusal    // by instance
	steady     time.Time             // since when no renewal has failed; zero: the last one did
	blind      time.Time             // since when the watch shows nothing; zero: it does
	review     reminder              // of what is to be handed over
	purged     bool                  // the session's key was found gone without a trace
	leaving    bool                  // nothing is taken any more, nor given back one by one
	closing    bool
	idle       chan struct{} // closed when closing and nobody contends
}

var _ pipeline.Locks = (*Locks)(nil)

var errClosed = errors.New("locks are closed")

// contender is a Hold under way.
type contender struct {
	pipeline.Claim
	hash     uint64        // of its key
	entered  time.Time     // when it came
	wake     chan struct{} // something has changed that may be this one's turn
	revision uint64        // of the lock that it took; 0: it waits
	since    time.Time     // when it took it
	despite  string        // session of the owner that had left it free for long; empty: none
	named    string        // holder that it was last said to wait for
	lose     context.CancelCauseFunc
}

// NewLocks makes the locks of a process. Nothing can be held before Run.
func NewLocks(store *Store, cfg LocksConfig) (*Locks, error) {
	if cfg.TTL == 0 {
		cfg.TTL = 10 * time.Second
	}
	// The server cuts fractions of a second off a TTL.
	if cfg.TTL < 2*time.Second || cfg.TTL%time.Second != 0 {
		return nil, fmt.Errorf("session TTL %v: it must be whole seconds, at least 2s", cfg.TTL)
	}
	name := ReplicaName(cfg.Replica)
	l := &Locks{
		store: store, seen: cfg.Seen, ttl: cfg.TTL, log: orDiscard(cfg.Log), took: cfg.Took, base: name,
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

// ReplicaName makes a name fit for a key.
func ReplicaName(name string) string {
	name = strings.Trim(unfitForKey.ReplaceAllString(name, "-"), "-")
	if name == "" {
		return "replica"
	}
	return name[:min(len(name), 64)]
}

// Replica is the name that the process goes by: the one that it was given, until
// another process takes it.
func (l *Locks) Replica() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session.name
}

// Run keeps the session until ctx ends. Then it ends what is held, waits until
// every Hold has returned and deletes the session, which frees every lock at once.
func (l *Locks) Run(ctx context.Context) error {
	l.mu.Lock()
	l.blind = time.Now()
	l.mu.Unlock()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = l.store.follow(running, BucketLocks, ">", l.view()) })
	wg.Go(func() { l.keep(running) })
	<-ctx.Done()
	l.close()
	<-l.idle
	stop()
	wg.Wait()
	l.bye(context.WithoutCancel(ctx))
	return ctx.Err()
}

// Leave says that the process is about to end: nothing is taken any more, and what
// is given back from now on is free when Run ends, all at once, by one message.
func (l *Locks) Leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = true
}

// Hold implements pipeline.Locks. An instance is contended for once at a time in a
// process.
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
			revision, err := l.take(ctx, claim, t.last)
			if err == nil {
				l.hold(ctx, t, c, revision, held)
				return nil
			}
			l.log.Debug("lock not taken", "instance", claim.Instance, "err", err)
			t.wait = l.ttl / 3 // the watch, or another try, will show who has it
		}
		if err := await(ctx, c.wake, t.wait); err != nil {
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
	c := &contender{Claim: claim, hash: hash(claim.Key), entered: time.Now(), wake: make(chan struct{}, 1)}
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

// close lets nobody begin, and ends what is held.
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
	lease   context.Context // to hold it under; nil: it may not
	last    uint64          // revision of the lock
	former  Lock            // that names a session that has ended; zero: it names none
	expired bool            // that session did, by its TTL
	despite string          // session of its owner, which has left it free for long; empty: it is ours, or nobody's
	wait    time.Duration   // before it may; 0: that takes a change
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
	lock := l.fleet.locks[c.Instance]
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
		at = at.Add(l.ttl / 3) // whoever else contends goes first
	}
	if wait := time.Until(at); wait > 0 {
		return turn{wait: wait}, nil
	}
	return t, nil
}

// openLocks is how many locks a process takes or gives back at once: a renewal of
// the session must not wait behind thousands of them.
const openLocks = 64

// NameTakenError: a live process polls another origin under an instance's name. It
// matches pipeline.ErrConfig.
type NameTakenError struct{ Instance, Holder, There, Here string }

func (e *NameTakenError) Error() string {
	return fmt.Sprintf("the name %s is taken: %s polls %s under it; give %s a name of its own", e.Instance, e.Holder, e.There, e.Here)
}

// Is reports whether target is pipeline.ErrConfig.
func (e *NameTakenError) Is(target error) bool { return target == pipeline.ErrConfig }

// waitsFor says whom an instance that is nobody's share waits for: every process
// that is configured with it wants it, and one of them alone polls.
func (l *Locks) waitsFor(c *contender, holder string) {
	if c.Key == "" && c.named != holder {
		c.named = holder
		l.log.Info("locks: another process polls this instance; this one stands by", "instance", c.Instance, "holder", holder)
	}
}

// take writes the lock, if last is still its last revision.
func (l *Locks) take(ctx context.Context, claim pipeline.Claim, last uint64) (uint64, error) {
	place, err := l.open.Take(ctx, 1, false)
	if err != nil {
		return 0, err
	}
	defer place.Release()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	l.mu.Lock()
	lock := Lock{Holder: l.session.name, Session: l.session.id, AcquiredAt: time.Now().UTC(), Origin: claim.Origin}
	l.mu.Unlock()
	return l.write(ctx, Key(claim.Instance), last, encode(lock), nil)
}

// hold calls held while the lock can be counted on, and gives it back.
func (l *Locks) hold(ctx context.Context, t turn, c *contender, revision uint64, held func(context.Context)) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(t.lease, func() { cancel(context.Cause(t.lease)) })
	defer stop()
	l.mu.Lock()
	c.revision, c.since, c.despite, c.lose = revision, time.Now(), t.despite, cancel
	if seen := l.fleet.locks[c.Instance]; seen.revision > revision && seen.Session != l.session.id {
		c.shut() // taken away before we knew that we had it
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
	l.release(context.WithoutCancel(ctx), c.Instance, revision)
}

// release deletes a lock that is still at a revision. At the end of the
// process it need not: the session's end frees all.
func (l *Locks) release(ctx context.Context, instance string, revision uint64) {
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
		return // the next sweep gives it back
	}
	defer place.Release()
	revision, err = l.write(ctx, Key(instance), revision, nil, nats.Header{"KV-Operation": {"DEL"}})
	if err != nil {
		l.log.Debug("lock not given back", "instance", instance, "err", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fleet.known && l.fleet.locks[instance].revision < revision { // who contends again does so before the watch tells
		l.fleet.locks[instance] = Lock{revision: revision, seen: time.Now()}
	}
}

// write publishes a key's value, if last is still its last revision. It returns
// an error that matches pipeline.ErrFenced when it is not.
func (l *Locks) write(ctx context.Context, key string, last uint64, value []byte, header nats.Header) (uint64, error) {
	m := &nats.Msg{Subject: l.store.Conn.PutSubject(BucketLocks, key), Data: value, Header: header}
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	expect(m, last)
	return l.store.publisher.publish(ctx, []*nats.Msg{m})
}

// shut ends a hold: the lock can't be counted on.
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
