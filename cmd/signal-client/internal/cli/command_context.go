package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// CommandContext is shared by commands that work on an instance beside the service: how
// to connect to NATS, and the environment's instance.
type CommandContext struct {
	*Program
	Instance string
	Kind     *pipeline.Kind // of the instance; Open sets it
	nats     config.NATS
	server   config.Server // only from the environment, like the following
	okta     config.Okta
	secrets  config.Secrets
	Stage    config.Process
	Network  config.Network
}

// Flags adds the common flags. The org may also be an argument.
func (d *CommandContext) Flags(cmd *cobra.Command) *cobra.Command {
	if cmd.Args == nil {
		cmd.Args = d.argument
		cmd.ValidArgsFunction = CompleteInstances(1)
	}
	cmd.Flags().StringVar(&d.Instance, "instance", "", "`name` of the org, as in INTEGRATIONS")
	_ = cmd.RegisterFlagCompletionFunc("instance", CompleteInstances(0))
	return d.Connection(cmd)
}

func (d *CommandContext) argument(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && !cmd.Flags().Changed("instance") {
		d.Instance = args[0]
		return nil
	}
	return NoArgs(cmd, args)
}

// Connection adds the flags for the connection to NATS.
func (d *CommandContext) Connection(cmd *cobra.Command) *cobra.Command {
	config.AddFlags(cmd, &d.nats)
	cmd.Flags().SortFlags = false
	return cmd
}

// Open connects a command for one instance.
func (d *CommandContext) Open(cmd *cobra.Command) (*jets.Store, func(), error) {
	if d.Instance == "" {
		return nil, nil, problem.Usage("--instance is missing", "it names the org", cmd.CommandPath()+" --help")
	}
	store, done, err := d.Connect(cmd)
	if err != nil {
		return nil, nil, err
	}
	d.Kind = d.kind(cmd.Context(), store)
	return store.Of(d.Kind), done, nil
}

// kind returns the instance's kind: that of its value in INTEGRATIONS or, once it is
// removed, of its positions.
func (d *CommandContext) kind(ctx context.Context, store *jets.Store) *pipeline.Kind {
	if len(store.Kinds) == 1 {
		return store.Kind
	}
	ctx, cancel := context.WithTimeout(ctx, VisitTime)
	defer cancel()
	if w, err := (&buckets.Integrations{Store: store}).Get(ctx, d.Instance); err == nil && w.Value != nil {
		return w.Kind
	}
	for _, kind := range store.Kinds {
		if _, err := store.Conn.Last(ctx, jets.StreamSignals, jets.SubjectPosition(kind.Name, d.Instance)); err == nil {
			return kind
		}
	}
	return store.Kind
}

// Connect connects to NATS.
func (d *CommandContext) Connect(cmd *cobra.Command) (*jets.Store, func(), error) {
	if err := config.Load(cmd, &d.nats, &d.server, &d.okta, &d.secrets, &d.Stage, &d.Network); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), VisitTime)
	defer cancel()
	secrets, err := d.secrets.Open(ctx, d.nats, d.server)
	if err != nil {
		return nil, nil, err
	}
	conn, err := Visit(ctx, d.nats, d.server)
	if err != nil {
		return nil, nil, err
	}
	return jets.Attach(conn, kinds.All.Plain()...).With(secrets), d.Closing(conn), nil
}

// OwnKeyFile returns where the embedded server's service keeps the key that seals
// credentials; empty: another file is named, or another server.
func (d *CommandContext) OwnKeyFile() string {
	if path, own := d.secrets.Path(d.nats, d.server); own {
		return path
	}
	return ""
}

// Integration returns the instance's configuration: INTEGRATIONS' or the environment's.
func (d *CommandContext) Integration(ctx context.Context, store *jets.Store) (pipeline.Integration, error) {
	all := &buckets.Integrations{Store: store}
	if !d.okta.IsZero() && d.okta.Name() == d.Instance {
		w, err := all.Get(ctx, d.Instance)
		if err := jets.IgnoreMissingBucket(err); err != nil {
			return pipeline.Integration{}, err
		}
		if w.Value == nil {
			return d.okta.Integration()
		}
	}
	w, err := orgs.Find(ctx, all, d.Instance)
	if errors.Is(err, orgs.ErrNotFound) {
		if there, ok := orgs.FromEnvironment(ctx, store, d.Instance); ok {
			return orgs.ReadEnvironment(there, d.okta.APITokenFile)
		}
	}
	if p, ok := errors.AsType[*problem.Error](err); ok && errors.Is(err, orgs.ErrNotFound) {
		err = orgs.BesidesEnvironment(p)
	}
	if err != nil {
		return pipeline.Integration{}, err
	}
	return orgs.Parse(w)
}

// Unknown returns the error of an instance that is configured nowhere, for a command that
// found nothing about it; nil: it is configured, or that is unknown.
func (d *CommandContext) Unknown(ctx context.Context, store *jets.Store, instance string) error {
	asked := *d
	asked.Instance = instance
	if _, err := asked.Integration(ctx, store); errors.Is(err, orgs.ErrNotFound) {
		return err
	}
	return nil
}

// ShareFault returns the problem of an invalid share.
func ShareFault(share float64) error {
	if share > 0 && share <= 1 {
		return nil
	}
	return problem.Usage(fmt.Sprintf("--share=%v", share), "it must be a part of the org's limit, above 0 and at most 1",
		fmt.Sprintf("--share=%v, the default", backfill.DefaultJobShare))
}
