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

const runLong = `Poll the configured orgs and store every event in JetStream, until stopped.

Orgs are read from the NATS bucket INTEGRATIONS, and one from the environment.
A changed entry takes effect within seconds. Any number of processes may run
side by side; one takes over from another. The log goes to standard output.

Examples:
  # one org, into an embedded NATS server whose store is ./data
  OKTA_FQDN=acme.okta.com OKTA_API_TOKEN_FILE=okta.token signal-client run

  # into your own NATS, for every org in its bucket INTEGRATIONS
  NATS_URL=nats://nats.example.com:4222 NATS_CREDS=stage.creds signal-client run

  # what happens to one org
  signal-client run | grep instance=acme

  # with logs for machines
  signal-client run --log-format json

SIGHUP reads the files of tokens and of NATS again, and logs what has changed.

Every flag overrides a variable, named in brackets. Secrets have variables only,
because flags are visible in the list of processes.`

// New makes the command run, with a console where the configuration wants one.
func New(p *cli.Program, newConsole NewConsole) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Poll the configured orgs into JetStream (the service)",
		Long:  runLong,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hup := hangups() // before anything else, so that SIGHUP does not end the service
			c, err := config.LoadConfig(cmd)
			if err != nil {
				return err
			}
			s := &Service{Config: c, Log: c.Log.Logger(p.Out()), hup: hup}
			s.Config.Process.Replica = replicaName(cmd.Context(), c)
			if err := noDumps(); err != nil {
				s.Log.Warn("core dumps of this process are not turned off", "err", err)
			}
			for _, u := range c.UnusedSettings(cmd) {
				s.Log.Warn("a setting has no effect", "setting", u.Setting, "why", u.Why, "try", u.Try)
			}
			if err := s.Equip(newConsole); err != nil {
				return err
			}
			defer endInTime(cmd.Context(), s.Log)()
			return s.Run(cmd.Context())
		},
	}
	config.AddFlags(cmd, new(config.Config).Sections()...)
	return cmd
}

// longestEnd is how long the whole shutdown may take.
const longestEnd = 4800 * time.Millisecond

// endInTime ends the process when its shutdown takes too long: a stalled NATS or disk must
// not exceed a supervisor's timeout. A restart finds everything that is lost by that.
func endInTime(ctx context.Context, log *slog.Logger) (ended func() bool) {
	return context.AfterFunc(ctx, func() {
		time.Sleep(longestEnd)
		log.Warn("ended before the shutdown was complete: it took too long")
		os.Exit(problem.Failed)
	})
}

// replicaName returns the configured name, else a unique one: two processes of one name
// would take each other's session. Beside an embedded store, which one process at a time
// can use, the name is stored: after a crash the process takes over its own session, and
// need not wait for it to expire.
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
	// Without it a start after a crash waits a little; the server reports other problems.
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
