package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/simulated"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
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

// demoOrgs are the demo's orgs.
type demoOrgs struct{ *simulated.Orgs }

// startOrgs starts the orgs. Call Stop.
func startOrgs(ctx context.Context, perMinute float64) (demoOrgs, error) {
	seed := rand.Uint64()
	var specs []simulated.Spec
	for i, spec := range demoSpecs {
		specs = append(specs, simulated.Spec{
			Name: spec.name, Title: spec.title, Seed: seed + uint64(i), Tokens: []string{demoToken}, Requests: demoRequests,
			History: spec.history, Over: 24 * time.Hour, PerMinute: perMinute * spec.share,
		})
	}
	orgs, err := simulated.Start(ctx, "127.0.0.1:0", specs)
	return demoOrgs{orgs}, err
}

// Put writes the orgs to INTEGRATIONS.
func (o demoOrgs) Put(ctx context.Context, store *jets.Store) error {
	type object map[string]any
	all := &buckets.Integrations{Store: store}
	for _, d := range o.Each {
		data, err := json.Marshal(object{
			"name": d.Title, "poll_interval": demoInterval.String(),
			"settings":    object{"base_url": d.URL, "since": "48h"},
			"credentials": object{"api_token": demoToken},
		})
		if err != nil {
			return err
		}
		if _, err := all.Put(ctx, d.Name, data, 0); err != nil {
			return err
		}
	}
	return nil
}

// Settle waits, at most most, until all events are stored; its error says how many are not.
func (o demoOrgs) Settle(ctx context.Context, f *figures, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		there, stored := uint64(0), uint64(0)
		for _, d := range o.Each {
			there, stored = there+uint64(d.Len()), stored+f.Stored(d.Name)
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
