package run

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// Two orgs whose names begin alike, each in the environment of its own process, get the
// same name. The second one is reported, and its events are never stored among the first
// one's, even when the first process ends; and the first org is polled again when it is
// back.
func TestTwoOrgsOfOneName(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		o.other = oktatest.New(oktatest.Config{Seed: 2, Tokens: []string{"other-token"}})
		o.other.Generate(50, time.Hour)
		env := func(fqdn, token string) config.Okta {
			return config.Okta{FQDN: fqdn, APIToken: pipeline.NewSecret(token), PollInterval: "1m", Since: "24h"}
		}
		first := env("acme.okta.com", "right-token")
		a := o.start("a", first)
		o.fires(3 * time.Minute)
		b := o.start("b", env("acme.oktapreview.com", "other-token"))
		o.fires(10*time.Minute, "SignalClientConfigurationError", "SignalClientNotReady")
		o.counts(1)
		if why := strings.Join(b.ready.Reasons(), ""); !strings.Contains(why, "acme") {
			o.Errorf("the name is taken, and /readyz says %q", why)
		}
		if s := o.status("acme"); s.State != pipeline.StatePolling || s.Holder != "a" {
			o.Errorf("the first one's status is %+v", s)
		}
		a.stop()
		a.gone = true
		o.pass(10 * time.Minute)
		if s := o.status("acme"); s.State != pipeline.StateConfig || !strings.Contains(s.LastError, "another org") {
			o.Errorf("after a takeover the status is %+v", s)
		}
		if n := o.ofOrg("https://acme.oktapreview.com"); n != 0 {
			o.Errorf("%d events of the second org are stored under the first one's name", n)
		}
		o.start("c", first)
		o.pass(10 * time.Minute)
		if s := o.status("acme"); s.State != pipeline.StatePolling || s.Holder != "c" {
			o.Errorf("the first one is back, and its status is %+v", s)
		}
	})
}

// status is what STATUS says of an instance.
func (o *outages) status(instance string) pipeline.Status {
	o.Helper()
	conn, err := jets.Connect(o.Context(), "", o.natsd.Option())
	if err != nil {
		o.Fatal(err)
	}
	defer conn.Close()
	all, err := buckets.AllStatuses(o.Context(), jets.Attach(conn, kinds.Default))
	if err != nil {
		o.Fatal(err)
	}
	for _, s := range all {
		if s.Instance == instance {
			return s
		}
	}
	return pipeline.Status{}
}

// ofOrg counts the stored events of a source.
func (o *outages) ofOrg(source string) int {
	o.Helper()
	conn, err := jets.Connect(o.Context(), "", o.natsd.Option())
	if err != nil {
		o.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.JS.Stream(o.Context(), jets.StreamSignals)
	if err != nil {
		o.Fatal(err)
	}
	n, state := 0, stream.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		m, err := stream.GetMsg(o.Context(), seq, jetstream.WithGetMsgSubject("signals.>"))
		if err != nil {
			break
		}
		if seq = m.Sequence; m.Header.Get("ce-source") == source {
			n++
		}
	}
	return n
}
