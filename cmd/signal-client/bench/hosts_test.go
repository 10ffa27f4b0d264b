package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// hostGroup is a number of simulated orgs that are alike. Each has a loopback
// address, and so an origin and a budget, of its own.
type hostGroup struct {
	Name      string  // their instances are Name-00000 and so on
	Hosts     int     // how many
	Events    int     // in the log of each from the start, of at least drainSize bytes
	PerMinute float64 // events that happen in each
	Alike     bool    // all serve one and the same log, which lies ready and compressed
	Rate      int     // requests a minute that each takes, which its answers show; 0: no limit
}

func (g hostGroup) instance(i int) string { return fmt.Sprintf("%s-%05d", g.Name, i) }

// address is that of the i-th host of the n-th group.
func address(n, i int) string { return fmt.Sprintf("127.%d.%d.%d", n+1, i/250, 1+i%250) }

// polled is a request, as the org saw it.
type polled struct {
	At    time.Time
	Token string // that came with it
}

// host is one org at its address.
type host struct {
	instance string
	group    string
	org      *oktatest.Org

	mu    sync.Mutex
	polls []polled
}

// ServeHTTP implements http.Handler.
func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	now := time.Now()
	h.mu.Lock()
	h.polls = append(h.polls, polled{now, token})
	h.mu.Unlock()
	h.org.ServeHTTP(w, r)
}

// hosting is all orgs of a process, with questions that the bench asks of it.
type hosting struct {
	each  map[string]*host // by address
	named map[string]*host // by instance
	quiet func()           // lets nothing more happen
}

// serveHosts serves groups of orgs, and at 127.0.0.1 what was seen of them.
func serveHosts(task []byte) error {
	var groups []hostGroup
	if err := json.Unmarshal(task, &groups); err != nil {
		return err
	}
	ln, err := listenLoopback()
	if err != nil {
		return err
	}
	h := newHosting(groups)
	defer h.quiet()
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	fmt.Println(ln.Addr().(*net.TCPAddr).Port)
	_ = server.Serve(ln) // it ends with stdin
	return nil
}

func newHosting(groups []hostGroup) *hosting {
	h := &hosting{each: map[string]*host{}, named: map[string]*host{}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	h.quiet = func() { cancel(); wg.Wait() }
	for n, g := range groups {
		var org *oktatest.Org
		for i := range g.Hosts {
			if org == nil || !g.Alike {
				org = g.org(uint64(n*100_000 + i + 1))
				if g.PerMinute > 0 {
					wg.Go(func() { org.Run(ctx, g.PerMinute) })
				}
			}
			one := &host{instance: g.instance(i), group: g.Name, org: org}
			h.each[address(n, i)], h.named[one.instance] = one, one
		}
	}
	return h
}

func (g hostGroup) org(seed uint64) *oktatest.Org {
	rate := oktatest.Rate{PerMinute: -1, Concurrent: g.Hosts + 75, Share: 1}
	if g.Rate > 0 {
		rate.PerMinute = g.Rate
		if g.Alike {
			rate.PerMinute *= g.Hosts // one bucket for all of them
		}
	}
	org := oktatest.New(oktatest.Config{
		Seed: seed, Requests: -1, Rate: rate,
		Synthesize: oktatest.Synthesize{Events: g.Events, Size: drainSize},
	})
	if g.Alike && g.Events > 0 {
		org.Warm(999)
	}
	return org
}

// ServeHTTP implements http.Handler.
func (h *hosting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(r.Host, ":")
	if org := h.each[name]; org != nil {
		org.ServeHTTP(w, r)
		return
	}
	var answer any
	switch r.URL.Path {
	case "/polls":
		answer = h.polls(r.FormValue("group"), r.FormValue("since"))
	case "/log":
		answer = h.log(r.FormValue("instance"))
	case "/quiet":
		h.quiet()
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// polls are the requests to a group's orgs since a time, by instance.
func (h *hosting) polls(group, since string) map[string][]polled {
	from, _ := time.Parse(time.RFC3339Nano, since)
	all := map[string][]polled{}
	for instance, one := range h.named {
		if one.group != group {
			continue
		}
		one.mu.Lock()
		for _, p := range one.polls {
			if p.At.After(from) {
				all[instance] = append(all[instance], p)
			}
		}
		one.mu.Unlock()
	}
	return all
}

func (h *hosting) log(instance string) []jetstest.Logged {
	var log []jetstest.Logged
	for _, e := range h.named[instance].org.Events() {
		log = append(log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
	}
	return log
}

// hosts is a process of orgs, seen from the bench.
type hosts struct {
	groups []hostGroup
	port   string
}

// startHosts starts a process that serves groups of orgs.
func startHosts(t *testing.T, groups ...hostGroup) *hosts {
	t.Helper()
	return &hosts{groups, startServing(t, "hosts", groups)}
}

// origin is that of a group's i-th org.
func (h *hosts) origin(group, i int) string { return "http://" + address(group, i) + ":" + h.port }

// polls are the requests to a group's orgs since a time, by instance.
func (h *hosts) polls(t *testing.T, group int, since time.Time) map[string][]polled {
	t.Helper()
	all := map[string][]polled{}
	h.ask(t, "/polls", url.Values{"group": {h.groups[group].Name}, "since": {since.Format(time.RFC3339Nano)}}, &all)
	return all
}

// log is that of one org.
func (h *hosts) log(t *testing.T, instance string) []jetstest.Logged {
	t.Helper()
	var log []jetstest.Logged
	h.ask(t, "/log", url.Values{"instance": {instance}}, &log)
	return log
}

// quiet lets nothing more happen in any org.
func (h *hosts) quiet(t *testing.T) {
	t.Helper()
	h.ask(t, "/quiet", nil, new(any))
}

func (h *hosts) ask(t *testing.T, path string, query url.Values, answer any) {
	t.Helper()
	resp, err := http.Get("http://127.0.0.1:" + h.port + path + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		t.Fatalf("ask the orgs for %s: %v", path, err)
	}
}
