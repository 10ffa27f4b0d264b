package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// outages is a NATS server, an org and processes of the service, whose outages are
// real, and a monitor that watches them.
type outages struct {
	*monitor
	natsd *jetstest.Server
	org   *oktatest.Org
	other *oktatest.Org // answers at acme.oktapreview.com; nil: org does
	stuck chan struct{} // closed: requests are made; nil: they are, too
	still func()        // nothing happens in the org any more
	mu    sync.Mutex
	log   *slog.Logger // of the processes that start; nil: none
	dir   string       // SIGNAL_CLIENT_SECRETS_DIR of the processes that start
	keys  string       // file of the keys of the processes that start; empty: none
	kinds kinds.Kinds  // of the processes that start; nil: all
}

// inOutage runs f within a bubble, around a server as config says.
func inOutage(t *testing.T, config jetstest.Config, f func(o *outages)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &outages{monitor: newMonitor(t), natsd: config.Run(t)}
		o.org = oktatest.New(oktatest.Config{Seed: 1, Even: true, Tokens: []string{"right-token"}, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
		o.org.Generate(50, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { o.org.Run(ctx, 1) })
		o.still = func() { cancel(); wg.Wait() }
		defer o.still()
		f(o)
	})
}

// RoundTrip implements http.RoundTripper.
func (o *outages) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	stuck := o.stuck
	o.mu.Unlock()
	if stuck != nil {
		<-stuck // whatever the request's context says
		return nil, errors.New("stuck no more")
	}
	if o.other != nil && r.URL.Host == "acme.oktapreview.com" {
		return o.other.Transport().RoundTrip(r)
	}
	return o.org.Transport().RoundTrip(r)
}

// process is one of the service's.
type process struct {
	*Service
	line *line
	gone bool // it answers nobody
	stop func()
}

// start starts a process, and has it watched. env is its org of the environment, if any.
func (o *outages) start(name string, env config.Okta) *process {
	o.Helper()
	p := &process{line: &line{server: o.natsd}}
	p.Service = &Service{Log: cmp.Or(o.log, slog.New(slog.DiscardHandler)), HTTP: &http.Client{Transport: o}, Kinds: o.kinds}
	p.Config.Process = config.Process{Replica: name, SessionTTL: config.Duration(10 * time.Second), RequestTimeout: config.Duration(time.Minute), MaxInFlight: 16, PageMemory: 256 << 20}
	p.Config.Stream = config.Stream{Replicas: 1} // no max_age: the server judges ages by the clock outside the bubble
	p.Config.Okta, p.Config.Secrets = env, config.Secrets{KeyFile: o.keys, Dir: o.dir}
	p.Config.NATS.URL = "in this process"
	if err := errors.Join(p.count(), p.openSecrets(o.Context(), false)); err != nil {
		o.Fatal(err)
	}
	p.ready.Waiting("starting")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		way := func(opts *nats.Options) error {
			return errors.Join(o.natsd.Option()(opts), o.natsd.AsService()(opts), nats.InProcessServer(p.line)(opts))
		}
		conn, err := config.Dialing{Options: []nats.Option{way}}.Await(ctx, p.Log, func(error) {})
		if err != nil {
			o.Error(err)
			return
		}
		defer conn.Close()
		p.nats.conn.Store(conn)
		defer p.followKeys(ctx)()
		store, err := p.provision(ctx, conn)
		if err == nil {
			err = p.work(ctx, store)
		}
		if err != nil && ctx.Err() == nil {
			o.Error(err)
		}
	})
	p.stop = func() { cancel(); wg.Wait() }
	o.Cleanup(p.stop)
	o.watch(name, func() http.Handler {
		if p.gone {
			return nil
		}
		return p.metrics.Handler()
	})
	return p
}

// kill cuts a process off from everybody, until its line is joined: whether it is dead,
// or frozen, nobody can tell.
func (p *process) kill() { p.gone = true; p.line.cut() }

// line is a process's way to NATS.
type line struct {
	server *jetstest.Server

	mu   sync.Mutex
	conn net.Conn
	dead bool
}

// InProcessConn makes a line fit for nats.InProcessServer.
func (l *line) InProcessConn() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return nil, errors.New("the line is cut")
	}
	conn, err := l.server.InProcessConn()
	l.conn = conn
	return conn, err
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	_ = l.conn.Close()
}

func (l *line) join() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = false
}

