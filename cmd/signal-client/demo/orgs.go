package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// demoSpecs describes the demo's orgs.
var demoSpecs = []struct {
	name    string
	title   string
	history int     // events of the last day, to catch up with
	share   float64 // of the new events
}{
	{"acme", "Acme Corporation", 4000, 0.75},
	{"globex", "Globex", 600, 0.25},
}

const (
	demoToken    = "demo" // worthless anywhere else
	demoRequests = 600    // per minute
	demoInterval = 2 * time.Second
)

func demoNames() []string {
	var names []string
	for _, spec := range demoSpecs {
		names = append(names, spec.name)
	}
	return names
}

// demoOrg is a simulated org on a local port.
type demoOrg struct {
	*oktatest.Org
	name, title, url string
	server           *http.Server
}

type demoOrgs struct {
	each  []*demoOrg
	quiet context.CancelFunc // stops new events
	wg    sync.WaitGroup
}

// startOrgs starts the orgs. Call Stop.
func startOrgs(ctx context.Context, perMinute float64) (*demoOrgs, error) {
	ctx, quiet := context.WithCancel(ctx)
	o := &demoOrgs{quiet: quiet}
	seed := rand.Uint64()
	for i, spec := range demoSpecs {
		org := oktatest.New(oktatest.Config{
			Seed: seed + uint64(i), Tokens: []string{demoToken}, Rate: oktatest.Rate{PerMinute: demoRequests, Share: 1},
		})
		org.Generate(spec.history, 24*time.Hour)
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			o.Stop()
			return nil, fmt.Errorf("serve a simulated org: %w", err)
		}
		d := &demoOrg{Org: org, name: spec.name, title: spec.title, url: "http://" + ln.Addr().String(),
			server: &http.Server{Handler: org, ReadHeaderTimeout: 5 * time.Second}}
		o.each = append(o.each, d)
		o.wg.Go(func() { _ = d.server.Serve(ln) }) // it ends with Stop
		o.wg.Go(func() { org.Run(ctx, perMinute*spec.share) })
	}
	return o, nil
}

// Stop ends the orgs.
func (o *demoOrgs) Stop() {
	o.quiet()
	for _, d := range o.each {
		_ = d.server.Close()
	}
	o.wg.Wait()
}

// Put writes the orgs to INTEGRATIONS.
func (o *demoOrgs) Put(ctx context.Context, store *jets.Store) error {
	type object map[string]any
	all := &buckets.Integrations{Store: store}
	for _, d := range o.each {
		data, err := json.Marshal(object{
			"name": d.title, "poll_interval": demoInterval.String(),
			"settings":    object{"base_url": d.url, "since": "48h"},
			"credentials": object{"api_token": demoToken},
		})
		if err != nil {
			return err
		}
		if _, err := all.Put(ctx, d.name, data, 0); err != nil {
			return err
		}
	}
	return nil
}

// Settle waits, at most most, until all events are stored; its error says how many are not.
func (o *demoOrgs) Settle(ctx context.Context, f *figures, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		there, stored := uint64(0), uint64(0)
		for _, d := range o.each {
			there, stored = there+uint64(d.Len()), stored+f.Stored(d.name)
		}
		if stored >= there {
			return nil
		}
		if pipeline.Sleep(ctx, 50*time.Millisecond) != nil {
			return &problem.Error{
				Op:   "store the remaining events",
				Err:  fmt.Errorf("%s of %s events were stored after another %s", term.Number(stored), term.Number(there), most),
				Hint: "this machine is busy: run the demo again, or for longer (--for), or with a smaller --rate",
			}
		}
	}
}
