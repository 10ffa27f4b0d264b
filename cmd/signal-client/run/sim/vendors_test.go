package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/overview"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/limiter"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
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
	for range n {
		v.mu.Lock()
		id := len(v.log)
		v.log = append(v.log, vendorEvent{ID: fmt.Sprintf("%s-%d", v.Name, id), Kind: "login", At: time.Now().UTC().Add(time.Duration(id%7) * time.Millisecond / 2)})
		v.mu.Unlock()
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
	c.Limiter.Observe(limiter.Request{Share: c.Share}, resp.StatusCode, resp.Header)
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

// process is everything that signal-client run starts but its listener, for orgs of all
// kinds.
type process struct {
	*kindsWorld
	line *jetstest.Proxy
	dead atomic.Bool
	stop context.CancelFunc
	done chan struct{}
}

// kindsWorld is an org of Okta and one of each of two other vendors, each with an
// instance, and two processes that poll them.
type kindsWorld struct {
	*testing.T
	server    *jetstest.Server
	conn      *jets.Conn
	store     *jets.Store
	kinds     kinds.Kinds
	okta      *oktatest.Org
	vendors   []*vendor
	processes map[string]*process
	asked     sync.Map // hosts that were asked
}

func (w *kindsWorld) launch(name string) {
	ctx, stop := context.WithCancel(w.Context())
	p := &process{kindsWorld: w, line: jetstest.NewProxy(w.server), stop: stop, done: make(chan struct{})}
	w.processes[name] = p
	go func() {
		defer close(p.done)
		conn, err := jets.Connect(ctx, "", nats.InProcessServer(p.line), w.server.AsService(), nats.ReconnectWait(time.Second))
		if err != nil {
			w.Error(err)
			return
		}
		s := run.Service{
			Config: config.Config{
				Stream: config.Stream{MaxAge: config.Duration(sinktest.Kind.Retention)},
				Process: config.Process{Replica: name, SessionTTL: config.Duration(10 * time.Second),
					RequestTimeout: config.Duration(time.Minute), MaxInFlight: 10, PageMemory: page.DefaultMost + 4<<20},
			},
			Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: p}, Kinds: w.kinds,
		}
		if err := s.RunOn(ctx, conn); err != nil && ctx.Err() == nil {
			w.Errorf("%s: %v", name, err)
		}
	}()
}

// RoundTrip implements http.RoundTripper: it reaches the orgs, until the process is dead.
func (p *process) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(50 * time.Millisecond)
	if p.dead.Load() {
		return nil, errNoWay
	}
	p.asked.Store(req.URL.Host, true)
	for _, v := range p.vendors {
		if req.URL.Host == v.host() {
			w := httptest.NewRecorder()
			v.ServeHTTP(w, req)
			return w.Result(), nil
		}
	}
	return p.okta.Transport().RoundTrip(req)
}

// kill ends a process as SIGKILL does.
func (p *process) kill() {
	p.dead.Store(true)
	p.line.Cut(true)
	p.end()
}

// end ends it as SIGTERM does.
func (p *process) end() {
	p.stop()
	<-p.done
}

func (v *vendor) host() string { return "acme." + v.Name + ".example" }

// key is that of the vendor's instance, which is named after its vendor.
func (v *vendor) key() string { return v.Name + ".at-" + v.Name }

const oktaKey = "okta.acme"

func newKindsWorld(t *testing.T) *kindsWorld {
	w := &kindsWorld{T: t, server: jetstest.Config{Open: true}.Run(t), kinds: kinds.Kinds{okta.Source}, processes: map[string]*process{}}
	w.vendors = []*vendor{newVendor("clockwork", "Key", true), newVendor("bearer", "Bearer", false)}
	w.okta = oktatest.New(oktatest.Config{Seed: 1, Origin: "https://acme.okta.com", Requests: -1, Rate: oktatest.Rate{PerMinute: 600}, Lag: oktatest.Lag{Late: 0.1, LateBy: 10 * time.Second}})
	for _, v := range w.vendors {
		w.kinds = append(w.kinds, v.Kind)
	}
	w.conn = sinktest.Dial(t, w.server)
	var err error
	w.store, err = jets.Open(t.Context(), w.conn, jets.Config{Kinds: w.kinds.Plain()})
	w.must(err)
	w.put(oktaKey, `{"settings":{"fqdn":"acme.okta.com","since":"1h"},"credentials":{"api_token":"`+vendorToken+`"},"poll_interval":"5s"}`)
	for _, v := range w.vendors {
		w.put(v.key(), v.value(v.host()))
	}
	w.launch("a")
	w.launch("b")
	return w
}

