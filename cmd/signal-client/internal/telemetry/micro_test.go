package telemetry

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

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

// A replica answers again after its server was away, and under its new name after its
// name has changed.
func TestPresence(t *testing.T) {
	natsd := jetstest.Run(t)
	conn, err := jets.Connect(t.Context(), "", natsd.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	name := "one"
	p := &Presence{Conn: conn, Replica: func() string { return name }, Board: &StatusBoard{}, Log: slog.New(slog.DiscardHandler)}
	p.keep(t.Context())
	t.Cleanup(p.leave)
	nc := natsd.Connect(t)
	replica := func() string {
		t.Helper()
		return readReplica(t, clitest.Gather(t, nc, jets.SubjectReplicas, "", 1)[0]).Replica
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
	if got := readReplica(t, clitest.Gather(t, nc, jets.SubjectReplica("two"), "", 1)[0]).Replica; got != "two" {
		t.Errorf("replica %q after it was renamed", got)
	}
}

// An answer that would be too large leaves instances out and says how many.
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
