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
	exchange limiter.Exchange // nil: none
	replica  string           // this process's name in the exchange

	mu   sync.Mutex
	each map[string]origin // by scheme, host and port
}

// Of returns the origin at an address.
func (o *origins) Of(address string) origin {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.each == nil {
		o.each = map[string]origin{}
	}
	known, ok := o.each[address]
	if !ok {
		known = origin{&limiter.Limiter{Exchange: o.exchange, Origin: address, Replica: o.replica}, new(pipeline.Clock)}
		o.each[address] = known
	}
	return known
}
