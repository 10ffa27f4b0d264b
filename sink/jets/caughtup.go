package jets

import (
	"context"
	"sync"
	"time"
)

// SnapshotTime is how long a process that came back waits, with new locks and with
// polls, for a snapshot of INTEGRATIONS: a bucket that can't be read keeps nobody from
// taking over, or from polling.
const SnapshotTime = 2 * watchSilence

// SnapshotSeen names the connection over which a process's watch of INTEGRATIONS has
// delivered a full snapshot. Before that the process must not poll: an instance may
// have been disabled or deleted while it was cut off, and LOCKS may be told first.
// Where nobody watches INTEGRATIONS, as with a nil one, there is nothing to wait for.
// It is safe for concurrent use.
type SnapshotSeen struct {
	mu      sync.Mutex
	watched bool
	seen    uint64        // generation of the connection, + 1; 0: none was delivered
	done    func()        // called when it was; nil: nobody waits
	news    chan struct{} // closed when it was; nil: nobody waits
	missed  time.Time     // since when somebody waits; zero: nobody since the last snapshot
}

// Begin says that a watch begins.
func (s *SnapshotSeen) Begin() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = true
}

// Set says that a snapshot was delivered over the connection of a generation, and
// acted upon.
func (s *SnapshotSeen) Set(generation uint64) {
	if s == nil {
		return
	}
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

// Over reports whether nothing is to be waited for over the connection of a
// generation.
func (s *SnapshotSeen) Over(generation uint64) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.watched || s.seen == generation+1
}

// Call makes done be called whenever a snapshot was delivered over a new connection.
func (s *SnapshotSeen) Call(done func()) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = done
}

// Wait returns when a snapshot was delivered over the connection as it stands: an
// instance that this process holds on to may have been disabled or deleted while it was
// cut off. A snapshot is acted upon at once; a poll that comes a moment earlier is not
// prevented, and does no harm. Nobody waits for longer than SnapshotTime after the first
// has. The error is ctx's cause.
func (s *SnapshotSeen) Wait(ctx context.Context, conn *Conn) error {
	if s == nil {
		return nil
	}
	for {
		left, news := s.wanted(conn.Generation())
		if left <= 0 {
			return nil
		}
		if err := await(ctx, news, left); err != nil {
			return err
		}
	}
}

// wanted returns how long to wait for news over the connection of a generation, and
// what is closed when they come; 0: not at all.
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

// await waits until wake, for at most as long as d if that is not 0.
func await(ctx context.Context, wake <-chan struct{}, d time.Duration) error {
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
