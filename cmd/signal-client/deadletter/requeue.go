package deadletter

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/deadletters"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/signals"
)

const deadletterRequeueLong = `Store dead letters that can be published now, and delete them from DEADLETTER.

These are complete elements with a uuid that were larger than the NATS server
accepted, once max_payload of the server, or max_msg_size of SIGNALS, was raised.
They are stored as by a repair: compared with stored events, never twice, with the
header Signal-Origin: repair. The dead letter is deleted after that; if the command
is interrupted in between, run it again.

These can't be requeued:
  - one whose end was cut off: audit --repair or a backfill may fetch it from Okta,
    which keeps 90 days; then delete it with purge
  - one that is not an object or has no uuid: nothing identifies it

Examples:
  signal-client deadletter requeue 12 13
  signal-client deadletter requeue --instance acme`

func newDeadletterRequeue(p *cli.Program) *cobra.Command {
	l := &deadLetterCommand{CommandContext: cli.CommandContext{Program: p}}
	cmd := &cobra.Command{
		Use:   "requeue <sequence>... | --instance <name>",
		Short: "Store those that can be stored now",
		Long:  deadletterRequeueLong,
		Args:  anyArgs,
		RunE:  l.requeue,
	}
	cmd.Flags().BoolVar(&l.dryRun, "dry-run", false, "show what would be done, and do nothing")
	return l.Flags(cmd)
}

// anyArgs accepts any arguments: the command parses them itself.
func anyArgs(*cobra.Command, []string) error { return nil }

func (l *deadLetterCommand) requeue(cmd *cobra.Command, args []string) error {
	seqs, err := sequences(args)
	switch {
	case err != nil:
		return err
	case len(seqs) > 0 && l.Instance != "":
		return problem.Usage("sequences and --instance", "give sequences, or --instance for all too_large ones of that org", "leave one of them out")
	case len(seqs) == 0 && l.Instance == "":
		return problem.Usage("nothing is selected", "usage: "+cmd.UseLine(), "signal-client deadletter list --reason too_large")
	}
	all, done, err := l.deadLetters(cmd)
	if err != nil {
		return err
	}
	defer done()
	if len(seqs) == 0 {
		if seqs, err = tooLarge(cmd.Context(), all, l.Instance); err != nil {
			return err
		}
		if len(seqs) == 0 {
			err = l.Unknown(cmd.Context(), all.Store, l.Instance)
		}
		if err != nil {
			return err
		}
	}
	refused := 0
	for _, seq := range seqs {
		if err := l.requeueOne(cmd.Context(), all, seq); err != nil {
			p, ok := errors.AsType[*problem.Error](err)
			if !ok {
				return err
			}
			refused++
			p.Print(l.Err())
		}
	}
	switch {
	case len(seqs) == 0:
		fmt.Fprintf(l.Err(), "%s has no dead letters that are too_large.\n", l.Instance)
	case refused > 0:
		return &problem.Error{Op: fmt.Sprintf("%d of %s not requeued", refused, term.Count(len(seqs), "dead letter")), Err: errors.New("see above"), Hint: "signal-client deadletter requeue --help", Code: problem.Failed}
	}
	return nil
}

func tooLarge(ctx context.Context, all *deadletters.DeadLetters, instance string) (seqs []uint64, err error) {
	for letter, err := range all.All(ctx, instance, noTime, true) {
		if err != nil {
			return nil, err
		}
		if letter.Reason == pipeline.FlawTooLarge {
			seqs = append(seqs, letter.Seq)
		}
	}
	return seqs, nil
}

// requeueOne requeues one and prints the result; a refusal is a *problem.Error.
func (l *deadLetterCommand) requeueOne(ctx context.Context, all *deadletters.DeadLetters, seq uint64) error {
	letter, err := all.Get(ctx, seq)
	if err != nil {
		return missing(seq, err)
	}
	var stored bool
	if l.dryRun {
		_, err = all.Requeueable(ctx, letter)
	} else {
		stored, err = all.Requeue(ctx, letter)
	}
	switch {
	case err != nil:
		return requeueProblem(letter, err)
	case l.dryRun:
		fmt.Fprintf(l.Out(), "%d: can be stored on %s\n", seq, jets.SubjectEvents(letter.Kind.Name, letter.Instance))
	case stored:
		fmt.Fprintf(l.Out(), "%d: stored on %s; the dead letter is deleted\n", seq, jets.SubjectEvents(letter.Kind.Name, letter.Instance))
	default:
		fmt.Fprintf(l.Out(), "%d: was stored already on %s; the dead letter is deleted\n", seq, jets.SubjectEvents(letter.Kind.Name, letter.Instance))
	}
	return nil
}

// requeueProblem adds to a refused requeue's error what to do about it.
func requeueProblem(letter deadletters.DeadLetter, err error) error {
	hint := "" // empty: by remedies
	switch {
	case errors.Is(err, deadletters.ErrCut):
		err = fmt.Errorf("%w: %s of its %s bytes are kept", err, term.Number(uint64(letter.Kept)), term.Number(uint64(letter.Size)))
		hint = fmt.Sprintf("raise max_payload of the NATS server, then: signal-client audit --instance %s --since <before %s> --repair", letter.Instance, letter.Time.Format("2006-01-02"))
	case errors.Is(err, deadletters.ErrNoEvent):
		err = fmt.Errorf("%w (%s), and nothing identifies it", deadletters.ErrNoEvent, letter.Reason)
		hint = fmt.Sprintf("look at it (signal-client deadletter show %d), then: signal-client deadletter purge %d", letter.Seq, letter.Seq)
	case errors.Is(err, deadletters.ErrStillTooLarge), errors.Is(err, deadletters.ErrNotPassed), errors.Is(err, pipeline.ErrMakingUp), errors.Is(err, signals.ErrNoPosition):
	default:
		return err
	}
	return &problem.Error{Op: fmt.Sprintf("dead letter %d of %s is not requeued", letter.Seq, letter.Instance), Err: err, Hint: hint, Code: problem.Failed}
}
