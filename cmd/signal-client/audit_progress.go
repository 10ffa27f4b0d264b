package main

import (
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// spanProgress tells how far a walk through a span of time is: in one line that is
// redrawn on a terminal, in a line now and then elsewhere.
type spanProgress struct {
	to           screen
	since, until time.Time
	told         time.Time
	shown        bool
}

func newProgress(to screen, since, until time.Time) *spanProgress {
	return &spanProgress{to: to, since: since, until: until, told: time.Now()}
}

// Audit is an Audit's Progress.
func (p *spanProgress) Audit(through time.Time, r *pipeline.AuditReport) {
	every := 10 * time.Second
	if p.to.Terminal {
		every = 250 * time.Millisecond
	}
	if time.Since(p.told) < every {
		return
	}
	p.told = time.Now()
	part := 0.0
	if through.After(p.since) {
		part = 100 * float64(through.Sub(p.since)) / float64(p.until.Sub(p.since))
	}
	line := fmt.Sprintf("%3.0f %% of the span, %s compared, %s", part, count(r.Both, "event"), count(r.Requests, "request"))
	if p.to.Terminal {
		p.shown = true
		fmt.Fprintf(p.to, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.to, line)
}

// Done takes the line away.
func (p *spanProgress) Done() {
	if p.shown {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
