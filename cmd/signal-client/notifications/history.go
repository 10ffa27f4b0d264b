package notifications

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/buckets"
)

const historyLong = `Show what became of notifications, newest first: sent, failed or skipped, with the reason.
Skipped is what came within the cooldown of one that was sent. Records are kept for 30
days, the newest 16 of each rule, channel, kind and org.

Examples:
  signal-client notifications history
  signal-client notifications history --channel on-call --result failed
  signal-client notifications history --json --limit 0`

func (c *command) newHistory() *cobra.Command {
	var asJSON bool
	var channel, result string
	limit := 50
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show what was sent, failed or skipped, and why",
		Long:  historyLong,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if result != "" && !slices.Contains(results[:], result) {
				return problem.Usage("--result="+result, "it must be sent, failed, skipped, retrying or sending", "--result="+cmp.Or(problem.Nearest(result, results[:]), "failed"))
			}
			if limit < 0 {
				return problem.Usage(fmt.Sprintf("--limit=%d", limit), "it must be a number of notifications, or 0 for all", "--limit 50")
			}
			store, done, err := c.Connect(cmd)
			if err != nil {
				return err
			}
			defer done()
			all, err := (&buckets.Notifications{Store: store}).Sent(cmd.Context(), 1<<30)
			if err != nil {
				return err
			}
			all = slices.DeleteFunc(all, func(n buckets.Notification) bool {
				return channel != "" && n.Channel != channel || result != "" && n.Result != result
			})
			if limit > 0 {
				all = all[:min(limit, len(all))]
			}
			if asJSON {
				return term.WriteJSON(c.Out(), all)
			}
			return c.printHistory(all)
		},
	}
	cmd.Flags().StringVar(&channel, "channel", "", "only of this `channel`")
	cmd.Flags().StringVar(&result, "result", "", "only with this `result`: sent, failed, skipped, retrying or sending")
	cmd.Flags().IntVar(&limit, "limit", limit, "show the newest N; 0: all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	_ = cmd.RegisterFlagCompletionFunc("channel", complete(1, channelNames))
	_ = cmd.RegisterFlagCompletionFunc("result", cobra.FixedCompletions(results[:], cobra.ShellCompDirectiveNoFileComp))
	return c.Connection(cmd)
}

// results are what may become of a notification.
var results = [...]string{buckets.NotifySent, buckets.NotifyFailed, buckets.NotifySkipped, buckets.NotifyRetrying, buckets.NotifySending}

func (c *command) printHistory(all []buckets.Notification) error {
	out := c.Out()
	if len(all) == 0 && out.Terminal {
		_, err := fmt.Fprintln(out, "No notifications.")
		return err
	}
	g := term.Grid{Title: term.Count(len(all), "notification"), Header: []string{"time", "result", "channel", "rule", "kind", "instance", "message", "why"}}
	for _, n := range all {
		g.Rows = append(g.Rows, []any{n.At, n.Result, n.Channel, n.Rule, n.Kind, n.Instance, n.Message, n.Why})
	}
	return g.Print(out)
}