func (w *kindsWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (v *vendor) value(host string) string {
	return fmt.Sprintf(`{"url":"https://%s","token":%q}`, host, vendorToken)
}

func (w *kindsWorld) put(key, value string) {
	w.Helper()
	sinktest.Put(w.T, w.store, jets.BucketIntegrations, key, value)
}

// holders returns who holds which key, and checks that each process has one session.
func (w *kindsWorld) holders() map[string]string {
	w.Helper()
	r, err := locks.ReadReplicas(w.Context(), w.store)
	w.must(err)
	if len(r.Sessions) > len(w.processes) {
		w.Errorf("sessions of %d processes: %v", len(w.processes), r.Sessions)
	}
	holders := map[string]string{}
	for _, key := range append([]string{oktaKey}, w.vendors[0].key(), w.vendors[1].key()) {
		if holders[key] = r.Holder(key); holders[key] == "" {
			w.Fatalf("nobody holds %s", key)
		}
	}
	return holders
}

// happen makes n events at each org.
func (w *kindsWorld) happen(n int) {
	w.okta.GenerateFrom(w.okta.Now(), n, time.Duration(n)*7*time.Millisecond)
	for _, v := range w.vendors {
		v.happen(n)
	}
}

// TestKindsInOneProcess polls, in one process, an org of Okta and those of two other
// vendors: one pages by time, one by a cursor, and each has an authorisation of its own.
// Whoever polls is killed, and another takes over. Each event is stored once, in order, and
// an audit agrees.
func TestKindsInOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKindsWorld(t)
		began := time.Now().UTC().Truncate(time.Millisecond)
		for round := range 8 {
			w.happen(3 + 9*round)
			time.Sleep(time.Duration(17+round) * time.Second)
			keys := []string{oktaKey, w.vendors[0].key(), w.vendors[1].key()}
			victim := w.holders()[keys[round%3]]
			w.happen(60)
			time.Sleep(time.Duration(4800+100*round) * time.Millisecond) // the kill comes amid what just happened
			w.processes[victim].kill()
			w.happen(25)
			time.Sleep(30 * time.Second) // its session has expired
			for key, by := range w.holders() {
				if by == victim {
					t.Fatalf("%s was killed, and nobody has taken over %s", victim, key)
				}
			}
			w.launch(victim)
			time.Sleep(30 * time.Second)
		}
		time.Sleep(time.Minute) // what Okta persists late is polled, too
		statuses, _, err := overview.Read(t.Context(), w.store, time.Now())
		w.must(err)
		if len(statuses) != 3 {
			t.Errorf("statuses are %+v", statuses)
		}
		for _, s := range statuses {
			if s.State != pipeline.StatePolling || s.Events == 0 || s.LastError != "" {
				t.Errorf("status of %s %s: %+v", s.Kind.Name, s.Instance, s)
			}
		}
		for _, p := range w.processes {
			p.end()
		}
		for _, v := range w.vendors {
			w.wantVendor(v, began)
		}
		w.wantOkta()
	})
}

