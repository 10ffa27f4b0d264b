// Package provision is the command that creates the streams and buckets, or prints for an
// administrator how to create them. The service creates them itself where it may.
//
// Start reading at [New].
package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/jets"
)

const long = `Create the streams and buckets, and add to existing ones what they lack. Nothing is
narrowed, shrunk or deleted. The service does the same at its start, so this command is
for an account where its user may not: run it as a user who may, or with --print let an
administrator run the commands that it prints.

The sizes fit the account's limits: see "signal-client help accounts". With --print and
without NATS_URL or NATS_CONTEXT the limits are unknown and everything counts as missing.

Examples:
  NATS_CREDS=admin.creds signal-client provision --nats-url nats://nats.example.com
  signal-client provision --print --nats-url nats://nats.example.com > provision.sh
  signal-client provision --print --json | jq '.[].name'`

type provision struct {
	*cli.Program
	nats   config.NATS
	server config.Server // only from the environment
	stream config.Stream
	print  bool
	asJSON bool
}

// New returns the command.
func New(p *cli.Program) *cobra.Command {
	c := &provision{Program: p}
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Create the streams and buckets, or print how",
		Long:  long,
		Args:  cli.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	config.AddFlags(cmd, &c.nats, &c.stream)
	cmd.Flags().BoolVar(&c.print, "print", false, "change nothing, and print the nats commands that create what is missing")
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "print one JSON document: what was done; with --print the configurations of the missing streams, as JetStream's API takes them")
	return cmd
}

func (c *provision) run(cmd *cobra.Command) error {
	if err := config.Load(cmd, &c.nats, &c.server, &c.stream); err != nil {
		return err
	}
	if c.print && c.nats.Embedded() {
		return c.printDefinitions(cmd.Context(), nil)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), cli.VisitTime)
	defer cancel()
	conn, err := cli.Visit(ctx, c.nats, c.server)
	if err != nil {
		return err
	}
	defer c.Closing(conn)()
	if c.print {
		return c.printDefinitions(cmd.Context(), conn)
	}
	asked := c.stream.Asked()
	asked.Log = slog.New(term.NewConsoleHandler(c.Err(), slog.LevelWarn))
	done, err := jets.Provision(cmd.Context(), conn, asked)
	if report := c.report(done); report != nil && err == nil {
		err = report
	}
	return err
}

// report prints what was done.
func (c *provision) report(done []jets.Provisioned) error {
	if c.asJSON {
		if done == nil {
			done = []jets.Provisioned{}
		}
		return term.WriteJSON(c.Out(), done)
	}
	g := term.Grid{Title: "Streams and buckets", Header: []string{"name", "kind", "done", "detail"}}
	for _, d := range done {
		kind := "stream"
		if d.Bucket {
			kind = "bucket"
		}
		g.Rows = append(g.Rows, []any{d.Name, kind, string(d.Done), d.Detail})
	}
	return g.Print(c.Out())
}

func (c *provision) printDefinitions(ctx context.Context, conn *jets.Conn) error {
	all, err := jets.Define(ctx, conn, c.stream.Asked())
	if err != nil {
		return err
	}
	if c.asJSON {
		missing := []*jetstream.StreamConfig{}
		for _, d := range all {
			if d.Config != nil {
				missing = append(missing, d.Config)
			}
		}
		return term.WriteJSON(c.Out(), missing)
	}
	text, err := script(all, natsCommand(conn))
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.Out(), text)
	return err
}

// natsCommand returns the nats command for the connection's JetStream.
func natsCommand(conn *jets.Conn) string {
	if conn == nil || conn.APIPrefix == "$JS.API" {
		return "nats"
	}
	return "nats --js-api-prefix='" + conn.APIPrefix + "'"
}

// script returns the shell commands that create and complete streams. Each configuration
// is a here document, so that a script needs no other files.
func script(all []jets.Definition, nats string) (string, error) {
	var b strings.Builder
	b.WriteString("# Run these commands as a user who may create streams in the service's account.\n")
	for _, d := range all {
		switch {
		case d.Config != nil:
			fmt.Fprintf(&b, "%s stream add %s --config /dev/stdin <<'JSON'\n", nats, d.Config.Name)
			encoder := json.NewEncoder(&b)
			encoder.SetEscapeHTML(false) // subjects end in ">"
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(d.Config); err != nil {
				return "", err
			}
			b.WriteString("JSON\n")
		case d.Unfit != nil:
			fmt.Fprintf(&b, "# %s exists and can't be used: %s\n", d.Name, term.Printable(d.Unfit.Error()))
		case d.Edit != "":
			fmt.Fprintf(&b, "%s stream edit %s%s --force\n", nats, d.Stream, d.Edit)
		default:
			fmt.Fprintf(&b, "# %s exists and has what is needed.\n", d.Name)
		}
	}
	return b.String(), nil
}
