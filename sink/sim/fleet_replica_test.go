package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	pollers "github.com/witfoo/signal-client/pipeline/fleet"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/breaker"
	"github.com/witfoo/signal-client/source/limiter"
	"github.com/witfoo/signal-client/source/okta"
)

// replica is a process of the simulated fleet, put together as the program puts
// itself together: a connection, a session, a fleet, and for each instance that it
// holds limiter, client, breaker, runner and sink.
type replica struct {
	name  string
	w     *fleetWorld
	proxy *jetstest.Proxy
	gate  sinktest.Gate
	dead  atomic.Bool
	locks atomic.Pointer[locks.Locks] // nil: not connected yet
	stop  context.CancelFunc          // as SIGTERM does
	asks  pipeline.Gate               // of requests in flight
	pages pipeline.Gate               // of bytes of pages
	done  chan struct{}

	mu       sync.Mutex
	frozen   bool
	woke     time.Time                   // from the newest freeze
	limiters map[string]*limiter.Limiter // by origin
	guards   map[string]*guard           // by instance
	unable   map[string]bool             // instances that it can't poll
	cut      map[string]bool             // hosts that it has no way to
	wakes    map[string]chan struct{}    // by instance
}

func (w *fleetWorld) launch(name string) *replica {
	ctx, stop := context.WithCancel(w.Context())
	r := &replica{name: name, w: w, proxy: jetstest.NewProxy(w.server), stop: stop, done: make(chan struct{}),
		limiters: map[string]*limiter.Limiter{}, guards: map[string]*guard{}, unable: map[string]bool{}, cut: map[string]bool{}, wakes: map[string]chan struct{}{},
		asks: pipeline.Gate{Capacity: 10}, pages: pipeline.Gate{Capacity: 4 << 20, Spare: fleetBody}}
	go func() {
		defer close(r.done)
		for ctx.Err() == nil {
			if err := r.live(ctx); err != nil {
				w.log.Info("replica", "name", name, "err", err)
			}
			_ = pipeline.Sleep(ctx, time.Second)
		}
		if asks, pages := r.asks.Used(), r.pages.Used(); asks != 0 || pages != 0 {
			w.Errorf("seed %d: %s has ended with %d requests in flight and %d bytes of pages", w.seed, name, asks, pages)
		}
	}()
	return r
}

// fleetBody is the most bytes that a body may have.
const fleetBody = 2 << 20

// live is a process from its connection on: what service.work does.
func (r *replica) live(ctx context.Context) error {
	log := r.w.log.With("process", r.name)
	conn, err := jets.Dialer{Log: log}.Connect(ctx, "", nats.InProcessServer(r.proxy), nats.ReconnectWait(time.Second))
	if err != nil {
		return err
	}
	defer conn.Close()
	store, err := jets.Open(ctx, conn, jets.Config{Kind: sinktest.Kind, Log: log})
	if err != nil {
		return err
	}
	seen := new(jets.SnapshotSeen)
	locks, err := locks.New(store, locks.Config{Seen: seen, Replica: r.name, TTL: r.w.ttl, Log: log})
	if err != nil {
		return err
	}
	r.locks.Store(locks)
	defer r.locks.Store(nil)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = locks.Run(running) })
	defer wg.Wait()
	defer stop()
	context.AfterFunc(ctx, locks.Leave)
	return (&pollers.Fleet{
		Integrations: &buckets.Integrations{Store: store, Seen: seen},
		Locks:        lateLocks{locks, r, r.w.chanceOf(r.name + " late")},
		Static:       r.w.environment,
		Poll: func(ctx context.Context, i pipeline.Integration, able func(error)) error {
			return r.poll(ctx, store, i, able)
		},
		Log:     log,
		Backoff: pipeline.Backoff{Rand: r.w.chanceOf(r.name)},
	}).Run(ctx)
}

// poll is the stage's Poll and Runner.
func (r *replica) poll(ctx context.Context, store *jets.Store, i pipeline.Integration, able func(error)) error {
	r.mu.Lock()
	unable, budget := r.unable[i.Instance], r.limiters[i.Origin]
	if budget == nil {
		budget = &limiter.Limiter{Rand: r.w.chanceOf(r.name + i.Origin), Exchange: buckets.NewBudgets(store), Origin: i.Origin, Replica: r.name}
		r.limiters[i.Origin] = budget
	}
	if r.wakes[i.Instance] == nil {
		r.wakes[i.Instance] = make(chan struct{}, 1)
	}
	wake := r.wakes[i.Instance]
	r.mu.Unlock()
	if unable {
		return fmt.Errorf("token can't be read here: %w", pipeline.ErrConfig)
	}
	client := &okta.Client{
		Instance: i.Instance, Origin: i.Origin, Credential: i.Token, Limit: i.Limit, Limiter: budget, Share: i.RateShare,
		HTTP: &http.Client{Transport: &way{r, i.Instance}}, MaxBody: fleetBody, InFlight: &r.asks, Memory: &r.pages,
	}
	q := signals.Query{Origin: i.Origin, Hash: okta.Query(i.Filter, i.Limit), Since: i.Since,
		Start: func(since time.Time) pipeline.Link { return okta.Start(i.Filter, i.Limit, since) }}
	log := r.w.log.With("process", r.name)
	return (&pipeline.Runner{
		Kind:     "okta",
		Instance: i.Instance, Interval: i.PollInterval, Able: able, Wake: wake, Log: log,
		Source:  sinktest.GatedSource{Source: r.guard(client, i), Gate: &r.gate},
		Sink:    &gatedSink{Sink: signals.New(store, i.Instance, q, nil, log), gate: &r.gate},
		Backoff: pipeline.Backoff{Rand: r.w.chanceOf(r.name + i.Instance)},
	}).Run(ctx)
}

