package deadletter

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/deadletters"
	"github.com/witfoo/signal-client/sink/jets"
)

const deadletterPurgeLong = `Delete dead letters for good: those with the given sequences, or all that the flags
select. It shows what it deletes, by org and reason, and asks for confirmation;
without a terminal it needs --yes. Dead letters that arrive meanwhile stay.

Examples:
  signal-client deadletter purge 12 13
  signal-client deadletter purge --instance acme --reason no_uuid --older-than 30d
  signal-client deadletter purge --all --dry-run`

// noTime is the zero time: no bound.
var noTime time.Time

type purgeCommand struct {
	deadLetterCommand
	cli.Confirmation
	older cli.TimeFlag
	all   bool
}

func newDeadletterPurge(p *cli.Program) *cobra.Command {
	l := &purgeCommand{deadLetterCommand: deadLetterCommand{CommandContext: cli.CommandContext{Program: p}}, Confirmation: cli.Confirmation{In: os.Stdin}}
	cmd := &cobra.Command{
		Use:     "purge [<sequence>...]",
		Aliases: []string{"rm", "delete"},
		Short:   "Delete some, or all that match",
		Long:    deadletterPurgeLong,
		Args:    anyArgs,
		RunE:    l.run,
	}
	l.choose(cmd)
	cmd.Flags().Var(&l.older, "older-than", "kept before: an age or a time")
	cmd.Flags().BoolVar(&l.all, "all", false, "all orgs and reasons, unless narrowed by other flags")
	l.Confirmation.Flags(cmd)
	cmd.Flags().BoolVar(&l.json, "json", false, "with --dry-run: print one JSON document")
	return l.deadLetterCommand.Flags(cmd)
}

// selection is the dead letters to delete, and their number by kind.
type selection struct {
	named   bool // given by their sequences
	letters []deadletters.DeadLetter
	kinds   map[deadLetterKind]int
}

type deadLetterKind struct{ instance, reason string }

func (l *purgeCommand) run(cmd *cobra.Command, args []string) error {
	seqs, err := sequences(args)
	chosen := l.all || l.Instance != "" || l.reason != "" || !l.older.IsZero()
	switch {
	case err != nil:
		return err
	case len(seqs) > 0 && chosen:
		return problem.Usage("sequences and flags", "give sequences, or flags that select them", "leave one of them out")
	case len(seqs) == 0 && !chosen:
		return problem.Usage("nothing is selected", "it would delete everything", "give sequences, --instance, --reason or --older-than; or --all to confirm that")
	}
	if err := l.Possible("deadletter purge"); err != nil {
		return err
	}
	all, done, err := l.deadLetters(cmd)
	if err != nil {
		return err
	}
	defer done()
	d, err := l.find(cmd.Context(), all, seqs)
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return err
	}
	if len(d.letters) == 0 && l.Instance != "" {
		if err := l.Unknown(cmd.Context(), all.Store, l.Instance); err != nil {
			return err
		}
	}
	return l.purge(cmd.Context(), all, d)
}

func (l *purgeCommand) find(ctx context.Context, all *deadletters.DeadLetters, seqs []uint64) (selection, error) {
	d := selection{named: len(seqs) > 0, kinds: map[deadLetterKind]int{}}
	add := func(letter deadletters.DeadLetter) {
		letter.Data, letter.Header = nil, nil
		d.letters = append(d.letters, letter)
		d.kinds[deadLetterKind{letter.Instance, string(letter.Reason)}]++
	}
	for _, seq := range seqs {
		letter, err := all.Get(ctx, seq)
		if err != nil {
			return d, missing(seq, err)
		}
		add(letter)
	}
	if len(seqs) > 0 {
		return d, nil
	}
	now := time.Now()
	for letter, err := range all.All(ctx, l.Instance, noTime, true) {
		switch {
		case err != nil:
			return d, err
		case !l.older.IsZero() && !letter.Time.Before(l.older.At(now)):
			return d, nil // they are in order of arrival
		case l.reason == "" || string(letter.Reason) == l.reason:
			add(letter)
		}
	}
	return d, nil
}

// purge shows what it deletes, asks, and deletes.
func (l *purgeCommand) purge(ctx context.Context, all *deadletters.DeadLetters, d selection) error {
	to := l.Err()
	if l.Dry {
		to = l.Out()
	}
	if l.Dry && l.json {
		docs := []document{}
		for _, letter := range d.letters {
			docs = append(docs, documentOf(letter))
		}
		return term.WriteJSON(to, docs)
	}
	if len(d.letters) == 0 {
		fmt.Fprintln(to, "There is nothing to delete.")
		return nil
	}
	kinds := slices.SortedFunc(maps.Keys(d.kinds), func(a, b deadLetterKind) int {
		return cmp.Or(cmp.Compare(a.instance, b.instance), cmp.Compare(a.reason, b.reason))
	})
	for _, k := range kinds {
		fmt.Fprintln(to, term.Printable(fmt.Sprintf("%s of %s: %s", term.Count(d.kinds[k], "dead letter"), k.instance, cmp.Or(k.reason, "no reason"))))
	}
	if l.Dry {
		return nil
	}
	if err := l.Confirm(ctx, to, fmt.Sprintf("Delete %s for good?", term.Count(len(d.letters), "dead letter")), "deleted"); err != nil {
		return err
	}
	if err := l.delete(ctx, all, d); err != nil {
		return err
	}
	fmt.Fprintf(to, "Deleted %s.\n", term.Count(len(d.letters), "dead letter"))
	return nil
}

// delete deletes them one by one, or at once if they are all of an org's up to the newest.
func (l *purgeCommand) delete(ctx context.Context, all *deadletters.DeadLetters, d selection) error {
	if !d.named && l.reason == "" {
		through := map[string]uint64{}
		for _, letter := range d.letters {
			through[letter.Instance] = letter.Seq
		}
		for _, instance := range slices.Sorted(maps.Keys(through)) {
			if err := all.Purge(ctx, instance, through[instance]); err != nil {
				return err
			}
		}
		return nil
	}
	for n, letter := range d.letters {
		if err := all.Delete(ctx, letter.Seq); err != nil {
			return fmt.Errorf("purge: %d of %s were deleted: %w", n, term.Count(len(d.letters), "dead letter"), err)
		}
	}
	return nil
}
