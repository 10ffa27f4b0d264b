package main

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// With topics.Permissions each replica is an instance of a micro service and reports its
// orgs: all of them at once, or one. No answer has a token.
func TestReplicasAnswer(t *testing.T) {
	natsd, refused := clitest.Server(t)
	sim := oktatest.New(oktatest.Config{Seed: 1, Even: true, Tokens: []string{"right-token"}, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
	sim.Generate(20, time.Hour)
	okta := httptest.NewServer(sim)
	t.Cleanup(okta.Close)
	polling := make(chan struct{}, 100)
	first := readmeStage(natsd, okta.URL)
	startTraced(t, first, &pipeline.Trace{Moved: func(_ string, state pipeline.State, _ pipeline.Position, _ time.Time) {
		if state == pipeline.StatePolling {
			polling <- struct{}{}
		}
	}})
	second := readmeStage(natsd, okta.URL)
	second.Process.Replica, second.Okta = "other", config.Okta{}
	end := startStage(t, second)
	<-polling
	nc, err := nats.Connect(clitest.UserURL(natsd, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)

	var said strings.Builder
	var names []string
	for _, m := range clitest.Gather(t, nc, "$SRV.INFO.signal-client", "", 2) {
		var info micro.Info
		if err := json.Unmarshal(m.Data, &info); err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Metadata["replica"])
		if len(info.Endpoints) != 2 || info.Metadata["version"] == "" || info.Metadata["revision"] == "" || info.Metadata["started"] == "" {
			t.Errorf("info %s", m.Data)
		}
		said.Write(m.Data)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"other", "readme"}) {
		t.Errorf("replicas %q", names)
	}
	clitest.Gather(t, nc, "$SRV.PING", "", 2)
	orgs := 0
	for _, m := range clitest.Gather(t, nc, jets.SubjectReplicas, "", 2) {
		orgs += len(readAnswer(t, m).Instances)
		said.Write(m.Data)
	}
	if orgs != 1 {
		t.Errorf("%d orgs, all in all", orgs)
	}
	one := readAnswer(t, clitest.Gather(t, nc, jets.SubjectReplica("readme"), "acme", 1)[0])
	if one.Replica != "readme" || one.Orgs != 1 || len(one.Instances) != 1 || one.Instances[0].Instance != "acme" || one.Instances[0].Events != 20 {
		t.Errorf("got %+v", one)
	}
	if none := readAnswer(t, clitest.Gather(t, nc, jets.SubjectReplica("readme"), "globex", 1)[0]); len(none.Instances) != 0 || none.Orgs != 1 {
		t.Errorf("of an org that it does not poll: %+v", none)
	}
	events := uint64(0)
	for _, m := range clitest.Gather(t, nc, "$SRV.STATS.signal-client", "", 2) {
		var stats micro.Stats
		var figures struct{ Events uint64 }
		if err := json.Unmarshal(m.Data, &stats); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(stats.Endpoints[0].Data, &figures); err != nil {
			t.Fatal(err)
		}
		events += figures.Events
		said.Write(m.Data)
	}
	if events != 20 {
		t.Errorf("%d events by the statistics", events)
	}
	end()
	clitest.Gather(t, nc, "$SRV.PING.signal-client", "", 1)
	if strings.Contains(said.String(), "right-token") || strings.Contains(said.String(), "pw@") {
		t.Errorf("a credential in %s", said.String())
	}
	if got := refused.Take(); got != "" {
		t.Errorf("refused: %s", got)
	}
}

// replicaAnswer is what the test looks at of an answer.
type replicaAnswer struct {
	Replica   string
	Orgs      int
	Instances []pipeline.Status
}

func readAnswer(t *testing.T, m *nats.Msg) replicaAnswer {
	t.Helper()
	if err := schemas.Validate("replica", m.Data); err != nil {
		t.Errorf("%v: %s", err, m.Data)
	}
	var s replicaAnswer
	if err := json.Unmarshal(m.Data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
