package limiter

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// holdBack holds all requests back when an answer asks for it.
func (l *Limiter) holdBack(now time.Time, status int, seen budget) {
	pause := min(seen.retryAfter, maxPause)
	if status == http.StatusTooManyRequests {
		pause = min(max(pause, l.pause(seen), minPause), maxPause)
		l.refusals++
	} else {
		l.refusals = 0
	}
	l.hold = pipeline.Later(l.hold, now.Add(pause))
	if status == http.StatusTooManyRequests {
		// A new window is assumed after the wait.
		l.window.ends = pipeline.Earlier(l.window.ends, l.hold.Add(-slack-l.late))
	}
}

// pause returns the wait after a 429: until the window's end if the answer names a
// credible one, else a growing time.
func (l *Limiter) pause(seen budget) time.Duration {
	grown := func(most time.Duration) time.Duration {
		d := min(time.Second<<min(l.refusals, 10), most)
		return d/2 + l.jitter(d/2) + 1
	}
	switch {
	case seen.concurrency():
		return grown(time.Minute)
	case !seen.shown && seen.reset == 0, seen.left <= 0:
		return grown(30 * time.Second)
	}
	return seen.left + time.Second + l.jitter(time.Second)
}

func (l *Limiter) jitter(most time.Duration) time.Duration {
	random := l.Rand
	if random == nil {
		random = rand.Float64
	}
	return time.Duration(random() * float64(most))
}
