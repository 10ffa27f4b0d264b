package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
)

const integrationsLong = `Configure the orgs that are polled: the bucket INTEGRATIONS.

A change takes effect within seconds, without a restart, on every process that
polls. What is wrong is refused before it is written, and the field is named.
Nothing here shows a token. An org that a service has from its environment
(OKTA_FQDN) is not kept in the bucket: list and show tell of it, and what changes
it are the service's variables.

Examples:
  signal-client integrations add okta acme --fqdn acme.okta.com
  signal-client integrations list
  signal-client integrations test acme
  signal-client integrations set acme poll_interval=1m
  signal-client integrations import orgs.csv`

// newIntegrations is the command of all that have to do with INTEGRATIONS.
func newIntegrations(p *program) *cobra.Command {
	r := &roster{program: p, in: os.Stdin}
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
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	add.AddCommand(r.newAddOkta())
	cmd.AddCommand(
		r.newList(), r.newShow(), add, r.newSet(),
		r.newSwitch("enable", true), r.newSwitch("disable", false),
		r.newRemove(), r.newTest(), r.newImport(), r.newExport(),
	)
	return cmd
}

// roster is what the commands of integrations share.
type roster struct {
	*program
	in   *os.File // the keyboard, or what stands in its place
	nats natsConfig
	// The embedded server's variables, and those of streams and buckets, are
	// read from the environment alone.
	server serverConfig
	stream streamConfig
}

// flags gives a command those that all of them have.
func (r *roster) flags(cmd *cobra.Command) *cobra.Command {
	addFlags(cmd, &r.nats)
	cmd.Flags().SortFlags = false
	return cmd
}

// open connects to where INTEGRATIONS is.
func (r *roster) open(cmd *cobra.Command) (*jets.Integrations, func(), error) {
	if err := load(cmd, &r.nats, &r.server, &r.stream); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), visitTime)
	defer cancel()
	conn, err := visit(ctx, r.nats, r.server)
	if err != nil {
		return nil, nil, err
	}
	return &jets.Integrations{Store: jets.Attach(conn)}, r.closing(conn), nil
}

// written reads all values once, by instance.
func (r *roster) written(cmd *cobra.Command) ([]jets.Written, error) {
	all, done, err := r.open(cmd)
	if err != nil {
		return nil, err
	}
	defer done()
	written, err := all.Written(cmd.Context())
	return written, present(err)
}

// one reads the value of an instance that must be there.
func (r *roster) one(cmd *cobra.Command, instance string) (jets.Written, error) {
	all, done, err := r.open(cmd)
	if err != nil {
		return jets.Written{}, err
	}
	defer done()
	return find(cmd.Context(), all, instance)
}

// openToWrite is open for who adds: what is not there yet is made, as the
// service would.
func (r *roster) openToWrite(cmd *cobra.Command) (*jets.Integrations, func(), error) {
	all, done, err := r.open(cmd)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), visitTime)
	defer cancel()
	_, err = all.Get(ctx, "any")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		all.Store, err = jets.Open(ctx, all.Store.Conn, r.stream.asked())
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return all, done, nil
}

// find reads the value of an instance that must be there.
func find(ctx context.Context, all *jets.Integrations, instance string) (jets.Written, error) {
	w, err := all.Get(ctx, instance)
	if err := present(err); err != nil {
		return w, err
	}
	if w.Value != nil {
		return w, nil
	}
	if there, ok := environment(ctx, all.Store, instance); ok {
		i, _ := fromEnvironmentOf(there, "")
		return w, inEnvironment(instance, i)
	}
	written, err := all.Written(ctx)
	if err != nil {
		written = nil // what is near is a courtesy
	}
	return w, noIntegration(instance, names(written))
}

var errNoIntegration = errors.New(jets.BucketIntegrations + " holds none of that name")

// noIntegration is the error of a name that is none of those that stand. It matches
// errNoIntegration.
func noIntegration(instance string, standing []string) *problem {
	p := &problem{
		Op:   fmt.Sprintf("no integration %q", instance),
		Err:  errNoIntegration,
		Hint: "signal-client integrations list",
		Code: exitFailed,
	}
	if near := nearest(instance, standing); near != "" {
		p.Err = fmt.Errorf("%w; there is %s", p.Err, near)
	}
	return p
}

// besidesEnvironment adds to the hint of a command that knows the environment's org
// as well.
func besidesEnvironment(p *problem) *problem {
	p.Hint += "; for an org that the service has from its environment, set the same OKTA_ variables here"
	return p
}

// parsed reads a value as the service does.
func parsed(w jets.Written) (pipeline.Integration, error) {
	i, err := pipeline.ParseIntegration(w.Instance, w.Value)
	if err != nil {
		err = &problem{
			Op: "read the integration " + w.Instance, Err: err, Code: exitUsage,
			Hint: correction(w.Instance, err),
		}
	}
	return i, err
}

// correction is the command that mends a value which the service can't read. Where
// the name is wrong, or the whole of the value, no field can be set.
func correction(instance string, err error) string {
	wrongs, _ := errors.AsType[*pipeline.ConfigError](err)
	if wrongs != nil && slices.ContainsFunc(wrongs.Complaints, func(c schemas.Complaint) bool { return c.Field == "" || c.Field == "instance" }) {
		return "signal-client integrations remove " + instance + ", then add it"
	}
	return "signal-client integrations set " + instance + " <field>=<value>"
}

func names(written []jets.Written) []string {
	all := make([]string, len(written))
	for i, w := range written {
		all[i] = w.Instance
	}
	return all
}

// named checks that one name stands behind a command, or more, but so many at
// most; 0: any number.
func named(most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		p := &problem{Hint: cmd.CommandPath() + " --help", Code: exitUsage}
		switch {
		case len(args) == 0:
			p.Op, p.Err = "a name is missing", errors.New("usage: "+cmd.UseLine())
		case most > 0 && len(args) > most:
			p.Op, p.Err = fmt.Sprintf("unexpected argument %q", args[most]), errors.New("usage: "+cmd.UseLine())
		default:
			return nil
		}
		return p
	}
}
