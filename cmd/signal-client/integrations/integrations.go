package integrations

import (
	"context"
	"errors"
	"os"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

const integrationsLong = `Configure the orgs that are polled: the bucket INTEGRATIONS.

A change takes effect within seconds, without a restart, on every process that
polls. Invalid values are refused before anything is written, and the field is named.
No command shows a token. An org that a service has from its environment (OKTA_FQDN)
is not in the bucket: list and show include it, but only the service's variables
change it.

Examples:
  signal-client integrations add okta acme --fqdn acme.okta.com
  signal-client integrations list
  signal-client integrations test acme
  signal-client integrations set acme poll_interval=1m
  signal-client integrations import orgs.csv`

// New returns the command of everything about INTEGRATIONS.
func New(p *cli.Program) *cobra.Command {
	r := &integrations{Program: p, in: os.Stdin}
	cmd := &cobra.Command{
		Use:     "integrations",
		Aliases: []string{"integration"},
		Short:   "List, add, change, test and remove orgs",
		Long:    integrationsLong,
	}
	add := &cobra.Command{
		Use:   "add",
		Short: "Add an org",
		Long:  "Add an org.\n\nExample:\n  signal-client integrations add okta acme --fqdn acme.okta.com",
		Args:  cli.KnownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	add.AddCommand(r.newAddOkta())
	cmd.AddCommand(
		r.newList(), r.newShow(), add, r.newSet(),
		r.newSwitch("enable", true), r.newSwitch("disable", false),
		r.newRemove(), r.newTest(), r.newHistory(), r.newImport(), r.newExport(),
	)
	return cmd
}

type integrations struct {
	*cli.Program
	in   *os.File // the keyboard, or a test's substitute
	nats config.NATS
	// The variables of the embedded server, streams and buckets are environment variables only.
	server  config.Server
	stream  config.Stream
	network config.Network // for test
	secrets config.Secrets
}

func (r *integrations) flags(cmd *cobra.Command) *cobra.Command {
	config.AddFlags(cmd, &r.nats)
	cmd.Flags().SortFlags = false
	return cmd
}

// open connects to NATS and returns its integrations.
func (r *integrations) open(cmd *cobra.Command) (*buckets.Integrations, func(), error) {
	if err := config.Load(cmd, &r.nats, &r.server, &r.stream, &r.secrets); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), cli.VisitTime)
	defer cancel()
	secrets, err := r.secrets.Open(ctx, r.nats, r.server)
	if err != nil {
		return nil, nil, err
	}
	conn, err := cli.Visit(ctx, r.nats, r.server)
	if err != nil {
		return nil, nil, err
	}
	return &buckets.Integrations{Store: jets.Attach(conn, kinds.All.Plain()...).With(secrets)}, r.Closing(conn), nil
}

// with reads something of NATS's integrations.
func with[T any](r *integrations, cmd *cobra.Command, read func(context.Context, *buckets.Integrations) (T, error)) (T, error) {
	all, done, err := r.open(cmd)
	if err != nil {
		return *new(T), err
	}
	defer done()
	return read(cmd.Context(), all)
}

// openToWrite is open for adding: missing buckets are created, as the service would.
func (r *integrations) openToWrite(cmd *cobra.Command) (*buckets.Integrations, func(), error) {
	all, done, err := r.open(cmd)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), cli.VisitTime)
	defer cancel()
	_, err = all.Get(ctx, "any")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		asked := r.stream.Asked()
		asked.Secrets = all.Store.Secrets
		all.Store, err = jets.Open(ctx, all.Store.Conn, asked)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return all, done, nil
}
