package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
)

// VictoriaLogs is in this program, but none of its flags is on the command line: they
// are those of the standard library's package flag.
func TestNoFlagsOfVictoriaLogs(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if strings.ToLower(f.Name) != f.Name || strings.Contains(f.Name, ".") {
				t.Errorf("%s has --%s", cmd.CommandPath(), f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(new(cli.Program)))
}
