package main

import (
	"sync"

	"github.com/witfoo/signal-client/source/okta"
)

// limiters are one per origin, since the instances of an org share its budget;
// with those of other processes they exchange what they know. Its zero value is
// ready; it is safe for concurrent use.
type limiters struct {
	exchange okta.Exchange // nil: none
	replica  string        // this process among those that exchange

	mu   sync.Mutex
	each map[string]*okta.Limiter // by origin
}

// Of is the origin's.
func (l *limiters) Of(origin string) *okta.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each == nil {
		l.each = map[string]*okta.Limiter{}
	}
	if l.each[origin] == nil {
		l.each[origin] = &okta.Limiter{Exchange: l.exchange, Origin: origin, Replica: l.replica}
	}
	return l.each[origin]
}
