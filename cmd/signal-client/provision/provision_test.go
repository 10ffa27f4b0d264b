package provision

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

var added = regexp.MustCompile(`(?ms)^nats stream add (\S+) --config /dev/stdin <<'JSON'\n(.*?)^JSON$`)

// A user who may not create streams prints how; an administrator runs it, and then the
// service starts. What a stream then lacks is printed as its edit.
func TestPrintedCommands(t *testing.T) {
	server := jetstest.Config{Password: "pw", Deny: "$JS.API.STREAM.CREATE.>"}.Run(t)
	conn, err := jets.Connect(t.Context(), "", server.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	asked := jets.Config{Kinds: kinds.All.Plain()}
	printed := func() string {
		t.Helper()
		all, err := jets.Define(t.Context(), conn, asked)
		if err != nil {
			t.Fatal(err)
		}
		text, err := script(all, natsCommand(conn))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	admin, err := jetstream.New(server.Admin(t))
	if err != nil {
		t.Fatal(err)
	}
	commands := added.FindAllStringSubmatch(printed(), -1)
	if len(commands) != 13 {
		t.Fatalf("%d commands in %s", len(commands), printed())
	}
	for _, c := range commands {
		var config jetstream.StreamConfig
		if err := json.Unmarshal([]byte(c[2]), &config); err != nil || config.Name != c[1] {
			t.Fatalf("%s: %v", c[0], err)
		}
		if _, err := admin.CreateStream(t.Context(), config); err != nil {
			t.Fatalf("%s: %v", c[0], err)
		}
	}
	if _, err := jets.Open(t.Context(), conn, asked); err != nil {
		t.Fatalf("with what was printed: %v", err)
	}

	signals, err := admin.Stream(t.Context(), jets.StreamSignals)
	if err != nil {
		t.Fatal(err)
	}
	config := signals.CachedInfo().Config
	config.Subjects, config.AllowAtomicPublish = []string{"signals.>"}, false
	if _, err := admin.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	text := printed()
	if !strings.Contains(text, "nats stream edit SIGNALS --allow-batch --subjects='signals.>,signal-cursor.>' --force\n") {
		t.Errorf("a stream that lacks something: %s", text)
	}
	if !strings.Contains(text, "# LOCKS exists and has what is needed.\n") {
		t.Errorf("a bucket that lacks nothing: %s", text)
	}

	if _, err := jets.Provision(t.Context(), conn, asked); err != nil { // this user may update
		t.Error(err)
	}
	if err := admin.DeleteStream(t.Context(), jets.BucketStream(jets.BucketStatus)); err != nil {
		t.Fatal(err)
	}
	done, err := jets.Provision(t.Context(), conn, asked)
	if !errors.Is(err, jets.ErrMayNotCreate) || !strings.Contains(err.Error(), "missing: STATUS") || len(done) != 3 {
		t.Errorf("provision without permission: %v, %v", done, err)
	}
}

// Without a server everything is printed, and a new SIGNALS begins above old fences.
func TestPrintWithoutServer(t *testing.T) {
	all, err := jets.Define(t.Context(), nil, jets.Config{Kinds: kinds.All.Plain(), Replicas: 3, MaxBytes: 1 << 30})
	if err != nil || len(all) != 13 {
		t.Fatalf("%d definitions: %v", len(all), err)
	}
	for _, d := range all {
		if d.Config.Replicas != 3 {
			t.Errorf("%s has %d copies", d.Name, d.Config.Replicas)
		}
		if d.Name == jets.StreamSignals && (d.Config.FirstSeq < 1_000_000 || d.Config.MaxBytes != 1<<30) {
			t.Errorf("SIGNALS: %+v", d.Config)
		}
	}
}
