package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/jets"
)

// desk is what commands share that work on an instance beside the service: where
// NATS is, and the instance that the environment may configure.
type desk struct {
	*program
	instance string
	nats     natsConfig
	server   serverConfig // from the environment alone, as all that follow
	okta     oktaConfig
	stage    stageConfig
}

// flags gives a command those that all of them have. The org may be its argument
// as well.
func (d *desk) flags(cmd *cobra.Command) *cobra.Command {
	if cmd.Args == nil {
		cmd.Args = d.argument
		cmd.ValidArgsFunction = completeInstances(1)
	}
	cmd.Flags().StringVar(&d.instance, "instance", "", "`name` of the org, as in INTEGRATIONS")
	_ = cmd.RegisterFlagCompletionFunc("instance", completeInstances(0))
	return d.connection(cmd)
}

// argument takes the org from a command's argument.
func (d *desk) argument(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && !cmd.Flags().Changed("instance") {
		d.instance = args[0]
		return nil
	}
	return noArgs(cmd, args)
}

// connection gives a command the flags that say where NATS is.
func (d *desk) connection(cmd *cobra.Command) *cobra.Command {
	addFlags(cmd, &d.nats)
	cmd.Flags().SortFlags = false
	return cmd
}

// open connects a command that works on one instance.
func (d *desk) open(cmd *cobra.Command) (*jets.Store, func(), error) {
	if d.instance == "" {
		return nil, nil, wrong("--instance is missing", "it names the org", cmd.CommandPath()+" --help")
	}
	return d.connect(cmd)
}

// connect connects to NATS.
func (d *desk) connect(cmd *cobra.Command) (*jets.Store, func(), error) {
	if err := load(cmd, &d.nats, &d.server, &d.okta, &d.stage); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), visitTime)
	defer cancel()
	conn, err := visit(ctx, d.nats, d.server)
	if err != nil {
		return nil, nil, err
	}
	return jets.Attach(conn), d.closing(conn), nil
}

// integration reads how the instance is configured: in INTEGRATIONS, or else in
// the environment.
func (d *desk) integration(ctx context.Context, store *jets.Store) (pipeline.Integration, error) {
	all := &jets.Integrations{Store: store}
	if !d.okta.IsZero() && d.okta.name() == d.instance {
		w, err := all.Get(ctx, d.instance)
		if err := present(err); err != nil {
			return pipeline.Integration{}, err
		}
		if w.Value == nil {
			return d.okta.Integration()
		}
	}
	w, err := find(ctx, all, d.instance)
	if errors.Is(err, errNoIntegration) {
		if there, ok := environment(ctx, store, d.instance); ok {
			return fromEnvironmentOf(there, d.okta.APITokenFile)
		}
	}
	if p, ok := errors.AsType[*problem](err); ok && errors.Is(err, errNoIntegration) {
		err = besidesEnvironment(p)
	}
	if err != nil {
		return pipeline.Integration{}, err
	}
	return parsed(w)
}

// unknown is the error of an instance that is configured nowhere, for a command that
// found nothing of it; nil: it is configured, or that can't be told.
func (d *desk) unknown(ctx context.Context, store *jets.Store, instance string) error {
	asked := *d
	asked.instance = instance
	if _, err := asked.integration(ctx, store); errors.Is(err, errNoIntegration) {
		return err
	}
	return nil
}

// shareFault is what is wrong with a share of an org's limit.
func shareFault(share float64) error {
	if share > 0 && share <= 1 {
		return nil
	}
	return wrong(fmt.Sprintf("--share=%v", share), "it is a part of the org's limit, above 0 and 1 at most",
		fmt.Sprintf("--share=%v, the default", backfill.DefaultJobShare))
}