// polling starts a process, and lets it poll acme.
func (o *outages) polling() *process {
	o.Helper()
	p := o.start("a", config.Okta{})
	o.pass(time.Minute)
	o.put("acme", entry)
	return p
}

// put writes a value to INTEGRATIONS.
func (o *outages) put(instance, value string) {
	o.Helper()
	conn, err := jets.Connect(o.Context(), "", o.natsd.Option())
	if err != nil {
		o.Fatal(err)
	}
	defer conn.Close()
	kv, err := conn.JS.KeyValue(o.Context(), jets.BucketIntegrations)
	if err == nil {
		_, err = kv.PutString(o.Context(), jets.Key(kinds.Default.Name, instance), value)
	}
	if err != nil {
		o.Fatal(err)
	}
}

// entry is a good value of INTEGRATIONS.
const entry = `{"enabled":true,"integration_type":"okta","name":"Acme","poll_interval":"1m",
"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"right-token"}}`

// fires lets time pass, and fails unless just these alerts fire then.
func (o *outages) fires(d time.Duration, want ...string) {
	o.Helper()
	slices.Sort(want)
	if got := o.pass(d); !slices.Equal(got, want) {
		o.Errorf("after %s %q fire, want %q; states %v", d, got, want, o.states())
	}
}

// states are those of the integrations, by the processes that answer.
func (o *outages) states() map[string]float64 {
	o.Helper()
	states := map[string]float64{}
	for _, s := range o.ask(`signal_client_integrations > 0`) {
		states[s.Metric.Get("instance")+" "+s.Metric.Get("state")] = s.F
	}
	return states
}

// counts fails unless each process that answers knows n integrations.
func (o *outages) counts(n float64) {
	o.Helper()
	for _, s := range o.ask(`sum by (instance) (signal_client_integrations)`) {
		if s.F != n {
			o.Errorf("%s knows %v integrations, want %v: %v", s.Metric.Get("instance"), s.F, n, o.states())
		}
	}
}

func TestAlertsOfNothing(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		a := o.start("a", config.Okta{Instance: "env", FQDN: "env.okta.com", APIToken: pipeline.NewSecret("right-token"), PollInterval: "1m", Since: "24h"})
		o.fires(time.Minute)
		o.put("acme", entry)
		o.put("off", strings.Replace(entry, "true", "false", 1))
		o.fires(30 * time.Minute)
		o.counts(2)
		b := o.start("b", config.Okta{})
		o.fires(10 * time.Minute)
		o.natsd.Restart(o)
		o.fires(10 * time.Minute)
		delete(o.targets, "a") // as discovery does
		a.stop()
		o.fires(30 * time.Minute)
		o.counts(1)
		if got := o.value(`signal_client_integrations{instance="b",state="polling"}`); got != 1 {
			o.Errorf("b polls %v: %v", got, o.states())
		}
		b.stop()
		if len(o.ever) > 0 {
			o.Errorf("%v have fired, and nothing was wrong", o.ever)
		}
	})
}

// With NATS away the alerts fire, and the org's series still exist.
func TestAlertsOfNATSAway(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		o.polling()
		o.put("globex", strings.ReplaceAll(entry, "acme", "globex"))
		o.fires(10 * time.Minute)
		o.natsd.Stop()
		o.fires(3*time.Minute, "SignalClientNATSAway")
		o.counts(2)
		o.fires(25*time.Minute, "SignalClientNATSAway", "SignalClientNotReady", "SignalClientStalled")
		o.counts(2)
		if n := len(o.ask(`signal_client_complete_through_timestamp_seconds`)); n != 2 {
			o.Errorf("%d watermarks are there, want 2", n)
		}
		o.natsd.Start(o)
		o.fires(5 * time.Minute)
		o.counts(2)
	})
}

// NATS is away when the service starts: its org of the environment has series all the
// same.
func TestAlertsOfNATSAwayAtStart(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		o.natsd.Stop()
		o.start("a", config.Okta{Instance: "env", FQDN: "env.okta.com", APIToken: pipeline.NewSecret("right-token"), PollInterval: "1m", Since: "24h"})
		o.fires(3*time.Minute, "SignalClientNATSAway")
		o.counts(1)
		o.fires(3*time.Minute, "SignalClientNATSAway", "SignalClientNotReady")
		o.natsd.Start(o)
		o.fires(5 * time.Minute)
		o.counts(1)
		if got := o.value(`signal_client_integrations{state="polling"}`); got != 1 {
			o.Errorf("env is not polled: %v", o.states())
		}
	})
}

