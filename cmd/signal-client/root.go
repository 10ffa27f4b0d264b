package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// program is what every command shares.
type program struct {
	color colorMode
}

// Out is where results go.
func (p *program) Out() screen { return newScreen(os.Stdout, p.color) }

// Err is where everything else goes: logs, progress, errors.
func (p *program) Err() screen { return newScreen(os.Stderr, p.color) }

// Report prints a command's error, if it has one, and returns the exit code. A
// command that was interrupted and says no more than that needs no explanation.
// (The service returns nil then: to be told to stop is its good end.)
func (p *program) Report(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return report(p.Err(), err)
}

const rootLong = `Pull the Okta System Log of any number of orgs into NATS JetStream, every event exactly once.

With no account and no server at hand, watch it work:
  signal-client demo

One org, from the environment, into an embedded NATS server:
  OKTA_FQDN=acme.okta.com OKTA_API_TOKEN_FILE=okta.token signal-client run

Into your own NATS:
  NATS_URL=nats://nats.example.com:4222 NATS_CREDS=stage.creds signal-client run

Exit codes: 0 ok, 1 failed, 2 usage or a refused confirmation, 3 a check found
something, 4 credentials refused, 5 NATS or Okta not reachable, 130 interrupted.`

// newRoot builds the command tree.
func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:           "signal-client",
		Short:         "Okta System Log into NATS JetStream, every event exactly once",
		Long:          rootLong,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(os.Stdout)
	root.SetErr(os.Stderr)
	root.PersistentFlags().Var(&p.color, "color", "colour the output: `when` is auto, always or never")
	root.SetFlagErrorFunc(flagError)
	root.SuggestionsMinimumDistance = 2
	root.SetUsageTemplate(usage)
	root.AddCommand(
		newRun(p),
		newDemo(p),
		newStatus(p),
		newVersion(p),
		newHealthcheck(),
	)
	complete(root)
	return root
}

// usage is what stands below a help's text.
const usage = `Usage:
  {{.CommandPath}}{{if .HasAvailableSubCommands}} <command>{{end}} [flags]
{{- if .HasAvailableSubCommands}}

Commands:
{{- range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}{{end}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}
{{- if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}{{end}}
{{- if .HasAvailableSubCommands}}

More about a command: {{.CommandPath}} <command> --help{{end}}
`

// complete adds cobra's own commands, and what all commands have in common.
func complete(root *cobra.Command) {
	root.InitDefaultCompletionCmd("completion")
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		switch {
		case cmd.Name() == "help":
			cmd.Hidden = true
		case cmd.HasSubCommands():
			cmd.Args, cmd.RunE = knownCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case cmd.Args == nil:
			cmd.Args = noArgs
		}
		if cmd.Name() == "completion" {
			cmd.Short, cmd.Long = "Print a shell's completion script", completionLong
		}
	}
}

const completionLong = `Print a shell's completion script.

Examples:
  signal-client completion bash > /etc/bash_completion.d/signal-client
  signal-client completion zsh > "${fpath[1]}/_signal-client"
  signal-client completion fish > ~/.config/fish/completions/signal-client.fish`

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
	p := headed(err)
	p.Hint, p.Code = cmd.CommandPath()+" --help", exitUsage
	switch name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --"); {
	case unknown:
		p.Op, p.Err = "unknown flag --"+name, errors.New(cmd.CommandPath()+" has no such flag")
		if near := nearest(name, flagNames(cmd)); near != "" {
			p.Hint = cmd.CommandPath() + " --" + near
		}
	case p.Op == "flag needs an argument":
		p.Op, p.Err = p.Err.Error()+" needs a value", errors.New("nothing follows it")
	}
	return &p
}

// flagNames lists the flags that the command takes.
func flagNames(cmd *cobra.Command) []string {
	var names []string
	for line := range strings.Lines(cmd.Flags().FlagUsages()) {
		for word := range strings.FieldsSeq(line) {
			if name, ok := strings.CutPrefix(word, "--"); ok {
				names = append(names, strings.TrimRight(name, ","))
				break
			}
		}
	}
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
