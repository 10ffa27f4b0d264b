package run

import (
	"context"
	"sync"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/breaker"
)

// breakers holds the instances' breakers. A breaker outlives changes of the client behind
// it as long as origin and credential are the same: a changed interval must not make a
// refused credential be tried again, and a changed credential is tried at once.
//
// The zero value is ready; it is safe for concurrent use.
type breakers struct {
	mu   sync.Mutex
	each map[string]*instanceBreaker // by instance
}

// instanceBreaker is one instance's breaker, and the current source behind it.
type instanceBreaker struct {
	*breaker.Breaker
	origin string
	token  pipeline.Secret

	mu      sync.Mutex
	source  pipeline.Source
	state   string // as last reported by the breaker
	refused bool
}

// Before puts the instance's breaker before a source, and reports its state to trace. The
// former source must no longer be in use.
func (g *breakers) Before(source pipeline.Source, i pipeline.Integration, token pipeline.Secret, trace *pipeline.Trace) pipeline.Source {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.each == nil {
		g.each = map[string]*instanceBreaker{}
	}
	known := g.each[i.Instance]
	if known == nil || known.origin != i.Origin || known.token != token {
		known = newGuard(i, token, trace)
		g.each[i.Instance] = known
	}
	known.mu.Lock()
	known.source = source
	state, refused := known.state, known.refused
	known.mu.Unlock()
	trace.Breaker(i.Instance, state, refused)
	return known
}

// Try lets an instance's next poll pass an open breaker.
func (g *breakers) Try(instance string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if known := g.each[instance]; known != nil {
		known.Try()
	}
}

// Forget drops the breaker of a deleted instance.
func (g *breakers) Forget(instance string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.each, instance)
}

func newGuard(i pipeline.Integration, token pipeline.Secret, trace *pipeline.Trace) *instanceBreaker {
	g := &instanceBreaker{origin: i.Origin, token: token, state: breaker.Closed}
	g.Breaker = breaker.Wrap(i.Instance, behind{g}, &pipeline.Trace{
		Breaker: func(instance, state string, refused bool) {
			g.mu.Lock()
			g.state, g.refused = state, refused
			g.mu.Unlock()
			trace.Breaker(instance, state, refused)
		},
	})
	return g
}

// behind is the source that a guard's breaker asks.
type behind struct{ g *instanceBreaker }

// Poll implements pipeline.Source.
func (b behind) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	b.g.mu.Lock()
	source := b.g.source
	b.g.mu.Unlock()
	return source.Poll(ctx, link)
}