// A process is connected and can't keep its session.
func TestAlertsOfNoSession(t *testing.T) {
	inOutage(t, jetstest.Config{Deny: "$KV.LOCKS.session.>", Password: "secret"}, func(o *outages) {
		o.polling()
		o.fires(4*time.Minute, "SignalClientCutOff")
		o.fires(4*time.Minute, "SignalClientCutOff", "SignalClientNotReady")
		o.counts(1)
	})
}

// One entry can't be read, and another can't be polled.
func TestAlertsOfWrongIntegrations(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		token := filepath.Join(o.TempDir(), "token")
		a := o.start("a", config.Okta{Instance: "env", FQDN: "env.okta.com", APITokenFile: token, PollInterval: "1m", Since: "24h"})
		o.fires(4*time.Minute, "SignalClientConfigurationError")
		o.counts(1)
		if why := strings.Join(a.ready.Reasons(), ""); !strings.Contains(why, "env") || !strings.Contains(why, token) {
			o.Errorf("nothing can be polled, and /readyz says %q", why)
		}
		o.put("acme", entry)
		o.put("broken", `{"enabled":true`)
		o.fires(4*time.Minute, "SignalClientConfigurationError", "SignalClientInvalid")
		o.counts(3)
		if why, notes := a.ready.Reasons(), a.ready.Notes(); len(why) > 0 || len(notes) != 2 {
			o.Errorf("acme is polled; not ready: %q, notes: %q", why, notes)
		}
		o.fires(70*time.Minute, "SignalClientConfigurationError", "SignalClientInvalid", "SignalClientNoWatermark")
		o.put("broken", entry)
		if err := os.WriteFile(token, []byte("right-token"), 0o600); err != nil {
			o.Fatal(err)
		}
		o.fires(70 * time.Minute)
		o.counts(3)
	})
}

// The org refuses the token, and then does not answer at all.
func TestAlertsOfTheOrg(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		o.polling()
		o.fires(5 * time.Minute)
		o.org.Revoke("right-token")
		o.fires(5*time.Minute, "SignalClientCredentialRefused")
		o.counts(1)
		o.org.Restore("right-token")
		o.fires(30 * time.Minute)
		o.org.SetFault(func(oktatest.Request) oktatest.Fault { return oktatest.Fault{Status: http.StatusServiceUnavailable} })
		o.fires(45*time.Minute, "SignalClientBreakerOpen", "SignalClientRetrying", "SignalClientStalled")
		o.counts(1)
		o.org.SetFault(func(oktatest.Request) oktatest.Fault { return oktatest.Fault{Inject: []string{`{"no":"uuid"}`}} })
		o.pass(20 * time.Minute)
		if !o.ever["SignalClientDeadLetters"] {
			o.Errorf("dead letters have fired nothing: %v", o.ever)
		}
	})
}

// A gateway removes the Date from the org's answers: events move the watermark, of an org
// that had one and of a new one. When no events come, an alert fires.
func TestAlertsOfNoDate(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		o.polling()
		o.fires(5 * time.Minute)
		o.org.SetFault(func(oktatest.Request) oktatest.Fault { return oktatest.Fault{Header: http.Header{"Date": nil}} })
		o.put("globex", strings.ReplaceAll(entry, "acme", "globex"))
		o.fires(30 * time.Minute)
		o.counts(2)
		o.still()
		o.fires(30*time.Minute, "SignalClientStalled")
		if n := len(o.active["SignalClientStalled"]); n != 2 {
			o.Errorf("it fires for %d orgs, want 2: %v", n, o.ask(`time() - signal_client_complete_through_timestamp_seconds`))
		}
	})
}

// Of two processes one dies, and one freezes and comes back.
func TestAlertsOfAReplica(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		a := o.start("a", config.Okta{})
		o.start("b", config.Okta{})
		o.pass(time.Minute)
		for _, name := range []string{"acme", "globex", "hooli", "initech", "umbrella", "stark"} {
			o.put(name, strings.ReplaceAll(entry, "acme", name))
		}
		o.fires(5 * time.Minute)
		o.counts(6)
		if sum := o.value(`sum(signal_client_integrations{state="polling"})`); sum != 6 {
			o.Errorf("%v are polled: %v", sum, o.states())
		}
		a.kill()
		o.fires(3*time.Minute, "SignalClientReplicaLost")
		o.fires(4*time.Minute, "SignalClientReplicaDown", "SignalClientReplicaLost")
		o.counts(6)
		a.gone = false
		a.line.join()
		o.fires(30 * time.Minute)
		o.counts(6)
	})
}

