package search

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/sink/search/child"
)

// NewIndex makes the hidden command search-index: the process in which an embedded index
// runs. The service starts it and tells it everything on standard input.
func NewIndex(*cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:    "search-index",
		Short:  "The process of the embedded search index; the service starts it",
		Hidden: true,
		RunE:   func(*cobra.Command, []string) error { return child.Run(os.Stdin, os.Stdout) },
	}
}
