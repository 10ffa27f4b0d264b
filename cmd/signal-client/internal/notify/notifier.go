package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/source"
)

// Bounds of a process.
const (
	waiting     = 256              // advisories that wait to be matched
	waitingEach = 32               // notifications that wait for a channel
	rulesKept   = 10 * time.Second // how long the rules are used before they are read again
	readTime    = 10 * time.Second
)

// Notifier sends a process's advisories as the rules say. It is safe for concurrent use.
type Notifier struct {
	stored  *buckets.Notifications
	replica func() string // may change
	http    *http.Client
	log     *slog.Logger
	pauses  []time.Duration // before the second and later attempts
	queue   chan Advisory

	// Of Run's goroutine.
	rules    buckets.Rules
	read     time.Time // when rules were read
	channels map[string]*channel
	running  sync.WaitGroup
}

// New returns a notifier; client may be nil. Run sends.
func New(stored *buckets.Notifications, replica func() string, client *http.Client, log *slog.Logger) *Notifier {
	return &Notifier{stored: stored, replica: replica, http: cmp.Or(client, new(source.Network).Receivers()), log: log,
		pauses: []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute},
		queue:  make(chan Advisory, waiting), channels: map[string]*channel{}}
}

// Notify hands an advisory over, as schemas/advisory.json describes it. It never blocks:
// if too many wait, this one is dropped, and the log says so.
func (n *Notifier) Notify(advisory []byte) {
	a := Advisory{Data: advisory}
	if err := json.Unmarshal(advisory, &a); err != nil {
		n.lost(a, "err", err)
		return
	}
	select {
	case n.queue <- a:
	default:
		n.lost(a, "why", "too many wait")
	}
}

func (n *Notifier) lost(a Advisory, args ...any) {
	n.log.Warn("nobody is notified of an advisory", append([]any{"kind", a.Kind, "instance", a.Instance}, args...)...)
}

// Run sends until ctx ends. What waits then is not sent.
func (n *Notifier) Run(ctx context.Context) error {
	defer n.running.Wait()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-n.queue:
			if err := pipeline.Contain(n.log, "notifications", func() error { return n.refresh(ctx) }); err != nil {
				n.lost(a, "err", err)
				continue
			}
			_ = pipeline.Contain(n.log, "notifications", func() error {
				for _, r := range n.rules.Rules {
					if r.Matches(a.Kind, a.Instance, a.Severity) {
						n.dispatch(ctx, r, a)
					}
				}
				return nil
			})
		}
	}
}

// refresh reads the rules again if they may have changed.
func (n *Notifier) refresh(ctx context.Context) error {
	if time.Since(n.read) < rulesKept {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	rules, err := n.stored.Read(ctx)
	if err == nil {
		n.rules, n.read = rules, time.Now()
	}
	return err
}

// dispatch hands an advisory to the channels of a rule.
func (n *Notifier) dispatch(ctx context.Context, r buckets.Rule, a Advisory) {
	for _, name := range r.Channels {
		to, known := n.rules.Channel(name)
		if !known || to.Disabled {
			continue
		}
		c := n.channels[name]
		if c == nil {
			c = &channel{notifier: n, queue: make(chan task, waitingEach)}
			n.channels[name] = c
			n.running.Go(func() { _ = pipeline.ContainRun(ctx, n.log, "notifications by "+name, c.run) })
		}
		select {
		case c.queue <- task{to, r, a}:
		default:
			n.lost(a, "channel", name, "why", "too many wait for this channel")
		}
	}
}
