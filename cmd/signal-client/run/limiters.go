package run

import (
	"sync"

	"github.com/witfoo/signal-client/source/limiter"
)

// limiters holds one limiter per origin, because an org's instances share its budget;
// they share what they know with other processes. The zero value is ready; it is safe for
// concurrent use.
type limiters struct {
	exchange limiter.Exchange // nil: none
	replica  string           // this process's name in the exchange

	mu   sync.Mutex
	each map[string]*limiter.Limiter // by origin
}

// Of returns an origin's limiter.
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
