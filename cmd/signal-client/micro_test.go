package main

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// gather asks a subject until so many replicas have answered.
func gather(t *testing.T, nc *nats.Conn, subject, data string, most int) []*nats.Msg {
	t.Helper()
	for deadline := time.Now().Add(clitest.Patience); ; {
		answers := ask(t, nc, subject, data, most)
		if len(answers) == most {
			return answers
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d answers on %s, want %d", len(answers), subject, most)
		}
		time.Sleep(20 * time.Millisecond) // between two questions
	}
}

// ask asks once. A question has an inbox of its own: who answers late would else
// answer the next one twice.
func ask(t *testing.T, nc *nats.Conn, subject, data string, most int) (answers []*nats.Msg) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	_ = nc.PublishRequest(subject, inbox, []byte(data)) // not while the server is away
	for len(answers) < most {
		m, err := sub.NextMsg(time.Second)
		if err != nil {
			break
		}
		answers = append(answers, m)
	}
	return answers
}

// With topics.Permissions each replica shows as one of a micro service,
// and says how its orgs are doing: all of them at once, or one. None says a token.
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
	for _, m := range gather(t, nc, "$SRV.INFO.signal-client", "", 2) {
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
	gather(t, nc, "$SRV.PING", "", 2)
	orgs := 0
	for _, m := range gather(t, nc, jets.SubjectReplicas, "", 2) {
		orgs += len(readReplica(t, m).Instances)
		said.Write(m.Data)
	}
	if orgs != 1 {
		t.Errorf("%d orgs, all in all", orgs)
	}
	one := readReplica(t, gather(t, nc, jets.SubjectReplica("readme"), "acme", 1)[0])
	if one.Replica != "readme" || one.Orgs != 1 || len(one.Instances) != 1 || one.Instances[0].Instance != "acme" || one.Instances[0].Events != 20 {
		t.Errorf("got %+v", one)
	}
	if none := readReplica(t, gather(t, nc, jets.SubjectReplica("readme"), "globex", 1)[0]); len(none.Instances) != 0 || none.Orgs != 1 {
		t.Errorf("of an org that it does not poll: %+v", none)
	}
	events := uint64(0)
	for _, m := range gather(t, nc, "$SRV.STATS.signal-client", "", 2) {
		var stats micro.Stats
		var figures replicaFigures
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
	gather(t, nc, "$SRV.PING.signal-client", "", 1)
	if strings.Contains(said.String(), "right-token") || strings.Contains(said.String(), "pw@") {
		t.Errorf("a credential in %s", said.String())
	}
	if got := refused.Take(); got != "" {
		t.Errorf("refused: %s", got)
	}
}

func readReplica(t *testing.T, m *nats.Msg) replicaStatus {
	t.Helper()
	if err := schemas.Validate("replica", m.Data); err != nil {
		t.Errorf("%v: %s", err, m.Data)
	}
	var s replicaStatus
	if err := json.Unmarshal(m.Data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// A replica answers again after its server was away, and under its new name after
// it got one.
func TestPresence(t *testing.T) {
	natsd := jetstest.Run(t)
	conn, err := jets.Connect(t.Context(), "", natsd.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	name := "one"
	p := &presence{conn: conn, replica: func() string { return name }, board: &telemetry.StatusBoard{}, log: slog.New(slog.DiscardHandler)}
	p.keep(t.Context())
	t.Cleanup(p.leave)
	nc := natsd.Connect(t)
	replica := func() string {
		t.Helper()
		return readReplica(t, gather(t, nc, jets.SubjectReplicas, "", 1)[0]).Replica
	}
	if got := replica(); got != "one" {
		t.Errorf("replica %q", got)
	}
	natsd.Restart(t)
	if got := replica(); got != "one" {
		t.Errorf("replica %q after a restart", got)
	}
	name = "two"
	p.keep(t.Context())
	if got := readReplica(t, gather(t, nc, jets.SubjectReplica("two"), "", 1)[0]).Replica; got != "two" {
		t.Errorf("replica %q after it was renamed", got)
	}
}

// An answer that would be too large leaves instances out, and says how many.
func TestReplicaStatusFits(t *testing.T) {
	s := replicaStatus{Version: 1, Replica: "one", Instances: make([]pipeline.Status, 1000)}
	for n := range s.Instances {
		s.Instances[n] = pipeline.Status{Version: 1, Instance: "acme", State: pipeline.StatePolling, LastError: strings.Repeat("x", 1000)}
	}
	const most = 100 << 10
	data, err := s.fit(most)
	if err != nil || len(data) > most || len(data) < most/2 {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	var got replicaStatus
	if err := json.Unmarshal(data, &got); err != nil || got.LeftOut == 0 || got.LeftOut+len(got.Instances) != 1000 {
		t.Errorf("%d and %d left out, %v", len(got.Instances), got.LeftOut, err)
	}
}
