package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/page"
)

// replica is a process of the simulated fleet: what signal-client run is behind its
// listener, on a connection and with ways to the orgs that may fail.
type replica struct {
	name  string
	w     *fleetWorld
	proxy *jetstest.Proxy
	gate  sinktest.Gate
	dead  atomic.Bool
	locks atomic.Pointer[locks.Locks] // nil: not connected yet
	serve atomic.Pointer[run.Service] // likewise
	stop  context.CancelFunc          // as SIGTERM does
	done  chan struct{}

	mu     sync.Mutex
	frozen bool
	woke   time.Time       // from the newest freeze
	unable map[string]bool // instances that it can't poll
	cut    map[string]bool // hosts that it has no way to
}

func (w *fleetWorld) launch(name string) *replica {
	ctx, stop := context.WithCancel(w.Context())
	r := &replica{name: name, w: w, proxy: jetstest.NewProxy(w.server), stop: stop, done: make(chan struct{}),
		unable: map[string]bool{}, cut: map[string]bool{}}
	go func() {
		defer close(r.done)
		for ctx.Err() == nil {
			if err := r.live(ctx); err != nil && ctx.Err() == nil {
				w.log.Info("replica", "name", name, "err", err)
			}
			_ = pipeline.Sleep(ctx, time.Second)
		}
	}()
	return r
}

// live is a process from its connection on.
func (r *replica) live(ctx context.Context) error {
	log := r.w.log.With("process", r.name)
	conn, err := jets.Dialer{Log: log}.Connect(ctx, "", nats.InProcessServer(r.proxy), r.w.server.AsService(), nats.ReconnectWait(time.Second))
	if err != nil {
		return err
	}
	kind, source := *sinktest.Kind, okta.Source
	kind.Credential = r.credential
	source.Kind = &kind
	s := new(run.Service)
	*s = run.Service{
		Config: config.Config{
			Stream: config.Stream{MaxAge: config.Duration(kind.Retention)},
			Process: config.Process{Replica: r.name, SessionTTL: config.Duration(r.w.ttl),
				RequestTimeout: config.Duration(time.Minute), MaxInFlight: 10, PageMemory: page.DefaultMost + 4<<20},
			Okta: r.w.environment,
		},
		Log: log, HTTP: &http.Client{Transport: r}, Kinds: kinds.Kinds{source}, Trace: r.stops(),
		Locks: func(l *locks.Locks) pipeline.Locks {
			r.serve.Store(s)
			r.locks.Store(l)
			return lateLocks{l, r}
		},
	}
	defer func() {
		if r.locks.Swap(nil) != nil {
			r.idle()
		}
	}()
	return s.RunOn(ctx, conn)
}

// get is what the process's listener would answer.
func (r *replica) get(path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	r.serve.Load().Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer
}

// idle checks that a process that has ended uses nothing any more.
func (r *replica) idle() {
	metrics := r.get("/metrics").Body.String()
	for _, name := range []string{"okta_requests_in_flight", "okta_requests_waiting", "page_memory_bytes", "page_memory_waiting"} {
		_, rest, _ := strings.Cut(metrics, "\nsignal_client_"+name+" ")
		if used, _, _ := strings.Cut(rest, "\n"); used != "0" {
			r.w.Errorf("seed %d: %s has ended, and its %s is %q", r.w.seed, r.name, name, used)
		}
	}
}

// credential is the kind's, but for the instances that this process can't poll.
func (r *replica) credential(ctx context.Context, i pipeline.Integration) (pipeline.Credential, error) {
	r.mu.Lock()
	unable := r.unable[i.Instance]
	r.mu.Unlock()
	if unable {
		return nil, fmt.Errorf("token can't be read here: %w", pipeline.ErrConfig)
	}
	return sinktest.Kind.Credential(ctx, i)
}

// stops returns the hooks at which a frozen process stops, besides its connections and
// its locks.
func (r *replica) stops() *pipeline.Trace {
	return &pipeline.Trace{
		Polled:    func(string, pipeline.Page, time.Duration) { r.gate.Pass() },
		Failed:    func(string, error) { r.gate.Pass() },
		Committed: func(string, pipeline.Page, pipeline.Receipt, time.Duration) { r.gate.Pass() },
		Moved:     func(string, pipeline.State, pipeline.Position, time.Time) { r.gate.Pass() },
		Wrote:     func(string, string, time.Duration) { r.gate.Pass() },
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

// outdated reports whether the process is frozen or has just woken, so that its state may be
// old.
func (r *replica) outdated() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.frozen || !r.woke.IsZero() && time.Since(r.woke) < outdatedFor+instant
}

// outdatedFor is how long a process keeps its old state after waking.
const outdatedFor = 2 * time.Second

// lateLocks tell a frozen process of a lock's end some time after it woke.
type lateLocks struct {
	*locks.Locks
	r *replica
}

// Hold implements pipeline.Locks.
func (l lateLocks) Hold(ctx context.Context, claim pipeline.Claim, held func(context.Context)) error {
	return l.Locks.Hold(ctx, claim, func(ctx context.Context) {
		late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		defer cancel(nil)
		context.AfterFunc(ctx, func() {
			outdated := l.r.outdated()
			l.r.gate.Pass()
			if outdated {
				time.Sleep(time.Duration(rand.Float64() * float64(outdatedFor)))
			}
			cancel(context.Cause(ctx))
		})
		defer l.r.w.logbook.holds(claim.Instance, l.r)()
		held(late)
	})
}

var errNoWay = errors.New("no route to host")

// RoundTrip implements http.RoundTripper: it is the replica's way to the orgs.
func (r *replica) RoundTrip(req *http.Request) (*http.Response, error) {
	r.gate.Pass()
	if r.dead.Load() {
		return nil, errNoWay
	}
	defer r.gate.Pass()
	if t, ok := r.w.tenantOf(req); ok {
		defer r.w.logbook.asks(t.name, r)()
	}
	o := r.w.orgAt(req.URL.Host)
	if o.away.Load() || !r.reaches(o.host) {
		_ = pipeline.Sleep(req.Context(), 3*time.Second)
		return nil, errNoWay
	}
	return o.Transport().RoundTrip(req)
}