// A process that holds an org hangs.
func TestAlertsOfAStuckPoll(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		a := o.polling()
		o.fires(5 * time.Minute)
		stuck := make(chan struct{})
		o.mu.Lock()
		o.stuck = stuck
		o.mu.Unlock()
		o.fires(12*time.Minute, "SignalClientNotPolled")
		o.counts(1)
		if why := a.ready.Reasons(); len(why) > 0 {
			o.Errorf("not ready: %q", why)
		}
		o.mu.Lock()
		o.stuck = nil
		o.mu.Unlock()
		close(stuck)
		o.fires(5 * time.Minute)
	})
}

// A process may not write locks, so nobody polls.
func TestAlertsOfNobody(t *testing.T) {
	inOutage(t, jetstest.Config{Deny: "$KV.LOCKS.okta.>", Password: "secret"}, func(o *outages) {
		o.polling()
		o.fires(4*time.Minute, "SignalClientUnowned")
		o.counts(1)
	})
}

// Somebody edits SIGNALS while it is written to: within a minute an alert fires, and its
// end is reported as well.
func TestAlertsOfAnEditedStream(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		a := o.polling()
		o.fires(5 * time.Minute)
		conn, err := jets.Connect(o.Context(), "", o.natsd.Option())
		if err != nil {
			o.Fatal(err)
		}
		defer conn.Close()
		told, err := conn.NATS.SubscribeSync(jets.SubjectAdvisory("*", "signals"))
		if err != nil {
			o.Fatal(err)
		}
		made, err := conn.JS.Stream(o.Context(), jets.StreamSignals)
		if err != nil {
			o.Fatal(err)
		}
		for _, c := range []struct {
			name, kind, severity string
			alerts               []string
			edit                 func(*jetstream.StreamConfig)
		}{
			{"max_msgs_per_subject", "stream_unfit", "critical", []string{"SignalClientStreamUnfit"}, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 500 }},
			{"", "stream_unfit_over", "info", nil, func(*jetstream.StreamConfig) {}},
			{"subject_transform", "stream_unfit", "critical", []string{"SignalClientStreamUnfit"}, func(c *jetstream.StreamConfig) {
				c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "signals.okta.acme", Destination: "signals.elsewhere.acme"}
			}},
			{"", "stream_unfit_over", "info", nil, func(*jetstream.StreamConfig) {}},
			{"max_age is 18250d and not unlimited", "stream_unfit", "warning", nil, func(c *jetstream.StreamConfig) { c.MaxAge = config.Ever / 2 }},
			{"sealed", "stream_unfit", "critical", []string{"SignalClientStreamUnfit"}, func(c *jetstream.StreamConfig) { c.Sealed = true }},
		} {
			config := made.CachedInfo().Config
			c.edit(&config)
			if _, err := conn.JS.UpdateStream(o.Context(), config); err != nil {
				o.Fatal(err)
			}
			m, err := told.NextMsg(time.Minute)
			if err != nil {
				o.Fatalf("%s %s: not told within a minute", c.kind, c.name)
			}
			if err := schemas.Validate("advisory", m.Data); err != nil {
				o.Error(err)
			}
			var said struct{ Kind, Severity, Message string }
			if err := json.Unmarshal(m.Data, &said); err != nil || said.Kind != c.kind || said.Severity != c.severity || !strings.Contains(said.Message, c.name) {
				o.Errorf("got %s, want %s, %s, of %q", m.Data, c.kind, c.severity, c.name)
			}
			o.fires(3*time.Minute, c.alerts...)
			if why := a.ready.Reasons(); (len(why) > 0) != (c.severity == "critical") {
				o.Errorf("%s: not ready: %q", c.name, why)
			}
		}
	})
}

// The service is stopped for longer than Okta keeps its log. The alert fires although the
// gap is counted before the first scrape of the process.
func TestAlertsOfEventsPassedOver(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		a := o.polling()
		o.fires(5 * time.Minute)
		delete(o.targets, "a")
		a.stop()
		o.age("acme", 100*24*time.Hour)
		o.start("b", config.Okta{})
		o.fires(5*time.Minute, "SignalClientPassedOver")
		o.fires(90 * time.Minute)
	})
}

