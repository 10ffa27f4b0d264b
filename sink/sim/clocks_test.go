package sim

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSimulationOfClocks sets the clocks of the pollers' machines by days, forth and back,
// and has the org stamp a few answers in a row with a time that is a day off.
func TestSimulationOfClocks(t *testing.T) { simulate(t, clocks, 20) }

var clocks = trouble{org: true, changes: true, clocks: true}

// wallClock is the wall clock of a machine.
type wallClock struct{ off atomic.Int64 }

func (c *wallClock) Now() time.Time { return time.Now().Round(0).Add(time.Duration(c.off.Load())) }

// wallOf is the clock of a poller's machine: it outlives the process.
func (w *world) wallOf(name string) *wallClock {
	if w.walls == nil {
		w.walls = map[string]*wallClock{}
	}
	if w.walls[name] == nil {
		w.walls[name] = new(wallClock)
	}
	return w.walls[name]
}

// lies are answers of the org to come whose Date is off.
type lies struct {
	mu   sync.Mutex
	left int
	off  time.Duration
}

func (l *lies) next() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == 0 {
		return 0
	}
	l.left--
	return l.off
}

// stepClock sets a machine's clock, or has the org tell a wrong time for fewer answers than
// it takes to be believed.
func (w *world) stepClock(p *poller) {
	const day = 24 * time.Hour
	off := []time.Duration{day, -day, 91 * day, -10 * day, time.Hour, 0}[w.rng.IntN(6)]
	if w.chance(0.5) {
		w.log.Info("clock set", "poller", p.name, "off", off)
		p.wall.off.Store(int64(off))
		return
	}
	w.log.Info("the org's clock is off", "off", off)
	w.lies.mu.Lock()
	defer w.lies.mu.Unlock()
	w.lies.left, w.lies.off = 1+w.rng.IntN(4), off
}
