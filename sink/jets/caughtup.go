package jets

import (
	"context"
	"sync"
	"time"
)

// catchUpTime is how long a process that came back waits, with new locks and with
// polls, for what INTEGRATIONS says: one that can't be read keeps nobody from
// taking over, or from polling.
const catchUpTime = 2 * watchSilence

// catchUp is over which connection a process was told all that INTEGRATIONS
// holds. What was disabled or deleted while it was cut off it must not poll, and
// LOCKS may be told first. Where nobody watches INTEGRATIONS there is nothing
// to wait for. It is safe for concurrent use.
type catchUp struct {
	mu      sync.Mutex
	watched bool
	told    uint64        // generation of the connection, + 1; 0: nothing was told
	done    func()        // called when it has caught up; nil: nobody waits
	news    chan struct{} // closed when it has caught up; nil: nobody waits
	missed  time.Time     // since when somebody waits; zero: nobody since it last caught up
}

// begin says that a watch begins.
func (c *catchUp) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watched = true
}

// tell says that all was told over the connection of a generation, and acted upon.
func (c *catchUp) tell(generation uint64) {
	c.mu.Lock()
	news := c.told != generation+1
	c.told, c.missed = generation+1, time.Time{}
	done := c.done
	if c.news != nil {
		close(c.news)
		c.news = nil
	}
	c.mu.Unlock()
	if news && done != nil {
		done()
	}
}

// with reports whether nothing is to be waited for over the connection of a
// generation.
func (c *catchUp) with(generation uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.watched || c.told == generation+1
}

// call makes done be called whenever it has caught up.
func (c *catchUp) call(done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = done
}

// Heard waits until this process was told what INTEGRATIONS says by now, if it was
// cut off since it was told last: an instance that it holds on to may have been
// disabled or deleted. What it was told is acted upon at once; a poll that comes a
// moment earlier is not prevented, and does no harm. Nobody waits for longer than 10 s
// after the first has. The error is ctx's cause.
func (s *Store) Heard(ctx context.Context) error {
	for {
		left, news := s.caughtUp.wanted(s.Conn.Generation())
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
func (c *catchUp) wanted(generation uint64) (time.Duration, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.watched || c.told == generation+1 {
		return 0, nil
	}
	if c.missed.IsZero() {
		c.missed = time.Now()
	}
	if c.news == nil {
		c.news = make(chan struct{})
	}
	return time.Until(c.missed.Add(catchUpTime)), c.news
}

// behind is how long new locks wait for what INTEGRATIONS says; 0: not at all.
func (l *Locks) behind() time.Duration {
	if l.store.caughtUp.with(l.store.Conn.Generation()) {
		return 0
	}
	return max(0, time.Until(l.fleet.settled.Add(catchUpTime)))
}
