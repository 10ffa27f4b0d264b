package jets

import (
	"sync"
	"time"
)

// catchUpTime is how long a process that came back waits, with new locks, for
// what INTEGRATIONS says: one that can't be read keeps nobody from taking over.
const catchUpTime = 2 * watchSilence

// catchUp is over which connection a process was told all that INTEGRATIONS
// holds. What was disabled or deleted while it was cut off it must not poll, and
// LOCKS may be told first. Where nobody watches INTEGRATIONS there is nothing
// to wait for. It is safe for concurrent use.
type catchUp struct {
	mu      sync.Mutex
	watched bool
	told    uint64 // generation of the connection, + 1; 0: nothing was told
	done    func() // called when it has caught up; nil: nobody waits
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
	c.told = generation + 1
	done := c.done
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

// behind is how long new locks wait for what INTEGRATIONS says; 0: not at all.
func (l *Locks) behind() time.Duration {
	if l.store.caughtUp.with(l.store.Conn.Generation()) {
		return 0
	}
	return max(0, time.Until(l.fleet.settled.Add(catchUpTime)))
}
