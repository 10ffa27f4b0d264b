package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
)

const versionLong = `Print the version, the revision and its date, and the Go version that built it.

Examples:
  signal-client version
  signal-client version --json | jq -r .revision`

func newVersion(p *cli.Program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  versionLong,
		RunE: func(*cobra.Command, []string) error {
			b := build.Read()
			if asJSON {
				return term.WriteJSON(p.Out(), b)
			}
			_, err := fmt.Fprintln(p.Out(), "signal-client", b)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}
