package main

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/jets"
)

// With topics.Permissions a consumer may acknowledge by both forms of the subject: servers
// will put domain and account into it. The service reads from such a server, too.
func TestConsumersAcknowledge(t *testing.T) {
	for _, long := range []bool{false, true} {
		natsd, refused := clitest.Server(t, func(o *server.Options) {
			o.FeatureFlags = map[string]bool{server.FeatureFlagJsAckFormatV2: long}
		})
		stage, err := jets.Connect(t.Context(), clitest.UserURL(natsd, "stage"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stage.Close)
		if _, err := jets.Open(t.Context(), stage, jets.Config{Kinds: kinds.All.Plain()}); err != nil {
			t.Fatal(err)
		}
		if _, err := stage.JS.Publish(t.Context(), "signals.okta.acme", []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if _, err := stage.JS.Publish(t.Context(), jets.BucketSubject(jets.BucketStatus, "okta.acme"), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		found := 0
		if err := stage.Each(t.Context(), jets.BucketStatus, ">", false, func(jets.KVEntry) { found++ }); err != nil || found != 1 {
			t.Errorf("long %v: %d values in STATUS, %v", long, found, err)
		}

		nc, err := nats.Connect(clitest.UserURL(natsd, "siem"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		consumer, err := js.CreateConsumer(t.Context(), jets.StreamSignals, jetstream.ConsumerConfig{Durable: "siem", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "signals.okta.*"})
		if err != nil {
			t.Fatal(err)
		}
		m, err := consumer.Next()
		if err == nil {
			err = m.DoubleAck(t.Context())
		}
		if denied := refused.Take(); err != nil || denied != "" {
			t.Errorf("long %v: acknowledge: %v, %s", long, err, denied)
		}
	}
}
