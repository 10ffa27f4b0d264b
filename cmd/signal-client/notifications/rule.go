package notifications

import (
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/sink/buckets"
)

func (c *command) newRule() *cobra.Command {
	return group("rule", "Add, change, disable and remove rules",
		"Add, change, disable and remove rules: what goes to which channels.\n\nExamples:\n  signal-client notifications rule add refused --kind breaker_opened --channel on-call\n  signal-client notifications rule set refused --cooldown 1h",
		c.newRuleEdit("add <name>", "Add a rule", ruleAddLong, true), c.newRuleEdit("set <name>", "Change some fields of a rule", ruleSetLong, false),
		c.newRuleSwitch("enable", false), c.newRuleSwitch("disable", true), c.newRuleRemove())
}

const (
	ruleAddLong = `Add a rule: which advisories go to which channels. Without --kind and --instance it is
about all kinds and orgs; without --severity about warnings and what is critical.

Examples:
  signal-client notifications rule add worst --severity critical --channel on-call,mail
  signal-client notifications rule add refused --kind 'breaker_*' --instance 'prod-*' --channel on-call --cooldown 1h`

	ruleSetLong = `Change some fields of a rule. Fields without a flag stay as they are; an empty --kind or
--instance stands for all.

Examples:
  signal-client notifications rule set refused --cooldown 4h
  signal-client notifications rule set refused --kind ''`
)

// ruleFlags are the fields of a rule.
type ruleFlags struct {
	kinds, instances, channels cli.NameList
	severity, cooldown         string
}

func (f *ruleFlags) add(cmd *cobra.Command) {
	cmd.Flags().Var(&f.kinds, "kind", "`kinds` of advisories or patterns such as breaker_*")
	cmd.Flags().Var(&f.instances, "instance", "`orgs` or patterns such as prod-*")
	cmd.Flags().StringVar(&f.severity, "severity", "", "the least `severity`: info, warning (the default) or critical")
	cmd.Flags().Var(&f.channels, "channel", "the `channels` that it sends to")
	cmd.Flags().StringVar(&f.cooldown, "cooldown", "", "for how `long` nothing more is sent of the same kind and org (the default is 15m)")
	var kinds []cobra.Completion
	for _, k := range telemetry.AdvisoryKinds() {
		kinds = append(kinds, cobra.CompletionWithDesc(k.Name, k.About))
	}
	const only = cobra.ShellCompDirectiveNoFileComp
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(kinds, only))
	_ = cmd.RegisterFlagCompletionFunc("severity", cobra.FixedCompletions([]cobra.Completion{telemetry.SeverityInfo, telemetry.SeverityWarning, telemetry.SeverityCritical}, only))
	flagged := func(names cobra.CompletionFunc) cobra.CompletionFunc { // arguments don't count
		return func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return names(cmd, nil, begun)
		}
	}
	_ = cmd.RegisterFlagCompletionFunc("instance", flagged(cli.CompleteInstances(0)))
	_ = cmd.RegisterFlagCompletionFunc("channel", flagged(complete(1, channelNames)))
}

// apply sets the fields that flags were given for.
func (f *ruleFlags) apply(cmd *cobra.Command, to *buckets.Rule) {
	for flag, list := range map[string]struct {
		from cli.NameList
		to   *[]string
	}{"kind": {f.kinds, &to.Kinds}, "instance": {f.instances, &to.Instances}, "channel": {f.channels, &to.Channels}} {
		if cmd.Flags().Changed(flag) {
			*list.to = listed(list.from)
		}
	}
	if cmd.Flags().Changed("severity") {
		to.Severity = f.severity
	}
	if cmd.Flags().Changed("cooldown") {
		to.Cooldown = f.cooldown
	}
}

// newRuleEdit makes the command that adds or changes a rule.
func (c *command) newRuleEdit(use, short, long string, add bool) *cobra.Command {
	var f ruleFlags
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cli.Named(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			stored, all, done, err := c.read(cmd)
			if err != nil {
				return err
			}
			defer done()
			one, there := all.Rule(args[0])
			switch {
			case add && there:
				return exists("rule", args[0])
			case !add && !there:
				return missing("rule", args[0], ruleNames(all))
			}
			one.Name = args[0]
			f.apply(cmd, &one)
			if err := notify.CheckRule(all, one); err != nil {
				return wrong(err)
			}
			if err := stored.PutRule(cmd.Context(), one); err != nil {
				return err
			}
			c.Say("%s the rule %s. It takes effect within 10 s.", map[bool]string{true: "Added", false: "Changed"}[add], one.Name)
			return nil
		},
	}
	if !add {
		cmd.ValidArgsFunction = complete(1, ruleNames)
	}
	f.add(cmd)
	return c.Connection(cmd)
}

func (c *command) newRuleSwitch(verb string, disabled bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:               verb + " <name>",
		Short:             map[bool]string{true: "Let a rule rest", false: "Let a rule work again"}[disabled],
		Long:              map[bool]string{true: "Let a rule rest. It stays as it is.", false: "Let a rule work again."}[disabled] + "\n\nExample:\n  signal-client notifications rule " + verb + " refused",
		Args:              cli.Named(1),
		ValidArgsFunction: complete(1, ruleNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			stored, all, done, err := c.read(cmd)
			if err != nil {
				return err
			}
			defer done()
			one, err := ruleOf(all, args[0])
			if err != nil {
				return err
			}
			one.Disabled = disabled
			if err := wrong(stored.PutRule(cmd.Context(), one)); err != nil {
				return err
			}
			c.Say("The rule %s is %s.", one.Name, enabled(disabled))
			return nil
		},
	}
	return c.Connection(cmd)
}

func (c *command) newRuleRemove() *cobra.Command {
	sure := cli.Confirmation{In: c.in}
	cmd := &cobra.Command{
		Use:               "remove <name>",
		Aliases:           []string{"rm", "delete"},
		Short:             "Forget a rule",
		Long:              "Forget a rule. What it sent stays in the history.\n\nExample:\n  signal-client notifications rule remove refused",
		Args:              cli.Named(1),
		ValidArgsFunction: complete(1, ruleNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			stored, all, done, err := c.read(cmd)
			if err != nil {
				return err
			}
			defer done()
			if _, err := ruleOf(all, args[0]); err != nil {
				return err
			}
			return c.remove(cmd, &sure, "rule "+args[0], func() error { return stored.DeleteRule(cmd.Context(), args[0]) })
		},
	}
	sure.Flags(cmd)
	return c.Connection(cmd)
}
