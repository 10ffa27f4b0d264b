package limiter

import (
	"maps"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// budget returns what the Limiter knows, without an ended window, for other processes.
func (l *Limiter) budget(now time.Time) pipeline.Budget {
	b := pipeline.Budget{
		Version: 1, Origin: l.Origin, Replica: l.Replica,
		LateSeconds: l.late.Seconds(), Limited: l.limited,
		Askers: map[string]time.Time{}, At: now.UTC(),
	}
	for replica, at := range l.sharing.askers {
		b.Askers[replica] = at.UTC()
	}
	if !l.last.IsZero() {
		b.Askers[l.Replica] = l.last.UTC()
	}
	if l.hold.After(now) {
		b.HoldUntil = l.hold.UTC()
	}
	if l.known && !l.over(now) {
		b.Limit, b.Remaining = l.window.limit, max(l.window.remaining, 0)
		b.Reset, b.WindowEnds = l.window.reset, l.window.ends.UTC()
	}
	return b
}

// Merge takes over what another process knows, in any order and any number of times.
// Within one window the smaller remaining and the earlier end count; a later window
// replaces the current one, an earlier or ended one is ignored. The longer hold and the
// greater lateness count. Whatever a foreign clock has said, nothing is held back for
// more than 120 s, and no window is longer than a window.
func (l *Limiter) Merge(b pipeline.Budget) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.line.wake()
	now := time.Now()
	l.late = max(l.late, time.Duration(min(max(b.LateSeconds, 0), maxLate.Seconds())*float64(time.Second)))
	l.limited = l.limited || b.Limited
	if pause := min(b.HoldUntil.Sub(now), maxPause); pause > 0 {
		l.hold = pipeline.Later(l.hold, now.Add(pause))
		l.sharing.held = pipeline.Later(l.sharing.held, now.Add(pause))
	}
	l.mergeWindow(now, b)
	l.mergeAskers(now, b.Askers)
}

func (l *Limiter) mergeWindow(now time.Time, b pipeline.Budget) {
	if b.WindowEnds.IsZero() || b.Limit <= 0 || b.Remaining < 0 || b.Remaining > b.Limit || b.Reset < 0 {
		return
	}
	left := min(b.WindowEnds.Sub(now), windowLength)
	theirs := window{b.Reset, b.Limit, b.Remaining, now.Add(left)}
	unnamed := theirs.reset == 0 || l.window.reset == 0
	switch {
	case left+slack+l.late <= 0:
	case !l.known, theirs.after(l.window), l.over(now) && unnamed:
		l.whole = false
		l.begin(now, theirs)
	case unnamed, theirs.same(l.window):
		l.window.remaining = min(l.window.remaining, theirs.remaining)
		l.window.ends = pipeline.Earlier(l.window.ends, theirs.ends)
	}
}

// mergeAskers keeps the processes that have asked lately.
func (l *Limiter) mergeAskers(now time.Time, theirs map[string]time.Time) {
	if l.sharing.askers == nil {
		l.sharing.askers = map[string]time.Time{}
	}
	for replica, at := range theirs {
		ago := max(now.Sub(at), 0)
		l.sharing.askers[replica] = pipeline.Later(l.sharing.askers[replica], now.Add(-ago))
	}
	maps.DeleteFunc(l.sharing.askers, func(_ string, at time.Time) bool { return now.Sub(at) > asking })
}

// peers returns how many other processes are known to ask the org.
func (l *Limiter) peers(now time.Time) int {
	n := 0
	for replica, at := range l.sharing.askers {
		if replica != l.Replica && now.Sub(at) <= asking {
			n++
		}
	}
	return n
}
