package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// fleetOrg is an org of the simulated fleet.
type fleetOrg struct {
	*oktatest.Org
	host string
	away atomic.Bool // it can't be reached
}

// tenant is an instance of the simulated fleet, and what its operator wrote last.
// Only the goroutine of the simulation touches it.
type tenant struct {
	name   string
	org    *fleetOrg
	tokens [2]string // its own: requests are known by them
	some   bool      // it asks for a part of the org's events
	lone   bool      // it is configured in each replica's environment, and not stored

	text     int // which of the filters of one meaning
	token    int // which of its tokens
	limit    int
	interval time.Duration
	off      time.Time // since when it is disabled, or deleted; zero: it is not
}

// filters are texts of one meaning: another one is another query, with the same
// events.
var (
	allFilters  = []string{"", "uuid pr", "(eventType pr)"}
	someFilters = []string{`eventType sw "user."`, `(eventType sw "user.")`, `uuid pr and eventType sw "user."`}
)

func (t *tenant) filter() string {
	if t.some {
		return someFilters[t.text]
	}
	return allFilters[t.text]
}

// log is what the stream must hold of the tenant.
func (t *tenant) log() []oktatest.Event {
	var list []oktatest.Event
	for _, e := range t.org.Events() {
		var event struct{ EventType string }
		if !t.some || json.Unmarshal(e.Data, &event) == nil && strings.HasPrefix(event.EventType, "user.") {
			list = append(list, e)
		}
	}
	return list
}

const fleetOrgs = 12

func (w *fleetWorld) settle() {
	for i := range fleetOrgs {
		perMinute := w.pick(120, 600)
		if i == 0 {
			perMinute = 1200 // for several instances, each of which asks twice or more whenever it is taken
		}
		o := &fleetOrg{host: fmt.Sprintf("org-%d.okta.com", i)}
		o.Org = oktatest.New(oktatest.Config{
			Seed: w.seed + uint64(i)<<32, Origin: "https://" + o.host, Requests: -1,
			Links: oktatest.Links{Vary: true}, Rate: oktatest.Rate{PerMinute: perMinute},
			Skew: time.Duration(w.pick(0, 0, -10, 10)) * time.Minute,
			Lag:  oktatest.Lag{Late: 0.1, LateBy: 4 * time.Minute},
		})
		o.GenerateFrom(o.Now().Add(-time.Hour), 20+w.rng.IntN(40), time.Hour)
		o.GenerateFrom(o.Now(), 20+w.rng.IntN(150), w.life)
		o.SetFault(w.faultOf(i))
		w.orgs = append(w.orgs, o)
		w.tenants = append(w.tenants, w.newTenant(fmt.Sprintf("org-%d", i), o))
	}
	for i := range 2 { // further instances of an origin
		w.tenants = append(w.tenants, w.newTenant(fmt.Sprintf("more-%d", i), w.orgs[0]))
	}
	lone := w.newTenant("lone", w.orgs[0])
	lone.lone = true
	w.tenants = append(w.tenants, lone)
}

// static is what each replica's environment says.
func (w *fleetWorld) static(t *tenant) config.Okta {
	return config.Okta{
		Instance: t.name, FQDN: t.org.host, Filter: t.filter(), Since: w.since(), PollInterval: t.interval.String(),
		APIToken: pipeline.NewSecret(t.tokens[t.token]),
	}
}

// since is where fresh starts begin.
func (w *fleetWorld) since() string { return w.started.Add(-12 * time.Hour).Format(time.RFC3339) }

func (w *fleetWorld) newTenant(name string, o *fleetOrg) *tenant {
	t := &tenant{name: name, org: o, tokens: [2]string{"00first-" + name, "00second-" + name},
		some: w.chance(0.3), text: w.rng.IntN(3), limit: w.pick(3, 10, 50), interval: w.interval()}
	for _, token := range t.tokens {
		o.Restore(token)
	}
	return t
}

func (w *fleetWorld) interval() time.Duration {
	return time.Duration(w.pick(10, 20, 30, 45)) * time.Second
}

// orgAt is the org at a host.
func (w *fleetWorld) orgAt(host string) *fleetOrg {
	for _, o := range w.orgs {
		if o.host == host {
			return o
		}
	}
	panic("no org " + host)
}

// tenantOf is the tenant that a request for events is for; others have no token.
func (w *fleetWorld) tenantOf(req *http.Request) (t *tenant, ok bool) {
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "SSWS ")
	if !ok {
		return nil, false
	}
	for _, t := range w.tenants {
		if slices.Contains(t.tokens[:], token) {
			return t, true
		}
	}
	panic("nobody has the token of " + req.URL.String())
}

