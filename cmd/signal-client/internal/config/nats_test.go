package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Which errors the service waits out at its start, and with which it ends.
func TestFinal(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nats.ErrNoServers, false},
		{nats.ErrTimeout, false},
		{syscall.ECONNREFUSED, false},
		{jets.ErrDisconnected, false},
		{errors.New("something new"), false}, // a service rather waits than gives up
		{jets.ErrServerTooOld, true},
		{jets.ErrNoJetStream, false}, // a leaf node whose line is down, an account that is being set up
		{nats.ErrAuthorization, true},
		{nats.ErrAuthExpired, true},
		{&fs.PathError{Op: "open", Path: "stage.creds", Err: fs.ErrNotExist}, true},
		{&url.Error{Op: "parse", URL: ":", Err: errors.New("bad")}, true},
	} {
		if got := final(fmt.Errorf("connect to nats: %w", c.err)); got != c.want {
			t.Errorf("%v: final %v, want %v", c.err, got, c.want)
		}
	}
}

// A service that starts on a leaf node, with the JetStream of its hub, waits while the
// line is down and says what for. A command says it and ends with code 5.
func TestJetStreamIsNotThereYet(t *testing.T) {
	port, err := jetstest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	jetstest.Config{Domain: "hub", LeafPort: port}.Run(t)
	line := jetstest.NewLine(t, fmt.Sprintf("127.0.0.1:%d", port))
	line.Cut()
	leaf := jetstest.Config{Domain: "leaf", LeafOf: line.URL(), Listen: true}.Run(t)
	d := Dialing{servers: leaf.URL(), Where: jets.Hosts(leaf.URL()), Dialer: jets.Dialer{Domain: "hub"}}

	if _, err := d.Connect(t.Context(), slog.New(slog.DiscardHandler)); problem.Of(err).Code != problem.Unreachable {
		t.Errorf("a command gets %v", err)
	}
	var waited string
	conn, err := d.Await(t.Context(), slog.New(slog.DiscardHandler), func(err error) {
		waited = DescribeAway(d.Where, err)
		line.Mend()
	})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if !strings.Contains(waited, "JetStream") || strings.Contains(waited, "not reachable") {
		t.Errorf("while it waited: %q", waited)
	}
}

// The domain and credentials of a context are used; variables override them.
func TestContext(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	path := filepath.Join(dir, "nats", "context", "hub.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	context := `{"url":"nats://hub:4222","user":"stage","password":"s3cret","jetstream_domain":"hub","inbox_prefix":"_IN"}`
	if err := os.WriteFile(path, []byte(context), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hub", path} {
		d, err := NATS{Context: name}.Dialing()
		if err != nil {
			t.Fatal(err)
		}
		o := nats.GetDefaultOptions()
		for _, option := range d.Options {
			if err := option(&o); err != nil {
				t.Fatal(err)
			}
		}
		if d.servers != "nats://hub:4222" || d.Dialer.Domain != "hub" || o.User != "stage" || o.Password != "s3cret" || o.InboxPrefix != "_IN" {
			t.Errorf("%s: %+v %+v", name, d, o)
		}
	}
	d, err := NATS{Context: "hub", URL: "nats://other:4222"}.Dialing()
	if err != nil || d.servers != "nats://other:4222" || d.Where != "other:4222" {
		t.Errorf("with NATS_URL: %+v, %v", d, err)
	}
	if d, err := (NATS{Context: "hub", Domain: "leaf"}).Dialing(); err != nil || d.Dialer.Domain != "leaf" {
		t.Errorf("with NATS_JS_DOMAIN: %+v, %v", d, err)
	}
}
