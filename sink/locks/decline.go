package locks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// refusal is the reason why this process does not poll an instance.
type refusal struct {
	until  time.Time
	reason string
	held   bool // found while holding the lock: another process is to take over
}

// Bounds of a session's value; with the longest names and reasons it has 320 kB.
const (
	maxDeclines = 4096
	maxReasons  = 256
	maxReason   = 120
)

// Decline implements pipeline.Locks. Other processes see it with the session's next
// renewal.
func (l *Locks) Decline(instance string, until time.Time, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.declined[instance]
	if time.Until(until) <= 0 {
		delete(l.declined, instance)
	} else {
		l.declined[instance] = refusal{until: until, reason: reason}
	}
	c := l.contenders[instance]
	if c == nil {
		return
	}
	c.nudge()
	if c.revision == 0 || time.Until(until) <= 0 {
		return
	}
	l.declined[instance] = refusal{until: until, reason: reason, held: true}
	if c.Key == "" && !l.leaving && time.Until(before.until) <= 0 {
		c.lose(fmt.Errorf("%w: another process that contends for it", pipeline.ErrHandover))
		return
	}
	l.reconsider(c)
}

// tries begins a hold: the instance may be declined, but no other process has it, or the
// decline has run out.
func (l *Locks) tries(instance string) {
	if d, ok := l.declined[instance]; ok {
		d.held = false
		l.declined[instance] = d
	}
}

// declining reports whether an instance is declined. A held one is not, unless it was
// found under this very lock that it can't be polled.
func (l *Locks) declining(instance string) bool {
	d := l.declined[instance]
	if c := l.contenders[instance]; c != nil && c.revision != 0 && !d.held {
		return false
	}
	return time.Until(d.until) > 0
}

// declines lists the instances that are declined now, with reasons, and forgets the
// others.
func (l *Locks) declines() (list []string, reasons map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for instance, d := range l.declined {
		if time.Until(d.until) <= 0 {
			delete(l.declined, instance)
		} else if l.declining(instance) {
			list = append(list, instance)
		}
	}
	slices.Sort(list)
	list = list[:min(len(list), maxDeclines)]
	for _, instance := range list[:min(len(list), maxReasons)] {
		if reason := l.declined[instance].reason; reason != "" {
			if reasons == nil {
				reasons = map[string]string{}
			}
			reasons[instance] = shorten(reason)
		}
	}
	return list, reasons
}

// shorten cuts a reason to fit into a session's value.
func shorten(reason string) string {
	if len(reason) > maxReason {
		reason = reason[:maxReason-len("…")] + "…"
	}
	return strings.ToValidUTF8(reason, "")
}
