package run

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
)

const runLong = `Poll the configured orgs and store every event in JetStream, until told to stop.

Orgs are read from the NATS bucket INTEGRATIONS, and one from the environment.
A changed entry takes effect within seconds. Any number of processes may run
side by side; one takes over from another. The log is standard output.

Examples:
  # one org, into an embedded NATS server whose store is ./data
  OKTA_FQDN=acme.okta.com OKTA_API_TOKEN_FILE=okta.token signal-client run

  # into your own NATS, for every org in its bucket INTEGRATIONS
  NATS_URL=nats://nats.example.com:4222 NATS_CREDS=stage.creds signal-client run

  # what happens to one org
  signal-client run | grep instance=acme

  # with logs for machines
  signal-client run --log-format json

SIGHUP reads the files of tokens and of NATS again, and says what has changed.

Every flag is the override of a variable, named in brackets. Secrets have
variables only, since flags are seen in the list of processes.`

func New(p *cli.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Poll the configured orgs into JetStream (the service)",
		Long:  runLong,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hup := hangups() // first of all: it must not end the service
			c, err := config.LoadConfig(cmd)
			if err != nil {
				return err
			}
			s := &Service{Config: c, Log: c.Log.Logger(p.Out()), hup: hup}
			s.Config.Process.Replica = replicaName(cmd.Context(), c)
			for _, u := range c.UnusedSettings(cmd) {
				s.Log.Warn("a setting does nothing", "setting", u.Setting, "why", u.Why, "try", u.Try)
			}
			defer endInTime(cmd.Context(), s.Log)()
			return s.Run(cmd.Context())
		},
	}
	config.AddFlags(cmd, new(config.Config).Sections()...)
	return cmd
}

// longestEnd is how long the end of the service may take, all in all.
const longestEnd = 4800 * time.Millisecond

// endInTime ends the process when its good end takes too long: a stalled NATS
// or disk must not make a supervisor lose its patience. It costs nothing that a
// restart would not find again.
func endInTime(ctx context.Context, log *slog.Logger) (ended func() bool) {
	return context.AfterFunc(ctx, func() {
		time.Sleep(longestEnd)
		log.Warn("ended before all was in order: it took too long")
		os.Exit(problem.Failed)
	})
}

// replicaName is the name that is configured, else one that no other process
// has: two of one name would take each other's session. Beside an embedded store,
// which one process at a time can use, it is kept there: whoever starts again
// after a crash takes its own session over, and need not wait for it to expire.
func replicaName(ctx context.Context, c config.Config) string {
	if c.Process.Replica != "" {
		return c.Process.Replica
	}
	if !c.NATS.Embedded() {
		return newReplicaName()
	}
	path := filepath.Join(c.Server.DataDir, "replica")
	if kept, err := pipeline.ReadFile(ctx, path, 1<<10); err == nil && len(kept) > 0 {
		return strings.TrimSpace(string(kept))
	}
	name := newReplicaName()
	// Without it a start after a crash waits a little; what else is wrong with
	// the directory, the server will say.
	if os.MkdirAll(c.Server.DataDir, 0o750) == nil {
		_ = os.WriteFile(path, []byte(name+"\n"), 0o600)
	}
	return name
}

func newReplicaName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "signal-client"
	}
	return host + "-" + strings.ToLower(rand.Text()[:6])
}
