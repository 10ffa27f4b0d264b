package simulate

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/simulated"
)

var titles = []struct{ name, title string }{
	{"acme", "Acme Corporation"}, {"globex", "Globex"}, {"initech", "Initech"}, {"umbrella", "Umbrella"}, {"hooli", "Hooli"},
}

// nameOf returns the name and the title of the i-th org.
func nameOf(i int) (name, title string) {
	if i < len(titles) {
		return titles[i].name, titles[i].title
	}
	return fmt.Sprintf("org-%d", i+1), fmt.Sprintf("Org %d", i+1)
}

// matching returns the faults that a name or a pattern names.
func matching(wanted string) []string {
	var found []string
	for _, name := range allFaults() {
		if (cli.NameList{wanted}).AnyOf(name) {
			found = append(found, name)
		}
	}
	return found
}

func allFaults() []string {
	var all []string
	for _, kind := range simulated.FaultKinds() {
		all = append(all, kind.Faults...)
	}
	return all
}

// nearest returns what to try in place of an unknown name.
func nearest(wanted string) string {
	if name := problem.Nearest(wanted, allFaults()); name != "" {
		return fmt.Sprintf("--faults=%q; signal-client simulate faults lists all", name)
	}
	return "signal-client simulate faults lists them"
}

// newFaults makes the command that lists the faults.
func newFaults(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "faults",
		Short: "List the faults that requests to simulated orgs can meet",
		Long:  "List the names for --faults, by kind.\n\nExample:\n  signal-client simulate faults",
		Args:  cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			out := p.Out()
			for _, kind := range simulated.FaultKinds() {
				fmt.Fprintln(out, kind.Name)
				for _, name := range kind.Faults {
					fmt.Fprintln(out, "  "+name)
				}
			}
			return nil
		},
	}
}
