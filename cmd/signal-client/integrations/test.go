package integrations

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

const integrationsTestLong = `Send an org one request for its newest event, with the stored credential, and say
whether that works. The request is sent from this machine: the file of a token or a
private key is read here. It takes one request of the org's budget (a service app some
more, for its access token), and stores and changes nothing. With
--json the verdict is "not tried" if something is wrong before the request.

Exit codes: 0 it works; 4 the token is refused (401), or its owner may not read the
log (403); 5 the org can't be reached; 2 the configuration is invalid; 1 anything
else, such as a wrong host.

Examples:
  signal-client integrations test acme
  signal-client integrations test acme --json | jq -r .verdict`

func (r *integrations) newTest() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "test <name>",
		Short:             "Send an org one request, with the stored credential",
		Long:              integrationsTestLong,
		Args:              cli.Named(1),
		ValidArgsFunction: cli.CompleteInstances(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, token, err := r.tested(cmd, args[0])
			var client *http.Client
			if err == nil {
				client, err = r.network.Source().Client(cmd.Context(), i)
			}
			if err != nil {
				if asJSON {
					untried := orgs.ProbeResult{Instance: args[0], Verdict: orgs.VerdictUntried, Error: term.Printable(err.Error())}
					_ = term.WriteJSON(r.Out(), untried) // err says more than a failed write
				}
				return err
			}
			t := orgs.Probe(cmd.Context(), i, token, client)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if asJSON {
				if err := term.WriteJSON(r.Out(), t); err != nil {
					return err
				}
			} else if t.Code == problem.OK {
				return printProbe(r.Out(), t)
			}
			return t.Problem()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return r.flags(cmd)
}

// tested returns what to try. The connection to NATS is closed before the request.
func (r *integrations) tested(cmd *cobra.Command, instance string) (pipeline.Integration, pipeline.Credential, error) {
	w, err := with(r, cmd, func(ctx context.Context, all *buckets.Integrations) (buckets.Written, error) {
		return orgs.Find(ctx, all, instance)
	})
	if err == nil {
		err = config.Load(cmd, &r.network)
	}
	if err != nil {
		return pipeline.Integration{}, nil, err
	}
	i, err := orgs.Parse(w)
	if err != nil {
		return i, nil, err
	}
	token, err := orgs.Credential(cmd.Context(), i)
	return i, token, err
}

// printProbe prints the verdict of a successful trial.
func printProbe(to term.Screen, t orgs.ProbeResult) error {
	took := time.Duration(t.Seconds * float64(time.Second))
	fmt.Fprintf(to, "%s %s: %s answered in %s.\n", to.Paint(term.Green, "works"), t.Instance, t.Origin, term.Span(took))
	switch {
	case t.Newest == nil:
		fmt.Fprintln(to, "newest event: none within 24 hours, by this integration's filter")
	default:
		at := t.Newest.Published.UTC().Format(time.RFC3339)
		if to.Terminal {
			at = term.Relative(t.Newest.Published, time.Now())
		}
		fmt.Fprintf(to, "newest event: %s, %s\n", at, term.Printable(t.Newest.Type))
	}
	if t.RateLimit != nil {
		fmt.Fprintf(to, "rate limit: %d of %d requests a minute left\n", t.RateLimit.Remaining, t.RateLimit.Limit)
	}
	return nil
}
