package main

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// What the console saves takes effect in a running service at once: the first poll, a
// refused token, and the mended one. Polls that are due only in 90 days don't help.
func TestConsoleEditsTakeEffect(t *testing.T) {
	natsd := jetstest.Config{Listen: true}.Run(t)
	sim := oktatest.New(oktatest.Config{Seed: 1, Even: true, Tokens: []string{"right-token"}, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
	sim.Generate(20, time.Hour)
	okta := httptest.NewServer(sim)
	t.Cleanup(okta.Close)
	c := stageOn(natsd.URL(), okta.URL)
	c.Okta = config.Okta{}
	startStage(t, c)
	conn, err := jets.Connect(t.Context(), "", natsd.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	v := view.New(view.Config{Store: jets.Attach(conn, kinds.Default)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- v.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	ann := access.User{Name: "ann", Role: access.RoleAdmin, Via: access.ViaPassword}
	becomes := func(state pipeline.State) view.Integration {
		t.Helper()
		saved := time.Now()
		within, cancel := context.WithTimeout(ctx, clitest.Patience)
		defer cancel()
		for change := range v.Changes(within, "") {
			if i, ok := change.Fleet.Of("acme"); ok && i.State == state {
				t.Logf("%s after %s", state, time.Since(saved).Round(time.Millisecond))
				return i
			}
		}
		i, _ := v.Fleet().Of("acme")
		t.Fatalf("not %s: %+v", state, i)
		return i
	}
	value := orgs.Value{"name": "Acme", "poll_interval": "2160h", "settings": map[string]any{"base_url": okta.URL},
		"credentials": map[string]any{"api_token": "right-token"}}
	d, err := v.Create(ctx, ann, "acme", value)
	if err != nil {
		t.Fatal(err)
	}
	if i := becomes(pipeline.StatePolling); i.LastEvent == nil || i.Class != view.Green {
		t.Errorf("polling: %+v", i)
	}
	for _, step := range []struct {
		token string
		state pipeline.State
	}{{"wrong-token", pipeline.StateRefused}, {"right-token", pipeline.StatePolling}} {
		edit := view.Edit{Revision: d.Revision, Value: orgs.Value{"credentials": map[string]any{"api_token": step.token}}}
		if d, err = v.Update(ctx, ann, "acme", edit); err != nil {
			t.Fatal(err)
		}
		if i := becomes(step.state); step.state == pipeline.StateRefused && (i.LastError == "" || i.Remedy == "") {
			t.Errorf("refused: %+v", i)
		}
	}
	sim.Add(make([]oktatest.Event, 3)...)
	if d, err = v.Update(ctx, ann, "acme", view.Edit{Revision: d.Revision, Value: orgs.Value{}}); err != nil { // saved again, unchanged
		t.Fatal(err)
	}
	within, cancelWait := context.WithTimeout(ctx, clitest.Patience)
	defer cancelWait()
	for change := range v.Changes(within, "") {
		if i, _ := change.Fleet.Of("acme"); i.LastHour >= 23 {
			return
		}
	}
	t.Error("a value that was saved unchanged was not polled")
}
