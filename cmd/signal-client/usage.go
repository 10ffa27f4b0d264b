package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What is said of a command line that can't be meant so.

// knownCommand refuses a word that is no command, and names the nearest one.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	try := cmd.CommandPath() + " --help"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		try = cmd.CommandPath() + " " + near[0]
	}
	return &problem{
		Op:   fmt.Sprintf("unknown command %q", args[0]),
		Err:  errors.New(cmd.CommandPath() + " has no such command"),
		Hint: try,
		Code: exitUsage,
	}
}

// noArgs refuses words after a command that takes none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &problem{
		Op:   fmt.Sprintf("unexpected argument %q", args[0]),
		Err:  fmt.Errorf("%s takes flags only", cmd.CommandPath()),
		Hint: cmd.CommandPath() + " --help",
		Code: exitUsage,
	}
}

// flagError gives a refused flag its three parts, with the nearest flag there is.
func flagError(cmd *cobra.Command, err error) error {
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return valueError(cmd, bad)
	}
	p := headed(err)
	p.Hint, p.Code = cmd.CommandPath()+" --help", exitUsage
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		name := unknown.GetSpecifiedName()
		p.Op, p.Err = "unknown flag --"+name, errors.New(cmd.CommandPath()+" has no such flag")
		if near := nearest(name, flagNames(cmd)); near != "" {
			p.Hint = cmd.CommandPath() + " --" + near
		}
	}
	if bare, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		p.Op, p.Err = "--"+bare.GetFlag().Name+" needs a value", errors.New("nothing follows it")
	}
	return &p
}

// flagKinds say what a flag of a plain type takes. The others say it themselves.
var flagKinds = map[string]string{
	"int":      "it is a whole number",
	"uint64":   "it is a whole number, not below 0",
	"float64":  "it is a number",
	"duration": "it is a duration, such as 30s, 5m or 7d",
	"bool":     "it stands alone, or is true or false",
}

// valueError is the problem of a flag's value that can't be read.
func valueError(cmd *cobra.Command, bad *pflag.InvalidValueError) error {
	flag := bad.GetFlag()
	p := &problem{
		Op:   fmt.Sprintf("--%s=%s", flag.Name, bad.GetValue()),
		Err:  bad.Unwrap(),
		Hint: cmd.CommandPath() + " --help",
		Code: exitUsage,
	}
	kind, plain := flagKinds[flag.Value.Type()]
	switch {
	case plain && errors.Is(bad, strconv.ErrRange):
		p.Err = errors.New("no number goes that far")
	case plain:
		p.Err = errors.New(kind)
	}
	if plain && !slices.Contains([]string{"0", "0s", "false"}, flag.DefValue) {
		p.Hint = fmt.Sprintf("--%s=%s, the default", flag.Name, flag.DefValue)
	}
	return p
}

// flagNames lists the flags that the command takes.
func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// nearest returns the candidate with the fewest edits from word, or "" when
// none is near enough to be what was meant.
func nearest(word string, candidates []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := edits(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance of two words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
