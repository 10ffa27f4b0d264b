package deadletter

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/deadletters"
	"github.com/witfoo/signal-client/sink/jets"
)

const deadletterListLong = `List elements that could not be stored, the newest last.

Examples:
  signal-client deadletter list
  signal-client deadletter list --instance acme --reason too_large --since 7d
  signal-client deadletter list --json --limit 0 | jq 'group_by(.reason) | map({(.[0].reason): length}) | add'`

type listCommand struct {
	deadLetterCommand
	since cli.TimeFlag
	limit int
}

func newDeadletterList(p *cli.Program) *cobra.Command {
	l := &listCommand{deadLetterCommand: deadLetterCommand{CommandContext: cli.CommandContext{Program: p}}}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List what could not be stored",
		Long:    deadletterListLong,
		Args:    cli.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return l.run(cmd) },
	}
	l.choose(cmd)
	cmd.Flags().Var(&l.since, "since", "kept since: an age or a time")
	cmd.Flags().IntVar(&l.limit, "limit", 100, "show the newest N; 0: all")
	cmd.Flags().BoolVar(&l.json, "json", false, "print one JSON document")
	return l.Flags(cmd)
}

func (l *listCommand) run(cmd *cobra.Command) error {
	if l.limit < 0 {
		return problem.Usage(fmt.Sprintf("--limit=%d", l.limit), "it must be a number of dead letters, or 0 for all", "--limit 100")
	}
	all, done, err := l.deadLetters(cmd)
	if err != nil {
		return err
	}
	defer done()
	docs, left, err := l.read(cmd, all)
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return err
	}
	if len(docs) == 0 && l.Instance != "" {
		if err := l.Unknown(cmd.Context(), all.Store, l.Instance); err != nil {
			return err
		}
	}
	if l.json {
		return term.WriteJSON(l.Out(), docs)
	}
	out := l.Out()
	if len(docs) == 0 && out.Terminal {
		_, err := fmt.Fprintln(out, "No dead letters.")
		return err
	}
	g := term.Grid{
		Title:  term.Count(len(docs), "dead letter"),
		Header: []string{"sequence", "time", "instance", "reason", "size", "kept", "first bytes"},
	}
	for _, d := range docs {
		g.Rows = append(g.Rows, []any{d.Sequence, d.Time, d.Instance, d.Reason, d.Size, d.Kept, d.FirstBytes})
	}
	if err := g.Print(out); err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintf(l.Err(), "Not listed: %s. --limit 0 lists all.\n", term.Count(left, "older one"))
	}
	return nil
}

// read collects the newest of the selected dead letters, and counts the rest.
func (l *listCommand) read(cmd *cobra.Command, all *deadletters.DeadLetters) (docs []document, left int, err error) {
	docs = []document{} // [] rather than null
	var since time.Time
	if !l.since.IsZero() {
		since = l.since.At(time.Now())
	}
	for letter, err := range all.All(cmd.Context(), l.Instance, since, false) {
		if err != nil {
			return docs, left, err
		}
		if l.reason != "" && string(letter.Reason) != l.reason {
			continue
		}
		doc := documentOf(letter)
		doc.FirstBytes = beginning(letter.Data)
		docs = append(docs, doc)
		if l.limit > 0 && len(docs) > l.limit {
			docs, left = docs[1:], left+1
		}
	}
	return docs, left, nil
}
