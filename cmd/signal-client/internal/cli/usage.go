package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

// Errors of an invalid command line.

// KnownCommand refuses an unknown command, and suggests the nearest one.
func KnownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	try := cmd.CommandPath() + " --help"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		try = cmd.CommandPath() + " " + near[0]
	}
	return problem.Usage(fmt.Sprintf("unknown command %q", args[0]), cmd.CommandPath()+" has no such command", try)
}

// NoArgs refuses arguments of a command that takes none.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return problem.Usage(fmt.Sprintf("unexpected argument %q", args[0]), cmd.CommandPath()+" takes flags only", cmd.CommandPath()+" --help")
}

// FlagError returns the problem of a refused flag, with the nearest existing flag.
func FlagError(cmd *cobra.Command, err error) error {
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return valueError(cmd, bad)
	}
	p := problem.Plain(err)
	p.Hint, p.Code = cmd.CommandPath()+" --help", problem.BadUsage
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		name := unknown.GetSpecifiedName()
		p.Op, p.Err = "unknown flag --"+name, errors.New(cmd.CommandPath()+" has no such flag")
		if near := problem.Nearest(name, flagNames(cmd)); near != "" {
			p.Hint = cmd.CommandPath() + " --" + near
		}
	}
	if bare, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		p.Op, p.Err = "--"+bare.GetFlag().Name+" needs a value", errors.New("no value follows it")
	}
	return &p
}

// flagKinds says what flags of plain types take. The others have their own errors.
var flagKinds = map[string]string{
	"int":      "it must be a whole number",
	"uint64":   "it must be a whole number, not below 0",
	"float64":  "it must be a number",
	"duration": "it must be a duration, such as 30s, 5m or 7d",
	"bool":     "it takes no value, or true or false",
}

func valueError(cmd *cobra.Command, bad *pflag.InvalidValueError) error {
	flag := bad.GetFlag()
	cause, try := bad.Unwrap().Error(), cmd.CommandPath()+" --help"
	kind, plain := flagKinds[flag.Value.Type()]
	switch {
	case plain && errors.Is(bad, strconv.ErrRange):
		cause = "the number is too large"
	case plain:
		cause = kind
	}
	if plain && !slices.Contains([]string{"0", "0s", "false"}, flag.DefValue) {
		try = fmt.Sprintf("--%s=%s, the default", flag.Name, flag.DefValue)
	}
	return problem.Usage(fmt.Sprintf("--%s=%s", flag.Name, bad.GetValue()), cause, try)
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// Named requires 1 to most arguments; most 0: no upper bound.
func Named(most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		usage, try := "usage: "+cmd.UseLine(), cmd.CommandPath()+" --help"
		switch {
		case len(args) == 0:
			return problem.Usage("a name is missing", usage, try)
		case most > 0 && len(args) > most:
			return problem.Usage(fmt.Sprintf("unexpected argument %q", args[most]), usage, try)
		}
		return nil
	}
}

// FirstCommand adds an org.
const FirstCommand = "signal-client integrations add okta acme --fqdn acme.okta.com"
