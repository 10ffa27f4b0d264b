package run

import (
	"sync"

	"github.com/witfoo/signal-client/source/limiter"
)

// limiters are one per origin, since the instances of an org share its budget;
// with those of other processes they exchange what they know. Its zero value is
// ready; it is safe for concurrent use.
type limiters struct {
	exchange limiter.Exchange // nil: none
	replica  string           // this process among those that exchange

	mu   sync.Mutex
	each map[string]*limiter.Limiter // by origin
}

// Of is the origin's.
func (l *limiters) Of(origin string) *limiter.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each == nil {
		l.each = map[string]*limiter.Limiter{}
	}
	if l.each[origin] == nil {
		l.each[origin] = &limiter.Limiter{Exchange: l.exchange, Origin: origin, Replica: l.replica}
	}
	return l.each[origin]
}
