package run

import (
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets"
)

// wakeups forwards wake messages to the polls. The zero value is ready; it is safe for
// concurrent use.
type wakeups struct {
	before func(instance string) // called before each wake; nil: not called

	mu   sync.Mutex
	each map[string]chan struct{} // by instance
}

// Of returns the channel that wakes an instance's poll. Wakes that arrive while it works
// are merged.
func (w *wakeups) Of(instance string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.each == nil {
		w.each = map[string]chan struct{}{}
	}
	if w.each[instance] == nil {
		w.each[instance] = make(chan struct{}, 1)
	}
	return w.each[instance]
}

// Forget drops a deleted instance.
func (w *wakeups) Forget(instance string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.each, instance)
}

// Wake wakes an instance's poll, if it was ever polled here. It never blocks.
func (w *wakeups) Wake(instance string) {
	if w.before != nil {
		w.before(instance)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.each[instance] <- struct{}{}: // a nil channel accepts nothing
	default:
	}
}

// Listen wakes the instances named by messages on signal-client.wake.<instance>, until
// stop is called. Nothing depends on these messages: without them the next poll finds the
// same.
func (w *wakeups) Listen(nc *nats.Conn, log *slog.Logger) (stop func()) {
	prefix := jets.SubjectWake("")
	sub, err := nc.Subscribe(jets.SubjectWake("*"), func(m *nats.Msg) {
		w.Wake(strings.TrimPrefix(m.Subject, prefix))
	})
	if err != nil {
		log.Warn("wake messages are not received", "err", err)
		return func() {}
	}
	return func() { _ = sub.Unsubscribe() }
}
