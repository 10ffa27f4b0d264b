package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

const consoleLong = `Serve the web console and search beside any NATS, until stopped. It polls nothing, and
needs the token of no org.

signal-client run serves the console itself beside an embedded NATS server, and
elsewhere with SIGNAL_CLIENT_CONSOLE=on. This command is for a machine of its own, such
as one that many users reach. Any number of them may run: sessions are in NATS.

On a loopback address the console asks for no password. On any other one it needs users:
a file of passwords, OpenID Connect, or a proxy that logs them in.

Examples:
  # on http://127.0.0.1:8000/, beside your own NATS
  NATS_URL=nats://nats.example.com:4222 NATS_CREDS=console.creds signal-client console

  # for others, with passwords and TLS
  signal-client console hash-password --user ana --role admin >> users
  SIGNAL_CLIENT_HTTP_ADDR=:8443 SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE=users \
    SIGNAL_CLIENT_TLS_CERT=cert.pem SIGNAL_CLIENT_TLS_KEY=key.pem signal-client console

  # with the users of an Okta org; members of the group are admins, all others viewers
  SIGNAL_CLIENT_HTTP_ADDR=:8443 SIGNAL_CLIENT_OIDC_ISSUER=https://acme.okta.com \
    SIGNAL_CLIENT_OIDC_CLIENT_ID=0oa1b2c3 SIGNAL_CLIENT_OIDC_CLIENT_SECRET_FILE=secret \
    SIGNAL_CLIENT_OIDC_ADMIN_GROUP=signal-admins signal-client console

What its NATS user may do: signal-client help permissions.`

// NewConsoleCommand makes the command console.
func NewConsoleCommand(p *cli.Program, newConsole NewConsole) *cobra.Command {
	var c config.Config
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Serve the web console and search alone, beside any NATS",
		Long:  consoleLong,
		Args:  cli.KnownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.LoadConsole(cmd); err != nil {
				return err
			}
			c.Process.Replica = cmp.Or(c.Process.Replica, newReplicaName())
			s := &Service{Config: c, Log: c.Log.Logger(p.Out()), Idle: true}
			if err := s.Equip(newConsole); err != nil {
				return err
			}
			defer endInTime(cmd.Context(), s.Log)()
			return s.Run(cmd.Context())
		},
	}
	config.AddFlags(cmd, c.ConsoleSections()...)
	return cmd
}

// watch serves the index and the console on a connection until ctx ends. It waits for the
// stream, and creates none.
func (s *Service) watch(ctx context.Context, conn *jets.Conn) error {
	if err := s.awaitStream(ctx, conn); err != nil {
		return err
	}
	store := jets.Attach(conn, kinds.Default).With(s.secrets)
	defer s.beside(ctx, store)()
	s.ready.Check(func() string {
		if conn.Connected() {
			return ""
		}
		return "NATS at " + s.nats.where + " is away"
	}, func() []string { return nil })
	s.ready.Waiting("")
	<-ctx.Done()
	return ctx.Err()
}

// awaitStream waits until the service has created SIGNALS.
func (s *Service) awaitStream(ctx context.Context, conn *jets.Conn) error {
	said := rarely{every: time.Minute}
	backoff := pipeline.Backoff{Max: 5 * time.Second}
	for {
		_, err := conn.Info(ctx, jets.StreamSignals)
		if err == nil || ctx.Err() != nil || !passes(err) && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		reason := fmt.Sprintf("stream %s is not there: %v", jets.StreamSignals, err)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			reason = "stream " + jets.StreamSignals + " does not exist yet: start the service, which creates it (signal-client run)"
		}
		s.ready.Waiting(reason)
		said.Do(reason, func() { s.Log.Warn("nats: waiting for the stream", "why", reason) })
		if err := pipeline.Sleep(ctx, backoff.Next()); err != nil {
			return err
		}
	}
}

// beside runs the index and the console on a store until the returned function is called.
func (s *Service) beside(ctx context.Context, store *jets.Store) (end func()) {
	endIndex, endConsole := func() {}, func() {}
	if s.Index != nil {
		endIndex = inBackground(ctx, func(ctx context.Context) error {
			return pipeline.ContainRun(ctx, s.Log, "search", func(ctx context.Context) error { return s.Index.Run(ctx, store) })
		})
	}
	if s.Console != nil {
		endConsole = inBackground(ctx, func(ctx context.Context) error {
			return pipeline.ContainRun(ctx, s.Log, "console", func(ctx context.Context) error { return s.Console.Run(ctx, store) })
		})
	}
	return func() { endConsole(); endIndex() }
}
