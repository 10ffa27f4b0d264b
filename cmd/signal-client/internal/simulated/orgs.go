package simulated

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// Spec describes an org.
type Spec struct {
	Name, Title string
	Seed        uint64   // of all that is random in it
	Tokens      []string // API tokens that it accepts; none: any
	App         *App     // its service app; nil: none
	Requests    int      // limit of requests per minute, of any one client; negative: none

	History   int           // events that happened before it started
	Over      time.Duration // how far back these reach
	PerMinute float64       // events that happen from then on
	Keep      int           // least number of the newest events that it keeps, see oktatest.Config.Most; 0: all
	Patterns  bool          // the history is made on demand from a few patterns, and needs no memory

	Faults     []string // names of faults, see FaultKinds; none: no faults
	FaultShare float64  // share of requests with one of them
}

// Org is a simulated org at an address.
type Org struct {
	*oktatest.Org
	Spec
	URL    string
	server *http.Server
}

// Orgs are simulated orgs. Each is served, and has events, until Stop.
type Orgs struct {
	Each []*Org

	quiet context.CancelFunc
	wg    sync.WaitGroup
}

// Start serves orgs: the first one at the address, each further one at the next port. With
// port 0 each gets a free port. Call Stop.
func Start(ctx context.Context, address string, specs []Spec) (*Orgs, error) {
	ctx, quiet := context.WithCancel(ctx)
	o := &Orgs{quiet: quiet}
	var made errgroup.Group
	made.SetLimit(runtime.GOMAXPROCS(0))
	var listeners []net.Listener
	for i, spec := range specs {
		ln, err := listen(ctx, address, i)
		if err != nil {
			quiet()
			for _, ln := range listeners {
				_ = ln.Close()
			}
			return nil, errors.Join(fmt.Errorf("serve the simulated org %s: %w", spec.Name, err), made.Wait())
		}
		listeners = append(listeners, ln)
		org := &Org{Spec: spec, URL: "http://" + reachable(ln.Addr())}
		o.Each = append(o.Each, org)
		made.Go(func() error {
			org.Org = spec.make()
			return nil
		})
	}
	_ = made.Wait()
	for i, org := range o.Each {
		mux := http.NewServeMux()
		mux.Handle("/", org.Org)
		mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
		org.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
		o.wg.Go(func() { _ = org.server.Serve(listeners[i]) }) // it ends with Stop
		o.wg.Go(func() { org.Run(ctx, org.PerMinute) })
	}
	return o, nil
}

// make makes the org and its history.
func (s Spec) make() *oktatest.Org {
	c := oktatest.Config{Seed: s.Seed, Tokens: s.Tokens, Rate: oktatest.Rate{PerMinute: s.Requests, Share: 1}, Most: s.Keep}
	if s.Patterns {
		c.Synthesize = oktatest.Synthesize{Events: s.History, Over: s.Over}
	}
	org := oktatest.New(c)
	if !s.Patterns {
		org.Generate(s.History, s.Over)
	}
	if s.App != nil {
		org.Register(s.App.app)
	}
	if len(s.Faults) > 0 {
		org.SetFault(oktatest.Weather{Seed: s.Seed, Share: s.FaultShare, Faults: faultsNamed(s.Faults)}.Fault)
	}
	return org
}

// Quiet stops new events.
func (o *Orgs) Quiet() { o.quiet() }

// Stop ends the orgs.
func (o *Orgs) Stop() {
	o.quiet()
	for _, org := range o.Each {
		_ = org.server.Close()
	}
	o.wg.Wait()
}

// listen listens at the n-th port from an address on.
func listen(ctx context.Context, address string, n int) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if first, err := strconv.Atoi(port); err == nil && first != 0 {
		port = strconv.Itoa(first + n)
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
}

// reachable returns the address by which this machine reaches a listener.
func reachable(at net.Addr) string {
	tcp, ok := at.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return at.String()
}
