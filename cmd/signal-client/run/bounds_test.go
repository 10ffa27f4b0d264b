package run

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// 200 orgs drain at once, far more than memory has room for. A quiet org is asked and its
// events are stored as if it were alone, and the pages in memory never exceed their
// limit.
func TestDrainsAndAQuietOrg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		const drains, pages, events = 200, 4, 20
		r := newRush(t, oktatest.Synthesize{Events: pages*events - 1})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { r.poll(ctx, "quiet", time.Second, events) })
		time.Sleep(3 * time.Second)
		for i := range drains {
			wg.Go(func() { r.poll(ctx, fmt.Sprintf("drain-%03d", i), time.Hour, events) })
		}
		began := time.Now()
		for range 200 {
			time.Sleep(100 * time.Millisecond)
			r.quiet.Generate(1, 50*time.Millisecond)
			if r.drained() == drains {
				break
			}
		}
		took := time.Since(began)
		cancel()
		wg.Wait()
		r.check(drains*(pages*events-1), took)
	})
}

// rush is an assembly whose orgs all have something to say.
type rush struct {
	*testing.T
	polls         *assembly
	quiet, drains *oktatest.Org

	mu     sync.Mutex
	done   map[string]bool // instances that are at the head of their log
	stored int             // events of those that drain
	last   time.Time       // commit of the quiet one
	late   time.Duration   // longest time between two of those
	most   [2]int64        // that were in use: requests, bytes
}

func newRush(t *testing.T, log oktatest.Synthesize) *rush {
	server := jetstest.Run(t)
	conn, err := jets.Connect(t.Context(), "", nats.InProcessServer(farServer{server}), server.AsService())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	store, err := jets.Open(t.Context(), conn, jets.Config{Kinds: kinds.All.Plain()})
	if err != nil {
		t.Fatal(err)
	}
	free := oktatest.Rate{PerMinute: -1, Concurrent: 1000}
	r := &rush{
		T: t, done: map[string]bool{},
		quiet:  oktatest.New(oktatest.Config{Seed: 1, Rate: free}),
		drains: oktatest.New(oktatest.Config{Seed: 2, Rate: free, Synthesize: log, Requests: -1}),
	}
	orgs := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.Host, "quiet.") {
			r.quiet.ServeHTTP(w, req)
			return
		}
		r.drains.ServeHTTP(w, req)
	})
	r.polls = &assembly{
		kinds: kinds.All,
		store: store, seen: new(jets.SnapshotSeen), http: &http.Client{Transport: oktatest.HandlerTransport(orgs)}, timeout: time.Minute,
		log: slog.New(slog.DiscardHandler),
		trace: pipeline.Traces(&pipeline.Trace{
			Polled:    func(string, pipeline.Page, time.Duration) { r.look() },
			Failed:    func(instance string, err error) { t.Errorf("%s: %v", instance, err) },
			Committed: r.committed,
		}),
		bounds: bounds{
			requests: &pipeline.Gate{Capacity: 32},
			pages:    &pipeline.Gate{Capacity: 1 << 20, Spare: 256 << 10},
		},
	}
	return r
}

// farServer is a server far away: what it says takes a while to arrive. So commits
// take time.
type farServer struct{ *jetstest.Server }

const fromFar = 25 * time.Millisecond

// InProcessConn makes it fit for nats.InProcessServer.
func (s farServer) InProcessConn() (net.Conn, error) {
	conn, err := s.Server.InProcessConn()
	c := &farConn{Conn: conn, sent: make(chan sent, 10_000)}
	go c.carry()
	return c, err
}

type farConn struct {
	net.Conn
	sent chan sent
	rest []byte
}

type sent struct {
	data    []byte
	arrives time.Time
}

func (c *farConn) carry() {
	defer close(c.sent)
	for {
		p := make([]byte, 32<<10)
		n, err := c.Conn.Read(p)
		if err != nil {
			return
		}
		c.sent <- sent{p[:n], time.Now().Add(fromFar)}
	}
}

func (c *farConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		s, ok := <-c.sent
		if !ok {
			return 0, io.EOF
		}
		time.Sleep(time.Until(s.arrives))
		c.rest = s.data
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// poll polls an instance as the fleet does.
func (r *rush) poll(ctx context.Context, instance string, interval time.Duration, limit int) {
	i := pipeline.Integration{
		Kind: kinds.Default, Instance: instance, Origin: "https://" + instance + ".okta.com", PollInterval: interval,
		Limit: limit, RateShare: 1, Since: pipeline.Since{Age: 48 * time.Hour},
	}
	if err := r.polls.Runner(i, pipeline.NewSecret("token"), nil).Run(ctx); err != nil {
		r.Errorf("%s: %v", instance, err)
	}
}

func (r *rush) committed(instance string, page pipeline.Page, receipt pipeline.Receipt, _ time.Duration) {
	r.look()
	r.mu.Lock()
	defer r.mu.Unlock()
	if instance != "quiet" {
		r.stored += receipt.Stored
		r.done[instance] = !page.Full
		return
	}
	if now := time.Now(); !r.last.IsZero() {
		r.late = max(r.late, now.Sub(r.last))
		r.last = now
	} else {
		r.last = now
	}
}

// look takes note of what is in use.
func (r *rush) look() {
	b := r.polls.bounds
	r.mu.Lock()
	defer r.mu.Unlock()
	r.most = [2]int64{max(r.most[0], b.requests.Used()), max(r.most[1], b.pages.Used())}
}

func (r *rush) drained() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, done := range r.done {
		if done {
			n++
		}
	}
	return n
}

func (r *rush) check(events int, took time.Duration) {
	b := r.polls.bounds
	r.Logf("%d events drained in %v; the quiet org's commits at most %v apart; most in use: %d requests, %d bytes", r.stored, took, r.late, r.most[0], r.most[1])
	if r.stored != events {
		r.Errorf("%d events are stored, want %d", r.stored, events)
	}
	if took < 2*time.Second || r.most[0] != b.requests.Capacity || r.most[1] < b.pages.Capacity/2 {
		r.Error("there was room for all: nothing is shown")
	}
	if r.most[1] > b.pages.Capacity {
		r.Errorf("%d bytes of pages were in memory, want %d at most", r.most[1], b.pages.Capacity)
	}
	if r.late > 1500*time.Millisecond {
		r.Errorf("the quiet org's commits are up to %v apart, want one each second", r.late)
	}
	if b.pages.Used() != 0 || b.requests.Used() != 0 {
		r.Errorf("in use at the end: %d bytes, %d requests", b.pages.Used(), b.requests.Used())
	}
}
