package integrations

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
)

const integrationsSetLong = `Change some fields of an org and leave all others unchanged, including those of other
programs. An empty value removes a field, so that its default applies. Of two
equivalent fields, such as fqdn and base_url, the one that is set stays.

Fields, as field=value or as flags: fqdn, base_url, name, poll_interval, since,
filter, limit, rate_share, link_hosts, proxy, ca_file, api_token_file, api_token_env,
client_id, key_id, private_key_file, enabled. A token or a password is never an
argument, which others on the machine could see: --token-from, --proxy-password-from.

To change a stored token without a gap, give the new one by --token-next-from. It is
tried by one request beside the poll, and becomes the token once it has worked; one
that does not work changes nothing, and status says why. api_token_next= drops it.

A changed filter or limit starts a new query that misses nothing, and so does another
host name of the same org. A lower limit helps where full pages take Okta too long.
Another org is refused under a name that has events of a first one: add it under
another name, or confirm it with --another-org.

Examples:
  signal-client integrations set acme poll_interval=1m rate_share=0.3
  signal-client integrations set acme --filter 'eventType sw "user."'
  signal-client integrations set acme filter=
  signal-client integrations set acme --token-from new.token
  signal-client integrations set acme --token-next-from new.token
  signal-client integrations set acme key_id=k2 private_key_file=/etc/signal-client/acme.k2.key`

func (r *integrations) newSet() *cobra.Command {
	var from tokensFrom
	var passwordFrom string
	var another bool
	cmd := &cobra.Command{
		Use:               "set <name> [<field>=<value>...]",
		Aliases:           []string{"edit"},
		Short:             "Change some fields of an org",
		Long:              integrationsSetLong,
		Args:              cli.Named(0),
		ValidArgsFunction: r.completeFields(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.set(cmd, args[0], args[1:], from, passwordFrom, another)
		},
	}
	cmd.Flags().BoolVar(&another, "another-org", false, "confirm that this host is another org than before: it starts at since, under the same name")
	addSettables(cmd)
	addTokenFrom(cmd, &from.now)
	cmd.Flags().StringVar(&from.next, "token-next-from", "", "store the API token to change to, once it has worked, from this `file`, or from standard input (-)")
	_ = cmd.MarkFlagFilename("token-next-from")
	cmd.Flags().StringVar(&passwordFrom, "proxy-password-from", "", "store the password of the proxy's user from this `file`, or from standard input (-)")
	_ = cmd.MarkFlagFilename("proxy-password-from")
	return r.flags(cmd)
}

// tokensFrom are where the API token, and the one to change to, are read from; empty: they stay.
type tokensFrom struct{ now, next string }

func (r *integrations) completeFields() cobra.CompletionFunc {
	instances := cli.CompleteInstances(1)
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return instances(cmd, args, begun)
		}
		var fields []cobra.Completion
		for _, name := range orgs.FieldNames() {
			fields = append(fields, name+"=")
		}
		return fields, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

func (r *integrations) set(cmd *cobra.Command, instance string, assignments []string, from tokensFrom, passwordFrom string, another bool) error {
	if err := oneOfEach(cmd); err != nil {
		return err
	}
	asked := orgs.Value{}
	flags := fromFlags(cmd, asked)
	if err := assignAll(cmd, asked, assignments); err != nil {
		return err
	}
	if !flags && len(assignments) == 0 && from == (tokensFrom{}) && passwordFrom == "" && !another {
		return problem.Usage("nothing to set", "no field is given", cmd.CommandPath()+" "+instance+" poll_interval=1m")
	}
	var token pipeline.Secret
	if from != (tokensFrom{}) {
		var err error
		if token, err = r.readToken(cmd.Context(), from.now+from.next); err != nil { // one of the two
			return err
		}
	}
	var password string
	if passwordFrom != "" {
		var err error
		if password, err = r.readPassword(passwordFrom); err != nil {
			return err
		}
	}
	return r.change(cmd, instance, "Changed", func(v orgs.Value) error {
		fromFlags(cmd, v)
		if password != "" {
			v.Put(orgs.ProxyPasswordPath, password)
		}
		switch {
		case from.next != "":
			v.SetTokenNext(token)
		case from.now != "":
			v.SetToken(token)
		}
		if err := assignAll(cmd, v, assignments); err != nil || !another {
			return err
		}
		if i, err := v.Read(instance); err == nil { // an invalid value is reported later
			v.Put("settings.another_org", i.Origin)
		}
		return nil
	})
}

func assignAll(cmd *cobra.Command, v orgs.Value, assignments []string) error {
	var errs []error
	for _, a := range assignments {
		name, text, ok := strings.Cut(a, "=")
		next := orgs.LooksSecret(strings.TrimSuffix(strings.TrimSuffix(name, "_next"), "-next")) && !orgs.LooksSecret(name)
		if next && ok && text == "" {
			v.Put(orgs.TokenNextPath, nil)
			continue
		}
		if next || orgs.LooksSecret(name) {
			// Without the value, which is a token. In "api_token 00abc" it is the next argument.
			errs = append(errs, problem.Usage("a token as an argument", "others on this machine can read arguments", "use --token-from <file>, or - for standard input; if the token is a real one, create a new one"))
			if !ok {
				return errors.Join(errs...)
			}
			continue
		}
		f, known := orgs.FieldOf(name)
		switch {
		case !ok:
			errs = append(errs, problem.Usage(fmt.Sprintf("argument %q", a), "it is not field=value", cmd.CommandPath()+" <name> poll_interval=1m"))
		case !known:
			errs = append(errs, orgs.UnknownField(name, "field "+name))
		default:
			v.Assign(f, text)
		}
	}
	return errors.Join(errs...)
}

// mostTries is how often a change is retried after somebody else's write.
const mostTries = 3

// change edits the stored value and writes it, again if somebody else has written meanwhile.
func (r *integrations) change(cmd *cobra.Command, instance, done string, edit func(orgs.Value) error) error {
	all, end, err := r.open(cmd)
	if err != nil {
		return err
	}
	defer end()
	for try := 1; ; try++ {
		i, changed, err := orgs.Change(cmd.Context(), all, author(), instance, edit)
		switch {
		case errors.Is(err, pipeline.ErrChanged) && try < mostTries:
			continue
		case r.unless(err) != nil:
			return err
		case !changed:
			r.Say("%s is like that already: nothing was written.", instance)
			return nil
		}
		if i.Enabled {
			r.noteFile(cmd.Context(), i)
		}
		r.Say("%s %s: %s. %s", done, instance, i.Origin, effect(i))
		return nil
	}
}

func effect(i pipeline.Integration) string {
	if !i.Enabled {
		return "It is not polled while it is disabled."
	}
	return "It takes effect within seconds."
}

func (r *integrations) newSwitch(verb string, on bool) *cobra.Command {
	long := "Poll orgs again: each continues exactly where it was.\n\nExample:\n  signal-client integrations enable acme"
	if !on {
		long = "Stop polling orgs, within seconds. Configuration, events and position stay; Okta keeps 90 days.\n\nExample:\n  signal-client integrations disable acme globex"
	}
	done := map[bool]string{true: "Enabled", false: "Disabled"}[on]
	cmd := &cobra.Command{
		Use:               verb + " <name>...",
		Short:             map[bool]string{true: "Poll orgs again", false: "Stop polling orgs"}[on],
		Long:              long,
		Args:              cli.Named(0),
		ValidArgsFunction: cli.CompleteInstances(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, instance := range args {
				err := r.change(cmd, instance, done, func(v orgs.Value) error { v.Put("enabled", on); return nil })
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	return r.flags(cmd)
}