// age makes the newest position of an instance older.
func (o *outages) age(instance string, by time.Duration) {
	o.Helper()
	conn, err := jets.Connect(o.Context(), "", o.natsd.Option())
	if err != nil {
		o.Fatal(err)
	}
	defer conn.Close()
	m, err := conn.Last(o.Context(), jets.StreamSignals, jets.SubjectPosition(kinds.Default.Name, instance))
	if err != nil {
		o.Fatal(err)
	}
	var position map[string]any
	if err := json.Unmarshal(m.Data, &position); err != nil {
		o.Fatal(err)
	}
	for _, member := range []string{"complete_through", "published_max"} {
		position[member] = time.Now().Add(-by).UTC().Format(time.RFC3339Nano)
	}
	data, err := json.Marshal(position)
	if err == nil {
		_, err = conn.JS.Publish(o.Context(), m.Subject, data)
	}
	if err != nil {
		o.Fatal(err)
	}
}

// SIGNALS is full and refuses new events.
func TestAlertsOfAFullStream(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		o.polling()
		o.fires(5 * time.Minute)
		o.edit(jets.StreamSignals, func(c *jetstream.StreamConfig, s jetstream.StreamState) {
			c.Discard, c.MaxBytes = jetstream.DiscardNew, int64(s.Bytes)+100
		})
		o.fires(40*time.Minute, "SignalClientRetrying", "SignalClientStalled", "SignalClientStreamDoubtful", "SignalClientStreamNearlyFull")
		o.counts(1)
		o.edit(jets.StreamSignals, func(c *jetstream.StreamConfig, _ jetstream.StreamState) {
			c.Discard, c.MaxBytes = jetstream.DiscardOld, -1
		})
		o.fires(10 * time.Minute)
	})
}

// edit changes a stream as an operator does.
func (o *outages) edit(stream string, change func(*jetstream.StreamConfig, jetstream.StreamState)) {
	o.Helper()
	conn, err := jets.Connect(o.Context(), "", o.natsd.Option())
	if err != nil {
		o.Fatal(err)
	}
	defer conn.Close()
	s, err := conn.JS.Stream(o.Context(), stream)
	if err != nil {
		o.Fatal(err)
	}
	config := s.CachedInfo().Config
	change(&config, s.CachedInfo().State)
	if _, err := conn.JS.UpdateStream(o.Context(), config); err != nil {
		o.Fatal(err)
	}
}

// A dead letter can't be kept because DEADLETTER is full.
func TestAlertsOfFullDeadLetters(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		o.start("a", config.Okta{})
		o.pass(time.Minute)
		o.edit(jets.StreamDeadLetter, func(c *jetstream.StreamConfig, _ jetstream.StreamState) {
			c.Discard, c.MaxMsgs = jetstream.DiscardNew, 1
		})
		conn, err := jets.Connect(o.Context(), "", o.natsd.Option())
		if err != nil {
			o.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.JS.Publish(o.Context(), jets.SubjectDeadLetter(kinds.Default.Name, "acme"), []byte("?")); err != nil {
			o.Fatal(err)
		}
		o.org.SetFault(func(oktatest.Request) oktatest.Fault { return oktatest.Fault{Inject: []string{`{"no":"uuid"}`}} })
		o.put("acme", entry)
		o.fires(5*time.Minute, "SignalClientDeadLettersLost")
	})
}

// A stream that was put back to a backup has lost what was acknowledged since.
func TestAlertsOfLostData(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		a := o.polling()
		o.fires(5 * time.Minute)
		o.natsd.Stop()
		backup := o.natsd.Copy(o)
		o.natsd.Start(o)
		o.fires(10 * time.Minute)
		delete(o.targets, "a")
		a.stop()
		o.natsd.Stop()
		// CURSORS is as it was, and knows of what SIGNALS has lost.
		restore(o, filepath.Join(backup, "jetstream"), filepath.Join(o.natsd.Dir(), "jetstream"))
		o.natsd.Start(o)
		o.start("b", config.Okta{})
		o.fires(5*time.Minute, "SignalClientDataLoss")
	})
}

// restore puts SIGNALS alone back to a copy of the store.
func restore(t testing.TB, from, to string) {
	t.Helper()
	const signals = "$G/streams/" + jets.StreamSignals
	if err := os.RemoveAll(filepath.Join(to, signals)); err != nil {
		t.Fatal(err)
	}
	sub, err := fs.Sub(os.DirFS(from), signals)
	if err == nil {
		err = os.CopyFS(filepath.Join(to, signals), sub)
	}
	if err != nil {
		t.Fatal(err)
	}
}
