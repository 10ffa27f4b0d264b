package oktatest

import (
	"strconv"
	"strings"
	"time"
)

// generation separates, in the second number of a cursor, the place in
// the log from how often cursors were expired before it was handed out.
const generation = 1_000_000_000_000

// cursorRules say which cursors are refused.
type cursorRules struct {
	expired int64     // cursors of earlier generations are refused
	floor   time.Time // cursors to places before it are refused
	refuse  int       // how many more requests with a cursor are refused
}

// format writes a cursor as Okta's look, <millis>_<n>.
func (c *cursorRules) format(k key) string {
	return strconv.FormatInt(k.millis, 10) + "_" + strconv.FormatInt(c.expired*generation+k.serial, 10)
}

// parse reads a polling cursor; not ok: it is refused.
func (c *cursorRules) parse(after string, log *eventLog) (k key, ok bool) {
	if c.refuse > 0 {
		c.refuse--
		return key{}, false
	}
	millis, n, ok := strings.Cut(after, "_")
	if !ok {
		return key{}, false
	}
	var errMillis, errN error
	k.millis, errMillis = strconv.ParseInt(millis, 10, 64)
	k.serial, errN = strconv.ParseInt(n, 10, 64)
	if errMillis != nil || errN != nil || k.serial < 0 || k.serial/generation != c.expired {
		return key{}, false
	}
	k.serial %= generation
	if time.UnixMilli(k.millis).Before(c.floor) {
		return key{}, false
	}
	return k, k.serial == 0 || log.holds(k)
}

// ExpireCursors makes the org refuse every polling cursor that it has handed
// out until now.
func (o *Org) ExpireCursors() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cursors.expired++
}

// ExpireCursorsBefore makes the org refuse polling cursors to places in the
// log that are older than t; the zero time: none.
func (o *Org) ExpireCursorsBefore(t time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cursors.floor = t
}

// RefuseCursors makes the org refuse the next n requests that carry a polling cursor.
func (o *Org) RefuseCursors(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cursors.refuse = n
}
