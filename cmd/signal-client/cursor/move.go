package cursor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/signals"
)

const cursorRewindLong = `Go back to an earlier position, so that the org serves again what it has logged since:
for events that it made visible late, or that were deleted from the stream by mistake.

Events that are served again are compared with the stored ones by uuid: none is stored
twice, and missing ones are stored. That holds through crashes, takeovers and a second
poller. A running service goes back at once, otherwise the next one does.

--to a time serves again everything that Okta logged after it; because Okta may log
an event up to an hour after it happened, it usually goes back one hour more.
--to a sequence goes to the newest position at or before it.

It is refused while an earlier rewind or reopening is unfinished; --force abandons
that one. It asks for confirmation; without a terminal it needs --yes.

Examples:
  signal-client cursor rewind acme --to 2h --dry-run
  signal-client cursor rewind acme --to 2026-11-22T08:00:00Z --note "CHG-1204"
  signal-client cursor rewind acme --to 1000212 --yes`

const cursorReopenLong = `Start a new query at a time, with the org's filter and limit: when Okta no longer
accepts earlier positions, because their links are too old (the service mostly does
that by itself), or when no position that far back is kept.

Events that are served again are compared with the stored ones by uuid: none is stored
twice. Okta keeps 90 days. A time after the newest event would leave events out: it is
refused, as it is while an earlier rewind or reopening is unfinished, unless --force
is given. It asks for confirmation; without a terminal it needs --yes.

Examples:
  signal-client cursor reopen acme --since 3d --dry-run
  signal-client cursor reopen acme --since 2026-11-20T00:00:00Z --yes`

type moveCommand struct {
	cursorCommand
	cli.Confirmation
	force bool
	note  string
}

func newMoveCommand(p *cli.Program) *moveCommand {
	return &moveCommand{cursorCommand: cursorCommand{CommandContext: cli.CommandContext{Program: p}}, Confirmation: cli.Confirmation{In: os.Stdin}}
}

func (m *moveCommand) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&m.note, "note", "", "reason, in a few words; kept with the position")
	cmd.Flags().BoolVar(&m.force, "force", false, "override: abandon an unfinished rewind, or accept a gap")
	m.Confirmation.Flags(cmd)
	return m.cursorCommand.flags(cmd)
}

