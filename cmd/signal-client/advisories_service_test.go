package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// With topics.Permissions, the service publishes advisories about a simulated org's
// faults.
func TestAdvisoriesOfTheService(t *testing.T) {
	natsd, refused := clitest.Server(t)
	sim := oktatest.New(oktatest.Config{Seed: 1, Even: true, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
	sim.Generate(20, time.Hour)
	var fault atomic.Pointer[oktatest.Fault]
	fault.Store(&oktatest.Fault{Inject: []string{"7"}})
	sim.SetFault(func(oktatest.Request) oktatest.Fault { return *fault.Load() })
	okta := httptest.NewServer(sim)
	t.Cleanup(okta.Close)
	nc, err := nats.Connect(clitest.UserURL(natsd, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync("signal-client.advisory.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil { // the server knows of it before the service starts
		t.Fatal(err)
	}
	await := func(kind string) {
		t.Helper()
		for {
			m, err := sub.NextMsg(clitest.Patience)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			if err := schemas.Validate("advisory", m.Data); err != nil {
				t.Errorf("%v: %s", err, m.Data)
			}
			if m.Subject == jets.SubjectAdvisory(kind, "acme") {
				return
			}
		}
	}
	startStage(t, readmeStage(natsd, okta.URL))
	await("dead_letter")
	fault.Store(&oktatest.Fault{Status: http.StatusUnauthorized, Code: "E0000011"})
	await("breaker_opened")
	if got := refused.Take(); got != "" {
		t.Errorf("refused: %s", got)
	}
}
