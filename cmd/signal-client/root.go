package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/audit"
	"github.com/witfoo/signal-client/cmd/signal-client/backfill"
	"github.com/witfoo/signal-client/cmd/signal-client/cursor"
	"github.com/witfoo/signal-client/cmd/signal-client/deadletter"
	"github.com/witfoo/signal-client/cmd/signal-client/demo"
	"github.com/witfoo/signal-client/cmd/signal-client/doctor"
	"github.com/witfoo/signal-client/cmd/signal-client/importcursor"
	"github.com/witfoo/signal-client/cmd/signal-client/integrations"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/keys"
	"github.com/witfoo/signal-client/cmd/signal-client/notifications"
	"github.com/witfoo/signal-client/cmd/signal-client/provision"
	"github.com/witfoo/signal-client/cmd/signal-client/replay"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
	"github.com/witfoo/signal-client/cmd/signal-client/search"
	"github.com/witfoo/signal-client/cmd/signal-client/simulate"
	"github.com/witfoo/signal-client/cmd/signal-client/state"
	"github.com/witfoo/signal-client/cmd/signal-client/status"
)

const rootLong = `Pull the Okta System Log of any number of orgs into NATS JetStream, every event exactly once.

Without an account or a server, watch it work:
  signal-client demo

One org, from the environment, into an embedded NATS server:
  OKTA_FQDN=acme.okta.com OKTA_API_TOKEN_FILE=okta.token signal-client run

Without it, add the org on a page: http://127.0.0.1:8000/
  signal-client run

Into your own NATS:
  NATS_URL=nats://nats.example.com:4222 NATS_CREDS=stage.creds signal-client run`

func newRoot(p *cli.Program) *cobra.Command {
	root := &cobra.Command{
		Use:           "signal-client",
		Short:         "Okta System Log into NATS JetStream, every event exactly once",
		Long:          rootLong,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       build.Read().String(),
		Args:          cli.KnownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(os.Stdout)
	root.SetErr(os.Stderr)
	root.PersistentFlags().Var(&p.Color, "color", "colour the output: `when` is auto, always or never")
	root.SetFlagErrorFunc(cli.FlagError)
	root.SuggestionsMinimumDistance = 2
	root.SetUsageTemplate(usage)
	root.SetVersionTemplate("signal-client {{.Version}}\n")
	root.AddCommand(
		run.New(p, newConsole),
		demo.New(p, newConsole),
		simulate.New(p),
		status.New(p),
		integrations.New(p),
		keys.New(p),
		doctor.New(p),
		provision.New(p),
		backfill.New(p),
		audit.New(p),
		search.New(p),
		replay.New(p),
		cursor.New(p),
		importcursor.New(p),
		state.NewExport(p),
		state.NewRestore(p),
		deadletter.New(p),
		notifications.New(p),
		newConsoleCommand(p),
		newVersion(p),
		newHealthcheck(),
		search.NewIndex(p),
	)
	root.AddCommand(newTopics()...)
	complete(root)
	return root
}

// usage is the part below a command's help text.
const usage = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} <command> [flags]{{else}}{{.UseLine}}{{end}}
{{- if .HasAvailableSubCommands}}

Commands:
{{- range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}{{end}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}
{{- if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}{{end}}
{{- if .HasHelpSubCommands}}

Help topics:
{{- range .Commands}}{{if .IsAdditionalHelpTopicCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}{{end}}
{{- if .HasAvailableSubCommands}}

More about a command: {{.CommandPath}} <command> --help{{end}}
{{- if .HasHelpSubCommands}}
More about a topic: {{.CommandPath}} help <topic>{{end}}
`

// complete adds cobra's own commands and everything common to all commands.
func complete(root *cobra.Command) {
	root.InitDefaultCompletionCmd("completion")
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		switch {
		case cmd.Name() == "help":
			cmd.Hidden = true
		case cmd.HasSubCommands() && cmd.RunE == nil:
			cmd.Args, cmd.RunE = cli.KnownCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case cmd.Args == nil:
			cmd.Args = cli.NoArgs
		}
		if cmd.Name() == "completion" {
			cmd.Short, cmd.Long = "Print a shell's completion script", completionLong
			for _, shell := range cmd.Commands() {
				shell.Short = "Print the completion script of " + shell.Name()
				shell.Long = shell.Short + ".\n\nWhere to put it: signal-client completion --help"
			}
		}
	}
}

const completionLong = `Print a shell's completion script.

Examples:
  signal-client completion bash > /etc/bash_completion.d/signal-client
  signal-client completion zsh > "${fpath[1]}/_signal-client"
  signal-client completion fish > ~/.config/fish/completions/signal-client.fish
  signal-client completion powershell >> $PROFILE`