func newCursorRewind(p *cli.Program) *cobra.Command {
	m := newMoveCommand(p)
	var to string
	cmd := &cobra.Command{
		Use:   "rewind <name> --to <time or sequence>",
		Short: "Go back, so that the org serves again what it has logged since",
		Long:  cursorRewindLong,
		RunE: func(cmd *cobra.Command, args []string) error {
			mark, err := markOf(to, time.Now())
			if err != nil {
				return err
			}
			return m.run(cmd, args, "rewind", func(ctx context.Context, o *signals.Operator, sure func(signals.Move) error) (signals.Move, error) {
				return o.Rewind(ctx, mark, m.force, sure)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "how far back: an age, a `time`, or a sequence of SIGNALS")
	return m.flags(cmd)
}

// markOf parses how far a rewind goes back.
func markOf(to string, now time.Time) (signals.Mark, error) {
	if to == "" {
		return signals.Mark{}, problem.Usage("--to is missing", "it is how far to go back", "--to 2h, or a sequence from: signal-client cursor history <name>")
	}
	if seq, err := strconv.ParseUint(to, 10, 64); err == nil && seq > 0 {
		return signals.Mark{Seq: seq}, nil
	}
	var m cli.TimeFlag
	if err := m.Set(to); err != nil {
		return signals.Mark{}, problem.Usage("--to="+to, err.Error()+", or a sequence", "--to 2h")
	}
	return signals.Mark{Time: m.At(now)}, nil
}

func newCursorReopen(p *cli.Program) *cobra.Command {
	m := newMoveCommand(p)
	var since cli.TimeFlag
	cmd := &cobra.Command{
		Use:   "reopen <name> --since <time>",
		Short: "Start a new query at a time",
		Long:  cursorReopenLong,
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			switch {
			case since.IsZero():
				return problem.Usage("--since is missing", "it is where the new query starts", "--since 3d")
			case since.At(now).After(now):
				return problem.Usage("--since="+since.Text, "it is in the future", "--since 3d")
			}
			return m.run(cmd, args, "reopen", func(ctx context.Context, o *signals.Operator, sure func(signals.Move) error) (signals.Move, error) {
				i, err := m.Integration(ctx, o.Store)
				if err != nil {
					return signals.Move{}, err
				}
				return o.Reopen(ctx, orgs.QueryOf(i, nil), since.At(now), m.force, sure)
			})
		},
	}
	cmd.Flags().Var(&since, "since", "start of the query: an age or a time")
	return m.flags(cmd)
}

// run makes a move: it shows what will happen, asks, and prints the result.
func (m *moveCommand) run(cmd *cobra.Command, args []string, verb string, move func(context.Context, *signals.Operator, func(signals.Move) error) (signals.Move, error)) error {
	if err := m.Possible("cursor " + verb); err != nil {
		return err
	}
	o, done, err := m.operator(cmd, args)
	if err != nil {
		return err
	}
	defer done()
	o.By, o.Note = cli.Whoami(), m.note
	made, err := move(cmd.Context(), o, func(planned signals.Move) error {
		return m.ask(cmd.Context(), planned, verb)
	})
	switch {
	case errors.Is(err, cli.ErrDry):
		return nil
	case err != nil:
		return m.moveProblem(cmd.Context(), o.Store, verb, made, err)
	case m.json:
		return term.WriteJSON(m.Out(), moveJSON(m.Instance, made, false))
	}
	fmt.Fprintf(m.Err(), "Position %d (%s) is written: %s continues from there. Follow it with: signal-client cursor show %s\n",
		made.Next.Seq, made.Next.Why, m.Instance, m.Instance)
	return nil
}

// ask shows what will happen, and asks for confirmation.
func (m *moveCommand) ask(ctx context.Context, planned signals.Move, verb string) error {
	if m.Dry && m.json {
		if err := term.WriteJSON(m.Out(), moveJSON(m.Instance, planned, true)); err != nil {
			return err
		}
		return cli.ErrDry
	}
	to := m.Err()
	if m.Dry {
		to = m.Out()
	}
	m.explain(to, planned)
	if m.Dry {
		return cli.ErrDry
	}
	return m.Confirm(ctx, to, fmt.Sprintf("%s %s?", map[string]string{"rewind": "Rewind", "reopen": "Reopen"}[verb], m.Instance), "moved")
}

func (m *moveCommand) explain(to term.Screen, planned signals.Move) {
	now := time.Now()
	line := func(format string, args ...any) { fmt.Fprintln(to, term.Printable(fmt.Sprintf(format, args...))) }
	from, target := planned.From, planned.Target
	line("%s is at position %d (%s), written %s; it is complete through %s.",
		m.Instance, from.Seq, from.Why, term.Relative(from.At, now), from.CompleteThrough.UTC().Format(time.RFC3339))
	if target.Seq > 0 {
		line("It goes back to position %d (%s), written %s, %s. No event read up to that position was published after %s.",
			target.Seq, target.Why, target.At.UTC().Format(time.RFC3339), term.Relative(target.At, now), target.PublishedMax.UTC().Format(time.RFC3339))
	} else {
		line("It starts a new query: %s", planned.Next.Link)
	}
	line("Events that Okta serves again are compared with the %s stored since sequence %d: none is stored twice, and missing ones are stored.",
		term.Count(int(planned.Again), "event"), planned.Next.DedupeFrom)
	if requests := planned.Again/uint64(m.Kind.PageSize(planned.Next.Link)) + 1; requests > 1 {
		line("That takes about %s of the org's budget.", term.Count(int(requests), "request"))
	}
	if from.Query != planned.Next.Query {
		line("The filter or limit has changed since: the poller reopens its query from there.")
	}
	if from.DedupeFrom != 0 {
		line("The unfinished rewind or reopening of position %d (dedupe_from %d) is abandoned where its events are not served again.", from.Seq, from.DedupeFrom)
	}
	if planned.Since.After(from.PublishedMax) {
		line("Events from %s to %s are left out, although the watermark will pass them.",
			from.PublishedMax.UTC().Format(time.RFC3339), planned.Since.Format(time.RFC3339))
	}
}

// moveJSON is the output of a move with --json.
func moveJSON(instance string, m signals.Move, dry bool) any {
	doc := struct {
		Instance string          `json:"instance"`
		DryRun   bool            `json:"dry_run"`
		From     json.RawMessage `json:"from"`
		Target   json.RawMessage `json:"target,omitempty"` // of a rewind
		Position json.RawMessage `json:"position"`         // as written; its sequence is 0 if it was not written
		Events   uint64          `json:"events"`           // stored events that are compared
	}{instance, dry, stepJSON(m.From), nil, stepJSON(signals.Step{Position: m.Next}), m.Again}
	if m.Target.Seq > 0 {
		doc.Target = stepJSON(m.Target)
	}
	return doc
}

// moveProblem adds to a refused move's error what to do about it.
func (m *moveCommand) moveProblem(ctx context.Context, store *jets.Store, verb string, at signals.Move, err error) error {
	op, name := verb+" "+m.Instance, m.Instance
	switch {
	case errors.Is(err, pipeline.ErrMakingUp):
		return &problem.Error{Op: op, Code: problem.Failed, Err: fmt.Errorf("an earlier rewind or reopening is unfinished: position %d has dedupe_from %d", at.From.Seq, at.From.DedupeFrom),
			Hint: fmt.Sprintf("wait until signal-client cursor show %s says dedupe from 0; or use --force, which abandons it", name)}
	case errors.Is(err, signals.ErrNoTarget) && at.Target.Seq > 0:
		return &problem.Error{Op: op, Code: problem.Failed, Err: fmt.Errorf("the oldest position of this org that is kept is %d, written %s", at.Target.Seq, at.Target.At.UTC().Format(time.RFC3339)),
			Hint: fmt.Sprintf("signal-client cursor reopen %s --since <time>", name)}
	case errors.Is(err, signals.ErrNothingAfter):
		return &problem.Error{Op: op, Code: problem.Failed, Err: fmt.Errorf("it is there already: nothing was stored after position %d", at.Target.Seq),
			Hint: "use an earlier --to; for events that Okta made visible late: signal-client audit --instance " + name + " --repair"}
	case errors.Is(err, signals.ErrGap), errors.Is(err, signals.ErrOtherQuery), errors.Is(err, signals.ErrMovedOn):
		return &problem.Error{Op: op, Err: err}
	}
	return m.problem(ctx, store, verb, err)
}

// problem adds to the error of an org without a position what to do about it.
func (c *cursorCommand) problem(ctx context.Context, store *jets.Store, act string, err error) error {
	if !errors.Is(err, signals.ErrNoPosition) || errors.Is(err, signals.ErrPurged) {
		return err
	}
	if unknown := c.Unknown(ctx, store, c.Instance); unknown != nil {
		return unknown
	}
	return &problem.Error{Op: act + " " + c.Instance, Err: fmt.Errorf("%w on %s: it was never polled", signals.ErrNoPosition, jets.SubjectPosition(c.Kind.Name, c.Instance)),
		Hint: "is it enabled, and does the service run? look: signal-client status", Code: problem.Failed}
}
