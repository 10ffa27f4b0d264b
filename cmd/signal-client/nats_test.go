package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets"
)

// What the service waits for at its start, and what it ends with.
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
		{jets.ErrNoJetStream, true},
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

func TestPasses(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{jets.ErrDisconnected, true},
		{nats.ErrNoResponders, true},
		{&jetstream.APIError{Code: 503, ErrorCode: 10008}, true},
		{&jetstream.APIError{Code: 400, ErrorCode: 10005}, true},
		{&jetstream.APIError{Code: 400, ErrorCode: 10052}, false},
		{errors.New("it is sealed"), false},
	} {
		if got := passes(fmt.Errorf("make stream SIGNALS: %w", c.err)); got != c.want {
			t.Errorf("%v: passes %v, want %v", c.err, got, c.want)
		}
	}
}

// A context's domain and credentials are taken along; variables override it.
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
		d, err := natsConfig{Context: name}.dialing()
		if err != nil {
			t.Fatal(err)
		}
		o := nats.GetDefaultOptions()
		for _, option := range d.options {
			if err := option(&o); err != nil {
				t.Fatal(err)
			}
		}
		if d.servers != "nats://hub:4222" || d.dialer.Domain != "hub" || o.User != "stage" || o.Password != "s3cret" || o.InboxPrefix != "_IN" {
			t.Errorf("%s: %+v %+v", name, d, o)
		}
	}
	d, err := natsConfig{Context: "hub", URL: "nats://other:4222"}.dialing()
	if err != nil || d.servers != "nats://other:4222" || d.where != "other:4222" {
		t.Errorf("with NATS_URL: %+v, %v", d, err)
	}
}
