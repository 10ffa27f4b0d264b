package cli

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// completionTime is how long a shell waits for completions.
const completionTime = 300 * time.Millisecond

// Offered returns completions read from NATS; none if NATS can't be asked.
func Offered(cmd *cobra.Command, names func(context.Context, *jets.Store) []cobra.Completion) ([]cobra.Completion, cobra.ShellCompDirective) {
	const nothing = cobra.ShellCompDirectiveNoFileComp
	var n config.NATS
	var s config.Server
	if config.Load(cmd, &n, &s) != nil {
		return nil, nothing
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	conn, err := Visit(ctx, n, s)
	if err != nil {
		return nil, nothing
	}
	defer conn.Close()
	return names(ctx, jets.Attach(conn, kinds.All.Plain()...)), nothing
}

// CompleteInstances completes names in INTEGRATIONS, at most most of them; 0: any number.
func CompleteInstances(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return Offered(cmd, func(ctx context.Context, store *jets.Store) (all []cobra.Completion) {
			written, err := (&buckets.Integrations{Store: store}).Written(ctx)
			if err != nil {
				return nil
			}
			for _, w := range written {
				if slices.Contains(args, w.Instance) {
					continue
				}
				i, _ := w.Read()
				all = append(all, cobra.CompletionWithDesc(w.Instance, cmp.Or(i.Origin, "its value is invalid")))
			}
			return all
		})
	}
}