// guard is an instance's breaker, which stands while origin and token do.
type guard struct {
	*breaker.Breaker
	integration pipeline.Integration
	source      atomic.Pointer[okta.Client]
}

// guard puts the instance's breaker before a client, in place of the one before.
func (r *replica) guard(client *okta.Client, i pipeline.Integration) pipeline.Source {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.guards[i.Instance]
	if g == nil || g.integration.Origin != i.Origin || g.integration.Token != i.Token {
		g = &guard{integration: i}
		g.Breaker = breaker.Wrap(i.Instance, behind{g}, nil)
		g.Rand = r.w.chanceOf(r.name + i.Instance)
		r.guards[i.Instance] = g
	}
	g.source.Store(client)
	return g
}

type behind struct{ g *guard }

// Poll implements pipeline.Source.
func (b behind) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	return b.g.source.Load().Poll(ctx, link)
}

// chanceOf is a source of chance of one owner's, safe for concurrent use.
func (w *fleetWorld) chanceOf(owner string) func() float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(owner))
	rng := rand.New(rand.NewPCG(w.seed, h.Sum64()))
	var mu sync.Mutex
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return rng.Float64()
	}
}

// die ends the process as SIGKILL does: nothing is sent any more, neither to the
// server nor to an org.
func (r *replica) die() {
	r.dead.Store(true)
	r.proxy.Cut(true)
	r.stop()
	r.gate.Open()
}

func (r *replica) kill() {
	r.die()
	<-r.done
}

// term ends the process as SIGTERM does.
func (r *replica) term() {
	r.stop()
	<-r.done
}

// freeze stops the process until thaw: nothing arrives, nothing is sent, and none
// of its work goes on, nor learns that a lease has ended.
func (r *replica) freeze() {
	r.mu.Lock()
	r.frozen = true
	r.mu.Unlock()
	r.gate.Close()
	r.proxy.Stall()
}

// heal makes it as a process should be.
func (r *replica) heal() {
	r.mu.Lock()
	if r.frozen {
		r.frozen, r.woke = false, time.Now()
	}
	r.unable, r.cut = map[string]bool{}, map[string]bool{}
	r.mu.Unlock()
	r.proxy.Heal()
	r.gate.Open()
}

func (r *replica) cannot(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unable[instance] = true
}

// loses takes its way to an org, or gives it back.
func (r *replica) loses(host string, cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut[host] = cut
}

func (r *replica) reaches(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.cut[host]
}

// wake makes it sync and poll an instance now, if it holds it.
func (r *replica) wake(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.guards[instance]; g != nil {
		g.Try()
	}
	select {
	case r.wakes[instance] <- struct{}{}:
	default:
	}
}

// dazed reports whether the process is frozen or has just woken: what it
// believes may be old.
func (r *replica) dazed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.frozen || !r.woke.IsZero() && time.Since(r.woke) < daze+instant
}

// daze is how long a process that has woken goes on believing what it believed.
const daze = 2 * time.Second

// lateLocks tell a frozen process of a lock's end some time after it woke.
type lateLocks struct {
	*locks.Locks
	r   *replica
	lag func() float64
}

// Hold implements pipeline.Locks.
func (l lateLocks) Hold(ctx context.Context, claim pipeline.Claim, held func(context.Context)) error {
	return l.Locks.Hold(ctx, claim, func(ctx context.Context) {
		late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		defer cancel(nil)
		context.AfterFunc(ctx, func() {
			dazed := l.r.dazed()
			l.r.gate.Pass()
			if dazed {
				time.Sleep(time.Duration(l.lag() * float64(daze)))
			}
			cancel(context.Cause(ctx))
		})
		defer l.r.w.logbook.holds(claim.Instance, l.r)()
		held(late)
	})
}

// way is an instance's way from a replica to its org.
type way struct {
	r        *replica
	instance string
}

var errNoWay = errors.New("no route to host")

// RoundTrip implements http.RoundTripper.
func (y *way) RoundTrip(req *http.Request) (*http.Response, error) {
	y.r.gate.Pass()
	if y.r.dead.Load() {
		return nil, errNoWay
	}
	defer y.r.gate.Pass()
	defer y.r.w.logbook.asks(y.instance, y.r)()
	o := y.r.w.orgAt(req.URL.Host)
	if o.away.Load() || !y.r.reaches(req.URL.Host) {
		_ = pipeline.Sleep(req.Context(), 3*time.Second)
		return nil, errNoWay
	}
	return o.Transport().RoundTrip(req)
}
