package oktatest

import (
	"context"
	"time"
)

// Run adds events, about perMinute per minute at irregular intervals, until ctx ends.
// Each is persisted when it is added, and was published before that by the org's lag.
func (o *Org) Run(ctx context.Context, perMinute float64) {
	if perMinute <= 0 {
		<-ctx.Done()
		return
	}
	r := chance(o.config.Seed, chanceRun, uint64(time.Now().UnixNano()))
	due := time.Now()
	for ctx.Err() == nil {
		due = due.Add(time.Duration(r.ExpFloat64() / perMinute * float64(time.Minute)))
		if !sleep(ctx, time.Until(due)) {
			return
		}
		o.happen()
	}
}

// happen adds one event that was published a while ago.
func (o *Org) happen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.Now().Truncate(time.Millisecond)
	published := now.Add(-o.gen.lag(o.config.Lag)).Truncate(time.Millisecond)
	o.log.add(o.complete(Event{Published: published, Persisted: now}, now))
}
