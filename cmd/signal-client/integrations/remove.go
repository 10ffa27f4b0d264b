package integrations

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/overview"
)

const integrationsRemoveLong = `Stop polling orgs and forget their configuration, including former versions and
tokens. Their events and positions stay in the stream: added again under the same
name, for the same org, each continues exactly where it was.

It asks for confirmation; without a terminal it needs --yes.

Examples:
  signal-client integrations remove acme
  signal-client integrations remove acme --yes`

func (r *integrations) newRemove() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:               "remove <name>...",
		Aliases:           []string{"rm"},
		Short:             "Forget orgs; their events stay",
		Long:              integrationsRemoveLong,
		Args:              cli.Named(0),
		ValidArgsFunction: cli.CompleteInstances(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes && !force && !term.IsTerminal(r.in) {
				return problem.Usage("remove "+strings.Join(args, " "), "it asks for confirmation, and there is no terminal", "--yes to confirm")
			}
			all, done, err := r.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			for _, instance := range args {
				if err := r.remove(cmd.Context(), all, instance, yes || force); err != nil {
					return err
				}
			}
			_ = overview.Forget(cmd.Context(), all.Store) // a service does so at its start
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask for confirmation")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "the same")
	_ = cmd.Flags().MarkHidden("force")
	return r.flags(cmd)
}

func (r *integrations) remove(ctx context.Context, all *buckets.Integrations, instance string, sure bool) error {
	w, err := orgs.Find(ctx, all, instance)
	if err != nil {
		return err
	}
	stays := whatStays(ctx, all.Store.Conn, w)
	if !sure {
		at := "its value is invalid"
		if i, err := w.Read(); err == nil {
			at = i.Origin
		}
		r.Say("%s (%s) will no longer be polled, and its configuration is forgotten.", instance, at)
		r.Say("%s", stays)
		if err := cli.Confirm(ctx, r.in, r.Err(), "Remove "+instance+"?", "removed"); err != nil {
			return err
		}
	}
	if err := orgs.Remove(ctx, all, author(), w); r.unless(err) != nil {
		return err
	}
	r.Say("Removed %s. %s", instance, stays)
	return nil
}

// whatStays returns what a removal leaves of an org.
func whatStays(ctx context.Context, conn *jets.Conn, w buckets.Written) string {
	subject := jets.SubjectEvents(w.Kind.Name, w.Instance)
	events := "Its events"
	if n, ok := countEvents(ctx, conn, subject); ok {
		events = "Its " + term.Count(int(n), "event")
	}
	return fmt.Sprintf("%s on %s and its position stay: added again under this name, for the same org, it continues where it was.",
		events, subject)
}

// countEvents counts the events on a subject, if that does not take long.
func countEvents(ctx context.Context, conn *jets.Conn, subject string) (uint64, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stream, err := conn.JS.Stream(ctx, jets.StreamSignals)
	if err != nil {
		return 0, false
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return 0, false
	}
	return info.State.Subjects[subject], true
}
