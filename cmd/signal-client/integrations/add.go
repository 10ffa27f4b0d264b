package integrations

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
)

const integrationsAddLong = `Add an Okta org under a name: 1 to 63 lower-case letters, digits and hyphens. Its
events are published on signals.okta.<name>, so choose a name to keep.

The API token is one of a read-only admin (Okta: Security > API > Tokens). It is
asked for on a terminal, or read from standard input or from --token-from, and
stored in NATS. With --token-file it stays out of NATS: the service reads the
file, on each machine where it runs, and notices a change within seconds.

Instead of a token it may be a service app (OAuth 2.0, with or without DPoP) that
has the scope okta.logs.read and the role Read-only Administrator:
signal-client keys okta makes its key and says what to do in Okta.

Examples:
  # asks for the token
  signal-client integrations add okta acme --fqdn acme.okta.com

  # the service reads the token from a file
  signal-client integrations add okta acme --fqdn acme.okta.com --token-file /etc/signal-client/acme.token

  # a service app instead of a token
  signal-client integrations add okta acme --fqdn acme.okta.com --client-id 0oa1b2c3d4E5f6G7h8i9 \
    --key-id acme-2026 --private-key-file /etc/signal-client/acme.key

  # the token comes from a program
  pass okta/acme | signal-client integrations add okta acme --fqdn acme.okta.com --token-from -`

func (r *integrations) newAddOkta() *cobra.Command {
	var tokenFrom string
	var disabled bool
	cmd := &cobra.Command{
		Use:   "okta <name>",
		Short: "Add an Okta org",
		Long:  integrationsAddLong,
		Args:  cli.Named(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v := orgs.NewValue(!disabled)
			fromFlags(cmd, v)
			return r.add(cmd, args[0], v, tokenFrom)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addSettables(cmd)
	addTokenFrom(cmd, &tokenFrom)
	cmd.Flags().BoolVar(&disabled, "disabled", false, "don't poll it yet")
	return r.flags(cmd)
}

func addSettables(cmd *cobra.Command) {
	for _, f := range orgs.Fields {
		if f.Flag != "" {
			cmd.Flags().Var(config.NewFlagValue(f.Type), f.Flag, f.Help())
		}
	}
	_ = cmd.MarkFlagFilename("token-file")
	_ = cmd.MarkFlagFilename("private-key-file")
	_ = cmd.MarkFlagFilename("ca-file")
}

// fromFlags sets the fields given as flags, and reports whether there are any.
func fromFlags(cmd *cobra.Command, v orgs.Value) (any bool) {
	for _, f := range orgs.Fields {
		if flag := cmd.Flags().Lookup(f.Flag); f.Flag != "" && flag.Changed {
			v.Assign(f, flag.Value.String())
			any = true
		}
	}
	return any
}

// placeholder stands for a token that has not been asked for yet.
var placeholder = pipeline.NewSecret("placeholder")

func (r *integrations) add(cmd *cobra.Command, instance string, v orgs.Value, tokenFrom string) error {
	if err := oneOfEach(cmd); err != nil {
		return err
	}
	named := v.NamesCredential()
	if !named {
		// Everything else is checked before the user goes to fetch a token.
		v.SetToken(placeholder)
	}
	if _, errs := v.Check(instance, v.Labelled); errs != nil {
		return errors.Join(errs...)
	}
	all, done, err := r.openToWrite(cmd)
	if err != nil {
		return err
	}
	defer done()
	before, err := all.Get(cmd.Context(), instance)
	if err != nil {
		return err
	}
	if before.Value != nil {
		return &problem.Error{Op: "add " + instance, Err: errors.New("an integration of that name exists"), Code: problem.Failed,
			Hint: fmt.Sprintf("signal-client integrations set %s --fqdn …, or another name", instance)}
	}
	if !named {
		token, err := r.readToken(cmd.Context(), cmp.Or(tokenFrom, "-"))
		if err != nil {
			return err
		}
		v.SetToken(token)
	}
	i, errs := v.Check(instance, v.Labelled) // with the token
	if errs != nil {
		return errors.Join(errs...)
	}
	v.Tidy(i)
	if _, err := orgs.Write(cmd.Context(), all, author(), before, v); r.unless(err) != nil {
		return err
	}
	r.noteFile(cmd.Context(), i)
	r.Say("Added %s: %s. %s", instance, i.Origin, afterwards(i))
	tried := "token"
	if i.ClientID != "" {
		tried = "service app"
	}
	r.Say("Try its %s: signal-client integrations test %s", tried, instance)
	return nil
}

// afterwards returns what happens after a change.
func afterwards(i pipeline.Integration) string {
	if !i.Enabled {
		return "It is disabled; poll it with: signal-client integrations enable " + i.Instance
	}
	return "A running service polls it within seconds."
}

// noteFile notes that the credential's file can't be read here, which need not be wrong.
func (r *integrations) noteFile(ctx context.Context, i pipeline.Integration) {
	if i.CredentialFile() == "" {
		return
	}
	what := "token"
	if i.ClientID != "" {
		what = "private key"
	}
	if _, err := i.Kind.Credential(ctx, i); err != nil {
		r.Say("note: the %s's file can't be read here: %v; it must be readable where the service runs", what, err)
	}
}

// oneOfEach refuses two flags that exclude each other.
func oneOfEach(cmd *cobra.Command) error {
	for _, pair := range [][2]string{{"fqdn", "base-url"}, {"token-from", "token-file"}, {"token-from", "token-env"}, {"token-file", "token-env"},
		{"token-from", "client-id"}, {"token-file", "client-id"}, {"token-env", "client-id"},
		{"token-from", "token-next-from"}, {"token-next-from", "token-file"}, {"token-next-from", "token-env"}, {"token-next-from", "client-id"}} {
		if cmd.Flags().Changed(pair[0]) && cmd.Flags().Changed(pair[1]) {
			return problem.Usage(fmt.Sprintf("--%s and --%s", pair[0], pair[1]), "only one of them is allowed", "leave one of them out")
		}
	}
	return nil
}