// wantOkta compares the stream with the org of Okta.
func (w *kindsWorld) wantOkta() {
	a := jetstest.Audit{Stream: jets.StreamSignals, Events: "signals." + oktaKey, Positions: "signal-cursor." + oktaKey}
	for _, e := range w.okta.Events() {
		a.Log = append(a.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
	}
	if len(a.Log) == 0 {
		w.Error("nothing happened at Okta")
	}
	if err := a.Run(w.Context(), w.conn.JS); err != nil {
		w.Error(err)
	}
}

// wantVendor reads what is stored of a vendor, and audits it.
func (w *kindsWorld) wantVendor(v *vendor, began time.Time) {
	w.Helper()
	_, instance, _ := strings.Cut(v.key(), ".")
	n := 0
	for e, err := range scan.Events(w.Context(), w.conn, scan.Range{Kind: v.Kind.Kind}) {
		w.must(err)
		if want := fmt.Sprintf("%s-%d", v.Name, n); e.ID() != want || e.Instance != instance || e.Type() != "login" || e.Header.Get("ce-type") != "com."+v.Name+".login" {
			w.Fatalf("event %d is %s of %s, type %s, want %s", n, e.ID(), e.Instance, e.Header.Get("ce-type"), want)
		}
		n++
	}
	if n != len(v.log) {
		w.Errorf("%d events of %s are stored, %d happened", n, v.Name, len(v.log))
	}
	i, err := v.Read(instance, []byte(v.value(v.host())))
	w.must(err)
	r, err := (&audit.Audit{
		Instance: instance, Since: began, Until: time.Now().UTC().Truncate(time.Millisecond), Window: v.Kind.Window(i),
		Source: v.Client(i, i.Token, source.Options{HTTP: &http.Client{Transport: &process{kindsWorld: w}}, Limiter: new(limiter.Limiter), Share: 1}),
		Ledger: &signals.Ledger{Store: w.store.Of(v.Kind.Kind), Instance: instance},
	}).Run(w.Context())
	if err != nil || r.Both != n || r.Differences() != 0 {
		w.Errorf("audit of %s: %+v, %v", v.Name, r, err)
	}
}

// TestOneNameOfTwoKinds: an instance whose name another kind's instance has is a
// configuration error, and disturbs neither that one nor others, whichever is changed;
// once the other is gone, it is polled.
func TestOneNameOfTwoKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKindsWorld(t)
		v := w.vendors[0]
		time.Sleep(time.Minute)
		before := w.taken()

		w.put("clockwork.acme", v.value("second.example"))
		w.put("okta.at-clockwork", `{"settings":{"fqdn":"second.okta.com"},"credentials":{"api_token":"x"}}`)
		time.Sleep(time.Minute)
		w.wantConfigError("clockwork.acme", "instance: acme is the name of okta.acme already")
		w.wantConfigError("okta.at-clockwork", "instance: at-clockwork is the name of clockwork.at-clockwork already")
		w.put(v.key(), v.value(v.host())+" ") // written after the other
		time.Sleep(time.Minute)
		w.wantConfigError("okta.at-clockwork", "instance: at-clockwork is the name of clockwork.at-clockwork already")
		if after := w.taken(); !maps.Equal(before, after) {
			t.Errorf("locks were %v and are %v", before, after)
		}
		for _, host := range []string{"second.example", "second.okta.com"} {
			if _, asked := w.asked.Load(host); asked {
				t.Errorf("%s was asked", host)
			}
		}

		kv, err := w.conn.JS.KeyValue(t.Context(), jets.BucketIntegrations)
		w.must(err)
		w.must(kv.Delete(t.Context(), oktaKey))
		time.Sleep(time.Minute)
		if _, asked := w.asked.Load("second.example"); !asked || w.taken()["clockwork.acme"] == 0 {
			t.Error("its name is free, and it is not polled")
		}
		for _, p := range w.processes {
			p.end()
		}
	})
}

// taken returns the revisions of the locks that are held.
func (w *kindsWorld) taken() map[string]uint64 {
	w.Helper()
	r, err := locks.ReadReplicas(w.Context(), w.store)
	w.must(err)
	taken := map[string]uint64{}
	for key := range r.Locks {
		if r.Holder(key) != "" {
			m, err := w.conn.Value(w.Context(), jets.BucketLocks, key)
			w.must(err)
			taken[key] = m.Seq
		}
	}
	return taken
}

// wantConfigError checks that an instance is shown by its key, with an error, and that all
// instances with names are polled.
func (w *kindsWorld) wantConfigError(key, says string) {
	w.Helper()
	statuses, _, err := overview.Read(w.Context(), w.store, time.Now())
	w.must(err)
	polled := 0
	for _, s := range statuses {
		if s.State == pipeline.StatePolling {
			polled++
		}
		if s.Instance == key && (s.State != pipeline.StateConfig || !strings.Contains(s.LastError, says)) {
			w.Errorf("%s is %s: %s", key, s.State, s.LastError)
		}
	}
	if polled != 3 || len(statuses) != 5 {
		w.Errorf("%d are polled: %+v", polled, statuses)
	}
}
