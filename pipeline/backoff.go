package pipeline

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is the growing wait between attempts: exponential, with full jitter above a
// minimum, so that clients that failed together do not retry together. The zero value
// waits from 250 ms to 30 s. It is not safe for concurrent use.
type Backoff struct {
	Min  time.Duration  // the shortest wait; default 250 ms
	Max  time.Duration  // the longest wait; default 30 s; at least Min
	Rand func() float64 // in [0, 1); default math/rand/v2

	ceiling time.Duration // upper bound of the last wait; zero: none yet
}

// Next returns how long to wait before the next attempt: anything from Min to a
// ceiling that starts at twice Min and doubles up to Max.
func (b *Backoff) Next() time.Duration {
	least, most, random := b.withDefaults()
	b.ceiling = min(2*max(b.ceiling, least), most)
	return least + time.Duration(random()*float64(b.ceiling-least))
}

// Reset makes the next wait short again. Call it after a success.
func (b *Backoff) Reset() { b.ceiling = 0 }

func (b *Backoff) withDefaults() (least, most time.Duration, random func() float64) {
	least, most, random = b.Min, b.Max, b.Rand
	if least <= 0 {
		least = 250 * time.Millisecond
	}
	if most <= 0 {
		most = 30 * time.Second
	}
	if random == nil {
		random = rand.Float64
	}
	return least, max(least, most), random
}

// Sleep waits for d. If ctx ends first, it returns the cause.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
