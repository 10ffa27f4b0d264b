package run

import (
	"sync"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/limiter"
)

// origin is shared by the instances of one org: its limiter, because they share its
// budget, and the estimate of its clock. It outlives restarts of polls.
type origin struct {
	limiter *limiter.Limiter
	clock   *pipeline.Clock
}

// origins holds the origins. Their limiters share what they know with other processes. The
// zero value is ready, and shares nothing; it is safe for concurrent use.
type origins struct {
	exchanges map[*pipeline.Kind]limiter.Exchange // nil: none
	replica   string                              // this process's name in them

	mu   sync.Mutex
	each map[place]origin
}

// place is where an org's API is: one host may have those of several kinds.
type place struct {
	kind    *pipeline.Kind
	address string // scheme, host and port
}

// Of returns the origin of an instance.
func (o *origins) Of(i pipeline.Integration) origin {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.each == nil {
		o.each = map[place]origin{}
	}
	at := place{i.Kind, i.Origin}
	known, ok := o.each[at]
	if !ok {
		known = origin{&limiter.Limiter{Exchange: o.exchanges[i.Kind], Origin: i.Origin, Replica: o.replica}, new(pipeline.Clock)}
		o.each[at] = known
	}
	return known
}