// faultOf draws what goes wrong with a request to an org, by its number alone.
// Every answer takes a while, so that requests at one time can be seen.
func (w *fleetWorld) faultOf(org int) func(oktatest.Request) oktatest.Fault {
	faults := oktatest.PassingFaults()
	return func(r oktatest.Request) oktatest.Fault {
		rng := rand.New(rand.NewPCG(w.seed+uint64(org), uint64(r.N)))
		var fault oktatest.Fault
		if !w.calm.Load() && rng.Float64() < 0.05 {
			fault = faults[rng.IntN(len(faults))]
		}
		fault.Wait += time.Duration(rng.IntN(300)) * time.Millisecond
		return fault
	}
}

// value is what the operator writes of a tenant.
func (w *fleetWorld) value(t *tenant, enabled bool) []byte {
	return jets.Encode(map[string]any{
		"enabled": enabled, "poll_interval": t.interval.String(),
		"settings": map[string]any{"fqdn": t.org.host, "filter": t.filter(), "limit": t.limit,
			"since": w.since()},
		"credentials": map[string]any{"api_token": t.tokens[t.token]},
	})
}

// write does something to the integrations, unless the server is away.
func (w *fleetWorld) write(f func(context.Context, jetstream.KeyValue) error) error {
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	kv, err := w.admin.JS.KeyValue(ctx, jets.BucketIntegrations)
	if err != nil {
		return err
	}
	return f(ctx, kv)
}

func (w *fleetWorld) put(t *tenant, enabled bool) error {
	if t.lone {
		return nil
	}
	w.quiet(t)
	t.off = time.Time{}
	err := w.write(func(ctx context.Context, kv jetstream.KeyValue) error {
		_, err := kv.Put(ctx, jets.Key(sinktest.Kind.Name, t.name), w.value(t, enabled))
		return err
	})
	if err == nil && !enabled {
		t.off = time.Now()
	}
	return err
}

func (w *fleetWorld) remove(t *tenant) error {
	w.quiet(t)
	t.off = time.Time{}
	err := w.write(func(ctx context.Context, kv jetstream.KeyValue) error {
		return kv.Purge(ctx, jets.Key(sinktest.Kind.Name, t.name))
	})
	if err == nil {
		t.off = time.Now()
	}
	return err
}

// quiet checks that a tenant that is off has not been asked for, once all could
// know: those whose watch is dead learn of it when it is made anew, those who are
// cut off stop when their session ends.
func (w *fleetWorld) quiet(t *tenant) {
	if t.off.IsZero() {
		return
	}
	if n := w.logbook.since(t.name, t.off.Add(w.ttl+2*jets.WatchSilence+2*time.Second)); n > 0 {
		w.Errorf("%s is off since %v, and was asked for %d times", t.name, t.off, n)
	}
}

// reconfigure is what an operator does to the integrations.
func (w *fleetWorld) reconfigure() {
	t := w.tenants[w.rng.IntN(len(w.tenants)-1)] // but for the last, which is not stored
	switch w.rng.IntN(8) {
	case 0:
		_ = w.put(t, false)
	case 1:
		_ = w.remove(t)
	case 2:
		t.text = (t.text + 1) % 3
		_ = w.put(t, true)
	case 3:
		t.interval, t.limit = w.interval(), w.pick(3, 10, 50)
		_ = w.put(t, true)
	case 4:
		for _, other := range w.tenants { // by somebody else
			if other.org == t.org {
				t.org.Revoke(other.tokens[t.token])
			}
		}
	case 5:
		for _, other := range w.tenants {
			if other.org == t.org {
				t.org.Restore(other.tokens[1-t.token])
			}
		}
		t.token = 1 - t.token
		_ = w.put(t, true)
	case 6: // a wrong value, and others' keys
		w.quiet(t)
		t.off = time.Time{}
		err := w.write(func(ctx context.Context, kv jetstream.KeyValue) error {
			_, err := kv.Put(ctx, jets.Key(sinktest.Kind.Name, t.name), []byte(w.choose(`{"settings":{}}`, `{`, `[]`, `{"enabled":true,"settings":{"fqdn":"x"}}`)))
			_, _ = kv.Put(ctx, w.choose("okta.Acme.2", "aws.prod", "okta"), []byte(`{}`))
			return err
		})
		if err == nil {
			t.off = time.Now()
		}
	case 7:
		for _, t := range w.tenants { // all that was switched off
			_ = w.put(t, true)
		}
	}
}

func (w *fleetWorld) choose(choices ...string) string { return choices[w.rng.IntN(len(choices))] }
