package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
	pollers "github.com/witfoo/signal-client/pipeline/fleet"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/limiter"
	"github.com/witfoo/signal-client/source/page"
)

// vendor is the log of another vendor, and how it is asked. Its elements are
// {"id","kind","at"}, and its pages arrays of ten.
type vendor struct {
	source.Kind
	auth string // the scheme of its Authorization header
	// byTime: the next page begins at the time of the last event, which is served again.
	// Else a Link header names it, by a cursor.
	byTime bool

	mu  sync.Mutex
	log []vendorEvent
}

type vendorEvent struct {
	ID   string    `json:"id"`
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
}

const vendorToken, vendorPage = "00secret", 10

func newVendor(name, auth string, byTime bool) *vendor {
	v := &vendor{auth: auth, byTime: byTime}
	start := func(since time.Time) pipeline.Link {
		return pipeline.Link("/events?" + url.Values{"from": {since.UTC().Format(time.RFC3339Nano)}}.Encode())
	}
	v.Kind = source.Kind{
		Kind: &pipeline.Kind{
			Name: name, Title: name, TypePrefix: "com." + name + ".",
			Members:   pipeline.Members{ID: "id", Type: "kind", Published: "at"},
			Retention: 30 * 24 * time.Hour, Lateness: time.Minute,
			Parse: parseVendor,
			Credential: func(_ context.Context, i pipeline.Integration) (pipeline.Credential, error) {
				return i.Token, nil
			},
			Element: func(data []byte) (pipeline.Event, error) {
				e := pipeline.Event{Data: data, UUID: jsonscan.Text(data, "id"), Type: jsonscan.Text(data, "kind"), Time: jsonscan.Text(data, "at")}
				at, err := time.Parse(time.RFC3339, e.Time)
				e.Published = at
				return e, err
			},
			Start: func(_ pipeline.Integration, since time.Time) pipeline.Link { return start(since) },
			Window: func(pipeline.Integration) pipeline.Window {
				return func(since, until time.Time) pipeline.Link {
					return start(since) + pipeline.Link("&until="+url.QueryEscape(until.UTC().Format(time.RFC3339Nano)))
				}
			},
			Query: func(pipeline.Integration) string { return "all" },
		},
		Open: func(i pipeline.Integration, c pipeline.Credential, o source.Options) source.Client {
			return &vendorClient{vendor: v, origin: i.Origin, token: c.(pipeline.Secret), Options: o}
		},
	}
	return v
}

// parseVendor reads a value such as {"url":"https://acme.example.com","token":"…"}.
func parseVendor(instance string, value []byte) (pipeline.Integration, error) {
	var v struct{ URL, Token string }
	if err := json.Unmarshal(value, &v); err != nil {
		return pipeline.Integration{}, &pipeline.ConfigError{}
	}
	return pipeline.Integration{Instance: instance, Enabled: true, Origin: v.URL, Source: v.URL, PollInterval: 5 * time.Second,
		Since: pipeline.Since{Age: time.Hour}, Limit: vendorPage, RateShare: 1, Token: pipeline.NewSecret(v.Token)}, nil
}

func (v *vendor) happen(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for range n {
		id := len(v.log)
		v.log = append(v.log, vendorEvent{ID: fmt.Sprintf("%s-%d", v.Name, id), Kind: "login", At: time.Now().UTC().Add(time.Duration(id%7) * time.Millisecond / 2)})
		time.Sleep(7 * time.Millisecond)
	}
}

// ServeHTTP is the vendor's API.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if r.Header.Get("Authorization") != v.auth+" "+vendorToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	q := r.URL.Query()
	from, _ := time.Parse(time.RFC3339Nano, q.Get("from"))
	until, err := time.Parse(time.RFC3339Nano, q.Get("until"))
	bounded := err == nil
	first, _ := strconv.Atoi(q.Get("after"))
	found, next := []vendorEvent{}, first
	for n, e := range v.log {
		if n >= first && !e.At.Before(from) && (!bounded || e.At.Before(until)) && len(found) < vendorPage {
			found, next = append(found, e), n+1
		}
	}
	if !v.byTime && (len(found) == vendorPage || !bounded) {
		q.Set("after", strconv.Itoa(next))
		w.Header().Set("Link", "<"+r.URL.Path+"?"+q.Encode()+`>; rel="next"`)
	}
	_ = json.NewEncoder(w).Encode(found)
}

// vendorClient is such a vendor's source, made of what all kinds share.
type vendorClient struct {
	source.Options
	vendor *vendor
	origin string
	token  pipeline.Secret
}

