package jets

import (
	"context"
	"sync"
	"time"
)

// SnapshotTime is how long a reconnected process delays new locks and polls until it has
// a snapshot of INTEGRATIONS. Beyond that a bucket that can't be read must not prevent
// takeovers or polls.
const SnapshotTime = 2 * WatchSilence

// SnapshotSeen names the connection over which the watch of INTEGRATIONS has delivered a
// full snapshot. Before that the process must not poll: an instance may have been
// disabled or deleted while it was disconnected, and the watch of LOCKS may be faster. If
// nobody watches INTEGRATIONS, there is nothing to wait for. It is safe for concurrent use.
type SnapshotSeen struct {
	mu      sync.Mutex
	watched bool
	seen    uint64        // generation of the connection + 1; 0: none yet
	done    func()        // called on a snapshot over a new connection; nil: none
	news    chan struct{} // closed on the next snapshot; nil: nobody waits
	missed  time.Time     // when the first Wait since the last snapshot began; zero: none has
}

// Begin records that a watch begins.
func (s *SnapshotSeen) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = true
}

// Set records that a snapshot was delivered over a generation's connection, and applied.
func (s *SnapshotSeen) Set(generation uint64) {
	s.mu.Lock()
	news := s.seen != generation+1
	s.seen, s.missed = generation+1, time.Time{}
	done := s.done
	if s.news != nil {
		close(s.news)
		s.news = nil
	}
	s.mu.Unlock()
	if news && done != nil {
		done()
	}
}

// Over reports whether there is nothing to wait for over the connection of a generation.
func (s *SnapshotSeen) Over(generation uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.watched || s.seen == generation+1
}

// Call sets the function that is called on the first snapshot over each connection.
func (s *SnapshotSeen) Call(done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = done
}

// Wait returns when a snapshot has been delivered over the current connection: an
// instance that this process holds may have been disabled or deleted while it was
// disconnected. A poll that comes a moment before the snapshot is applied is not
// prevented, and does no harm. Nobody waits beyond SnapshotTime after the first Wait. The
// error is ctx's cause.
func (s *SnapshotSeen) Wait(ctx context.Context, conn *Conn) error {
	for {
		left, news := s.wanted(conn.Generation())
		if left <= 0 {
			return nil
		}
		if err := Await(ctx, news, left); err != nil {
			return err
		}
	}
}

// wanted returns how long to wait for a snapshot over the connection of a generation, and
// the channel that it closes; 0: not at all.
func (s *SnapshotSeen) wanted(generation uint64) (time.Duration, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.watched || s.seen == generation+1 {
		return 0, nil
	}
	if s.missed.IsZero() {
		s.missed = time.Now()
	}
	if s.news == nil {
		s.news = make(chan struct{})
	}
	return time.Until(s.missed.Add(SnapshotTime)), s.news
}

// Await waits until wake, for at most d unless that is 0.
func Await(ctx context.Context, wake <-chan struct{}, d time.Duration) error {
	var due <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-wake:
	case <-due:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
