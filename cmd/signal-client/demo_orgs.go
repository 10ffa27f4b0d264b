package main

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
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// demoSpecs are the orgs of a demo.
var demoSpecs = []struct {
	name    string
	title   string
	history int     // events of the last day, to catch up with
	share   float64 // of the events that happen
}{
	{"acme", "Acme Corporation", 4000, 0.75},
	{"globex", "Globex", 600, 0.25},
}

const (
	demoToken    = "demo" // of no worth anywhere else
	demoRequests = 600    // a minute
	demoInterval = 2 * time.Second
)

func demoNames() []string {
	var names []string
	for _, spec := range demoSpecs {
		names = append(names, spec.name)
	}
	return names
}

// demoOrg is a simulated org, served on a port of this machine.
type demoOrg struct {
	*oktatest.Org
	name, title, url string
	server           *http.Server
}

// demoOrgs are the orgs of a demo, at work.
type demoOrgs struct {
	each  []*demoOrg
	quiet context.CancelFunc
	wg    sync.WaitGroup
}

// startOrgs starts the orgs. Stop must be called.
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

// Quiet lets nothing more happen in the orgs.
func (o *demoOrgs) Quiet() { o.quiet() }

// Stop ends the orgs.
func (o *demoOrgs) Stop() {
	o.quiet()
	for _, d := range o.each {
		_ = d.server.Close()
	}
	o.wg.Wait()
}

// Put configures the orgs in INTEGRATIONS.
func (o *demoOrgs) Put(ctx context.Context, store *jets.Store) error {
	type object map[string]any
	all := &jets.Integrations{Store: store}
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

// Settle waits until as many events are stored as there are, for at most a
// time. Its error says how many are not.
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
				Op:   "store what has happened",
				Err:  fmt.Errorf("%s of %s events were stored after %s more", term.Number(stored), term.Number(there), most),
				Hint: "this machine is busy: run the demo again, or for longer (--for), or with a smaller --rate",
			}
		}
	}
}
