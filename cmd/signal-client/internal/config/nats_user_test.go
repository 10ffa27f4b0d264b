package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/witfoo/signal-client/pipeline"
)

// Credentials are given as to the nats command: a user with a password, a token, a user
// alone (which is a token too) or a seed. They replace those of a context.
func TestConnectsAs(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := pair.Seed()
	public, _ := pair.PublicKey()
	file := filepath.Join(t.TempDir(), "user.nk")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	secret := pipeline.NewSecret
	for name, c := range map[string]struct {
		server server.Options
		as     NATS
	}{
		"user and password": {server.Options{Username: "svc", Password: "a,b/c#d%e?f@g"}, NATS{User: secret("svc"), Password: secret("a,b/c#d%e?f@g"), NKey: file}},
		"token":             {server.Options{Authorization: "t0k,en"}, NATS{Token: secret("t0k,en")}},
		"user alone":        {server.Options{Authorization: "t0k,en"}, NATS{User: secret("t0k,en")}},
		"nkey":              {server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}}, NATS{NKey: file}},
	} {
		t.Run(name, func(t *testing.T) {
			c.server.Host, c.server.Port, c.server.NoLog, c.server.NoSigs = "127.0.0.1", -1, true, true
			s, err := server.NewServer(&c.server)
			if err != nil {
				t.Fatal(err)
			}
			s.Start()
			defer s.Shutdown()
			if !s.ReadyForConnections(time.Minute) {
				t.Fatal("the server does not start")
			}
			as, err := c.as.as()
			if err != nil {
				t.Fatal(err)
			}
			before := nats.UserInfo("of a context", "wrong")
			conn, err := nats.Connect(s.ClientURL(), append([]nats.Option{before}, as...)...)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if conn, err := nats.Connect(s.ClientURL(), before); err == nil {
				conn.Close()
				t.Error("anybody may connect")
			}
		})
	}
}