func (c *vendorClient) Organization(context.Context) (string, error) {
	return "", errors.New("it has no id")
}

// Poll implements pipeline.Source.
func (c *vendorClient) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	if err := c.Limiter.Wait(ctx, limiter.Request{Share: c.Share}); err != nil {
		return pipeline.Page{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.origin+string(link), nil)
	if err != nil {
		return pipeline.Page{}, err
	}
	req.Header.Set("Authorization", c.vendor.auth+" "+c.token.Reveal())
	resp, err := c.HTTP.Do(req)
	if err != nil {
		c.Limiter.Failed()
		return pipeline.Page{}, err
	}
	defer resp.Body.Close()
	c.Limiter.Observe(resp.StatusCode, resp.Header)
	if resp.StatusCode == http.StatusUnauthorized {
		return pipeline.Page{}, pipeline.ErrCredential
	}
	body, err := page.Read(ctx, resp, 0, &page.Reservation{Most: page.DefaultMost})
	if err != nil {
		return pipeline.Page{}, err
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil {
		return pipeline.Page{}, err
	}
	p := pipeline.Page{Link: link, Next: link, Limit: vendorPage, Full: len(elements) == vendorPage, Bytes: len(body)}
	p.Date, _ = http.ParseTime(resp.Header.Get("Date"))
	for _, data := range elements {
		e, err := c.vendor.Element(data)
		if err != nil {
			return pipeline.Page{}, err
		}
		p.Events = append(p.Events, e)
	}
	p.Next = c.next(link, resp, p.Events)
	return p, nil
}

func (c *vendorClient) next(link pipeline.Link, resp *http.Response, events []pipeline.Event) pipeline.Link {
	if c.vendor.byTime && len(events) > 0 {
		at, _ := url.Parse(string(link))
		q := at.Query()
		q.Set("from", events[len(events)-1].Time)
		return pipeline.Link(at.Path + "?" + q.Encode())
	}
	for target, rel := range page.Links(resp.Header.Values("Link")) {
		if page.HasRel(rel, "next") {
			return pipeline.Link(target)
		}
	}
	return link
}

// vendorProcess is a process that polls instances of a vendor.
type vendorProcess struct {
	line *jetstest.Proxy
	dead atomic.Bool
	stop context.CancelFunc
	done chan struct{}
}

func launchVendor(t *testing.T, server *jetstest.Server, name string, v *vendor) *vendorProcess {
	ctx, stop := context.WithCancel(t.Context())
	p := &vendorProcess{line: jetstest.NewProxy(server), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if err := p.live(ctx, name, v); err != nil && !p.dead.Load() {
			t.Errorf("%s: %v", name, err)
		}
	}()
	return p
}

func (p *vendorProcess) live(ctx context.Context, name string, v *vendor) error {
	conn, err := jets.Connect(ctx, "", nats.InProcessServer(p.line), nats.ReconnectWait(time.Second))
	if err != nil {
		return err
	}
	defer conn.Close()
	store, err := jets.Open(ctx, conn, jets.Config{Kinds: []*pipeline.Kind{v.Kind.Kind}})
	if err != nil {
		return err
	}
	held, err := locks.New(store, locks.Config{Replica: name})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = held.Run(running) })
	defer wg.Wait()
	defer stop()
	context.AfterFunc(ctx, held.Leave)
	budget := new(limiter.Limiter)
	return (&pollers.Fleet{
		Integrations: &buckets.Integrations{Store: store},
		Locks:        held,
		Poll: func(ctx context.Context, i pipeline.Integration, able func(error)) error {
			credential, err := i.Kind.Credential(ctx, i)
			if err != nil {
				return err
			}
			q := signals.Query{Origin: i.Origin, Hash: i.Kind.Query(i), Since: i.Since,
				Start: func(since time.Time) pipeline.Link { return i.Kind.Start(i, since) }}
			return (&pipeline.Runner{
				Kind: i.Kind.Name, Instance: i.Instance, Interval: i.PollInterval, Able: able,
				Source: v.Open(i, credential, source.Options{HTTP: p.http(v), Limiter: budget, Share: i.RateShare}),
				Sink:   signals.New(store, i.Instance, q, nil, nil),
			}).Run(ctx)
		},
	}).Run(ctx)
}

