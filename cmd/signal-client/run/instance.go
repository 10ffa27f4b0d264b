package run

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/breaker"
)

// instance is the state of an instance that outlives a poll and changes of its
// configuration: its wake channel, its breaker, and the check of its token file.
type instance struct {
	wake chan struct{}                // holds one wake
	cap  atomic.Pointer[pipeline.Cap] // that the previous holder has learned, until it is used; nil: none

	mu      sync.Mutex
	breaker *instanceBreaker                 // nil: no request was made yet
	session *instanceSession                 // nil: none yet
	http    *http.Client                     // how its org is reached; nil: not known yet
	look    func() (changed bool, err error) // at the token's file; nil: it is not polled, or has none
}

// Guard puts the instance's breaker before a source, and reports its state to trace. The
// former source must no longer be in use.
//
// A breaker outlives changes of the client behind it as long as origin and credential are
// the same: a changed interval must not make a refused credential be tried again, and a
// changed credential is tried at once.
func (n *instance) Guard(src pipeline.Source, i pipeline.Integration, token pipeline.Credential, trace *pipeline.Trace) pipeline.Source {
	n.mu.Lock()
	if n.breaker == nil || n.breaker.origin != i.Origin || n.breaker.token != token {
		n.breaker = newBreaker(i, token, trace)
	}
	b := n.breaker
	n.mu.Unlock()
	state, refused := b.guard(src)
	trace.Breaker(i.Instance, state, refused)
	return b
}

// instanceSession is what the instance's clients share, of one credential at one org.
type instanceSession struct {
	source.Session
	origin string
	token  pipeline.Credential
}

// Session returns what all clients of the instance's credential share.
func (n *instance) Session(i pipeline.Integration, token pipeline.Credential) *source.Session {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session == nil || n.session.origin != i.Origin || n.session.token != token {
		n.session = &instanceSession{origin: i.Origin, token: token}
	}
	return &n.session.Session
}

// Reach sets the client for requests to the instance's org.
func (n *instance) Reach(client *http.Client) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.http = client
}

// HTTP returns the client that Reach has set; nil: none.
func (n *instance) HTTP() *http.Client {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.http
}

// Wake has the instance polled at once, past its breaker. It never blocks. Wakes that
// arrive during a poll are merged.
func (n *instance) Wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.breaker != nil {
		n.breaker.Try()
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Looks makes SIGHUP check the instance's token file, until stop is called.
func (n *instance) Looks(look func() (bool, error)) (stop func()) {
	set := func(look func() (bool, error)) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.look = look
	}
	set(look)
	return func() { set(nil) }
}

// instanceBreaker is an instance's breaker, and the current source behind it.
type instanceBreaker struct {
	*breaker.Breaker
	origin string
	token  pipeline.Credential

	mu      sync.Mutex
	source  pipeline.Source
	state   string // as last reported by the breaker
	refused bool
}

func newBreaker(i pipeline.Integration, token pipeline.Credential, trace *pipeline.Trace) *instanceBreaker {
	b := &instanceBreaker{origin: i.Origin, token: token, state: breaker.Closed}
	b.Breaker = breaker.Wrap(i.Instance, behind{b}, &pipeline.Trace{
		Breaker: func(instance, state string, refused bool) {
			b.mu.Lock()
			b.state, b.refused = state, refused
			b.mu.Unlock()
			trace.Breaker(instance, state, refused)
		},
	})
	return b
}

// guard puts the breaker before a source, and returns its state.
func (b *instanceBreaker) guard(source pipeline.Source) (state string, refused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.source = source
	return b.state, b.refused
}

// behind is the source that an instanceBreaker's breaker wraps.
type behind struct{ b *instanceBreaker }

// Poll implements pipeline.Source.
func (s behind) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	s.b.mu.Lock()
	source := s.b.source
	s.b.mu.Unlock()
	return source.Poll(ctx, link)
}

// instances holds the instances that were polled here and are still configured. The zero
// value is ready; it is safe for concurrent use.
type instances struct {
	mu   sync.Mutex
	each map[string]*instance // by name
}

// Of returns the instance of a name.
func (s *instances) Of(name string) *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.each == nil {
		s.each = map[string]*instance{}
	}
	if s.each[name] == nil {
		s.each[name] = &instance{wake: make(chan struct{}, 1)}
	}
	return s.each[name]
}

// Forget drops an instance that is no longer configured.
func (s *instances) Forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.each, name)
}

// Wake wakes an instance, if it was ever polled here.
func (s *instances) Wake(name string) {
	s.mu.Lock()
	n := s.each[name]
	s.mu.Unlock()
	if n != nil {
		n.Wake()
	}
}

// Listen wakes the instances named by messages on signal-client.wake.<instance>, until stop
// is called. Nothing depends on these messages: the next poll finds the same.
func (s *instances) Listen(nc *nats.Conn, log *slog.Logger) (stop func()) {
	prefix := jets.SubjectWake("")
	sub, err := nc.Subscribe(jets.SubjectWake("*"), func(m *nats.Msg) {
		s.Wake(strings.TrimPrefix(m.Subject, prefix))
	})
	if err != nil {
		log.Warn("wake messages are not received", "err", err)
		return func() {}
	}
	return func() { _ = sub.Unsubscribe() }
}

// Look checks all token files. It returns how many there are, and the instances whose file
// holds another token or can't be read.
func (s *instances) Look() (looked int, changed, failed []string) {
	s.mu.Lock()
	each := maps.Clone(s.each)
	s.mu.Unlock()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for name, n := range each {
		n.mu.Lock()
		look := n.look
		n.mu.Unlock()
		if look == nil {
			continue
		}
		looked++
		wg.Go(func() {
			another, err := look()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, name)
			} else if another {
				changed = append(changed, name)
			}
		})
	}
	wg.Wait()
	slices.Sort(changed)
	slices.Sort(failed)
	return looked, changed, failed
}
