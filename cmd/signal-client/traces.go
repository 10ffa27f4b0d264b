package main

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// traces calls the hooks of several traces, in order.
func traces(all ...*pipeline.Trace) *pipeline.Trace {
	complete := make([]pipeline.Trace, len(all))
	for i, t := range all {
		complete[i] = t.Complete()
	}
	each := func(call func(t *pipeline.Trace)) {
		for i := range complete {
			call(&complete[i])
		}
	}
	return &pipeline.Trace{
		Polled: func(instance string, page pipeline.Page, took time.Duration) {
			each(func(t *pipeline.Trace) { t.Polled(instance, page, took) })
		},
		Failed: func(instance string, err error) {
			each(func(t *pipeline.Trace) { t.Failed(instance, err) })
		},
		Committed: func(instance string, page pipeline.Page, r pipeline.Receipt, took time.Duration) {
			each(func(t *pipeline.Trace) { t.Committed(instance, page, r, took) })
		},
		Moved: func(instance string, state pipeline.State, at pipeline.Position, next time.Time) {
			each(func(t *pipeline.Trace) { t.Moved(instance, state, at, next) })
		},
		Inserted: func(instance string, past pipeline.Past, r pipeline.Receipt) {
			each(func(t *pipeline.Trace) { t.Inserted(instance, past, r) })
		},
		Audited: func(instance string, r pipeline.AuditReport) {
			each(func(t *pipeline.Trace) { t.Audited(instance, r) })
		},
		Requested: func(instance, code string, took time.Duration) {
			each(func(t *pipeline.Trace) { t.Requested(instance, code, took) })
		},
		Budget: func(instance string, limit pipeline.RateLimit) {
			each(func(t *pipeline.Trace) { t.Budget(instance, limit) })
		},
		Waits: func(instance string, until time.Time) {
			each(func(t *pipeline.Trace) { t.Waits(instance, until) })
		},
		Untimed: func(instance string, untimed bool) {
			each(func(t *pipeline.Trace) { t.Untimed(instance, untimed) })
		},
		PassedOver: func(instance string, gap pipeline.Gap) {
			each(func(t *pipeline.Trace) { t.PassedOver(instance, gap) })
		},
		Breaker: func(instance, state string, refused bool) {
			each(func(t *pipeline.Trace) { t.Breaker(instance, state, refused) })
		},
		DeadLetter: func(instance string, flaw pipeline.Flaw) {
			each(func(t *pipeline.Trace) { t.DeadLetter(instance, flaw) })
		},
		DeadLetterLost: func(instance string, flaw pipeline.Flaw) {
			each(func(t *pipeline.Trace) { t.DeadLetterLost(instance, flaw) })
		},
		Fenced: func(instance string) { each(func(t *pipeline.Trace) { t.Fenced(instance) }) },
		Lost:   func(instance string) { each(func(t *pipeline.Trace) { t.Lost(instance) }) },
		Wrote: func(instance, result string, took time.Duration) {
			each(func(t *pipeline.Trace) { t.Wrote(instance, result, took) })
		},
		Drift: func(field string) { each(func(t *pipeline.Trace) { t.Drift(field) }) },
	}
}