// http reaches the vendor's API, until the process is dead.
func (p *vendorProcess) http(v *vendor) *http.Client {
	return &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		time.Sleep(50 * time.Millisecond)
		if p.dead.Load() {
			return nil, io.ErrClosedPipe
		}
		w := httptest.NewRecorder()
		v.ServeHTTP(w, req)
		return w.Result(), nil
	})}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// kill ends the process as SIGKILL does.
func (p *vendorProcess) kill() {
	p.dead.Store(true)
	p.line.Cut(true)
	p.end()
}

// end ends the process as SIGTERM does.
func (p *vendorProcess) end() {
	p.stop()
	<-p.done
}

// TestOtherVendors polls other kinds of sources than Okta: one that pages by time and one
// that pages by a cursor, each with an authorisation of its own. Whoever polls is killed,
// and another takes over. Each event is stored once, in order, and an audit agrees.
func TestOtherVendors(t *testing.T) {
	for _, v := range []*vendor{newVendor("clockwork", "Key", true), newVendor("bearer", "Bearer", false)} {
		t.Run(v.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { pollVendor(t, v) })
		})
	}
}

func pollVendor(t *testing.T, v *vendor) {
	server := jetstest.Config{}.Run(t)
	conn, err := jets.Connect(t.Context(), "", server.Option())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	store, err := jets.Open(t.Context(), conn, jets.Config{Kinds: []*pipeline.Kind{v.Kind.Kind}})
	if err != nil {
		t.Fatal(err)
	}
	value := fmt.Sprintf(`{"url":"https://acme.%s.example","token":%q}`, v.Name, vendorToken)
	if _, err := (&buckets.Integrations{Store: store}).Put(t.Context(), "acme", []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	began := time.Now().UTC().Truncate(time.Millisecond)
	processes := map[string]*vendorProcess{"a": launchVendor(t, server, "a", v), "b": launchVendor(t, server, "b", v)}
	holds := func() string {
		replicas, err := locks.ReadReplicas(t.Context(), store)
		if err != nil || replicas.Holder(v.Name+".acme") == "" {
			t.Fatalf("nobody holds the lock: %v", err)
		}
		return replicas.Holder(v.Name + ".acme")
	}
	for round := range 8 {
		v.happen(3 + 9*round)
		time.Sleep(time.Duration(17+round) * time.Second)
		holder := holds()
		v.happen(60)
		time.Sleep(time.Duration(4800+100*round) * time.Millisecond) // the kill comes amid what just happened
		processes[holder].kill()
		v.happen(25)
		time.Sleep(30 * time.Second) // its session has expired
		if by := holds(); by == holder {
			t.Fatalf("%s was killed, and nobody has taken over", holder)
		}
		processes[holder] = launchVendor(t, server, holder, v)
		time.Sleep(30 * time.Second)
	}
	for _, p := range processes {
		p.end()
	}
	wantVendor(t, conn, v, began)
}

// wantVendor reads what is stored of a vendor, and audits it.
func wantVendor(t *testing.T, conn *jets.Conn, v *vendor, began time.Time) {
	t.Helper()
	n := 0
	for e, err := range scan.Events(t.Context(), conn, scan.Range{Kind: v.Kind.Kind}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%s-%d", v.Name, n); e.ID() != want || e.Instance != "acme" || e.Type() != "login" || e.Header.Get("ce-type") != "com."+v.Name+".login" {
			t.Fatalf("event %d is %s of %s, type %s, want %s", n, e.ID(), e.Instance, e.Header.Get("ce-type"), want)
		}
		n++
	}
	if n != len(v.log) {
		t.Errorf("%d events of %s are stored, %d happened", n, v.Name, len(v.log))
	}
	if m, err := conn.Last(t.Context(), jets.StreamSignals, "signals."+v.Name+".acme"); err != nil || m.Seq == 0 {
		t.Errorf("no event on its subject: %v", err)
	}
	i, err := v.Read("acme", []byte(`{"url":"https://acme.example","token":"`+vendorToken+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := (&audit.Audit{
		Instance: "acme", Since: began, Until: time.Now().UTC().Truncate(time.Millisecond), Window: v.Kind.Window(i),
		Source: v.Open(i, i.Token, source.Options{HTTP: (&vendorProcess{}).http(v), Limiter: new(limiter.Limiter), Share: 1}),
		Ledger: &signals.Ledger{Store: jets.Attach(conn, v.Kind.Kind), Instance: "acme"},
	}).Run(t.Context())
	if err != nil || r.Both != n || r.Differences() != 0 {
		t.Errorf("audit of %s: %+v, %v", v.Name, r, err)
	}
}
