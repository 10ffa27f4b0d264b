package run

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/breaker"
)

// sourceFunc is a pipeline.Source.
type sourceFunc func() error

func (f sourceFunc) Poll(context.Context, pipeline.Link) (pipeline.Page, error) {
	return pipeline.Page{}, f()
}

// A breaker survives a changed interval and is replaced when origin or credential change.
func TestBreakers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type told struct {
			state   string
			refused bool
		}
		var heard []told
		trace := pipeline.Traces(&pipeline.Trace{Breaker: func(_, state string, refused bool) { heard = append(heard, told{state, refused}) }})
		refusing := sourceFunc(func() error { return pipeline.ErrCredential })
		asked := 0
		counting := sourceFunc(func() error { asked++; return nil })
		first := pipeline.NewSecret("first")
		i := pipeline.Integration{Kind: kinds.Default, Instance: "prod", Origin: "https://acme.okta.com", PollInterval: time.Minute}
		var all instances
		guard := func(source pipeline.Source, i pipeline.Integration, token pipeline.Credential) pipeline.Source {
			return all.Of(i.Instance).Guard(source, i, token, trace)
		}
		if _, err := guard(refusing, i, first).Poll(t.Context(), ""); !errors.Is(err, pipeline.ErrCredential) {
			t.Fatal(err)
		}
		poll := func(i pipeline.Integration, token pipeline.Credential) error {
			_, err := guard(counting, i, token).Poll(t.Context(), "")
			return err
		}

		i.PollInterval = time.Second
		if err := poll(i, first); !errors.Is(err, pipeline.ErrCredential) || asked != 0 {
			t.Errorf("after a changed interval: %v, asked %d times", err, asked)
		}
		other := i
		other.Origin = "https://acme.oktapreview.com"
		if err := poll(other, first); err != nil || asked != 1 {
			t.Errorf("after a changed origin: %v, asked %d times", err, asked)
		}
		if _, err := guard(refusing, i, first).Poll(t.Context(), ""); !errors.Is(err, pipeline.ErrCredential) {
			t.Fatal(err)
		}
		if err := poll(i, pipeline.NewSecret("second")); err != nil || asked != 2 {
			t.Errorf("after a changed token: %v, asked %d times", err, asked)
		}
		if _, err := guard(refusing, i, pipeline.NewSecret("second")).Poll(t.Context(), ""); !errors.Is(err, pipeline.ErrCredential) {
			t.Fatal(err)
		}
		all.Wake("prod")
		if err := poll(i, pipeline.NewSecret("second")); err != nil || asked != 3 {
			t.Errorf("after a wake: %v, asked %d times", err, asked)
		}
		asked--
		all.Forget("prod")
		if err := poll(i, first); err != nil || asked != 3 {
			t.Errorf("after it was deleted and added again: %v, asked %d times", err, asked)
		}
		closed, open := told{breaker.Closed, false}, told{breaker.Open, true}
		want := []told{closed, open, open, closed, closed, open, closed, closed, open, open, closed, closed}
		if !slices.Equal(heard, want) {
			t.Errorf("told %v, want %v", heard, want)
		}
	})
}

func TestOneLimiterForAnOrigin(t *testing.T) {
	var all origins
	at := func(address string) origin { return all.Of(pipeline.Integration{Kind: kinds.Default, Origin: address}) }
	if a, b := at("https://a"), at("https://a"); a != b {
		t.Error("an origin has two limiters")
	}
	if a, b := at("https://a"), at("https://b"); a.limiter == b.limiter {
		t.Error("two origins share a limiter")
	}
}

// Replacing a token in its file ends the poll that uses the former one.
func TestEveryWhileStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		stop := everyWhile(t.Context(), time.Second, func() { calls++ })
		time.Sleep(3500 * time.Millisecond)
		stop()
		time.Sleep(5 * time.Second)
		if calls != 3 {
			t.Errorf("called %d times, want 3", calls)
		}
	})
}

func TestIntegrationsAreAnnounced(t *testing.T) {
	good := pipeline.Entry{Integration: pipeline.Integration{Kind: kinds.Default, Enabled: true}}
	a := orgCountLog{hint: "do this", log: slog.New(slog.DiscardHandler)}
	if got := a.count(nil); got != "integrations: none; do this" {
		t.Error(got)
	}
	a.static = 1
	for want, entries := range map[string]map[string]pipeline.Entry{
		"integrations: 1 from the environment":                                                                {},
		"integrations: 1 stored in INTEGRATIONS, 1 from the environment":                                      {"a": good},
		"integrations: 3 stored in INTEGRATIONS, 1 from the environment, 1 disabled, 1 with an invalid value": {"a": good, "b": {}, "c": {Err: io.EOF}},
	} {
		if got := a.count(entries); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
