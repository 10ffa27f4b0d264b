package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nuid"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/sink/republish"
)

const replayLong = `Output stored events again: on standard output, one event per line with Okta's own
bytes, or on a subject. The order is the stream's.

--since and --until select by when an event happened (its "published"), wherever it is
in the stream: events that a backfill stored later are found, too. The stream is read
from an hour before --since, by the server's clock; --to-seq ends it early. For an
event without a time, the time at which it was stored counts.

Names and patterns: * stands for any characters, ? for one, [ab] for one of these;
separate several by commas or repeat the flag. An actor is found by id, login
(alternateId) or displayName; an IP is the client's. An actor's name matches literally
and as a pattern; a comma before a space belongs to it ("Doe, Jane"), other commas do
within double quotes: --actor '"Doe,Jane",bob'. A filter looks only at its own member
of an event: if that is missing or not text, the event does not match.

--to publishes to a subject; {instance} in it is replaced by the event's instance. If a
stream takes the subject, it acknowledges each event; otherwise current subscribers get
them, and nothing stores them. A subject that leads back into SIGNALS is refused. The
messages have Signal-Replay: <id>, so that a rule need not fire twice, Signal-Subject
and Signal-Sequence, and their original headers.

Ctrl-C ends it and prints the command that continues. After a kill continue after the
last Signal-Sequence in the target, under the same --id: the target drops what it gets
twice within its duplicate window.

Examples:
  signal-client replay --instance acme --since 24h > acme.ndjson
  signal-client replay --instance 'acme-*' --type 'user.session.*' --outcome FAILURE --dry-run
  signal-client replay --actor jane@acme.com --ip 203.0.113.0/24 --since 7d | jq -r .eventType
  signal-client replay --since 2026-11-20 --until 2026-11-21 --to 'signals-replay.{instance}' --speed 10x`

type replayCommand struct {
	cli.CommandContext
	filter         filter
	pace           pace
	fromSeq, toSeq uint64
	limit          uint64
	to, id         string
	dryRun, json   bool

	cmd *cobra.Command
}

// New makes the command replay.
func New(p *cli.Program) *cobra.Command {
	r := &replayCommand{CommandContext: cli.CommandContext{Program: p}}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Output stored events again, on standard output or a subject",
		Long:  replayLong,
		RunE:  func(cmd *cobra.Command, _ []string) error { return r.run(cmd) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&r.filter.instances, "instance", nil, "`names` of the orgs, or patterns; default: all")
	f.Var(&r.filter.since, "since", "start of the span, by when events happened: an age or a time")
	f.Var(&r.filter.until, "until", "events that happened before this: an age or a time")
	f.Uint64Var(&r.fromSeq, "from-seq", 0, "first `sequence` of the stream; default: the first kept")
	f.Uint64Var(&r.toSeq, "to-seq", 0, "last `sequence`; default: the newest at the start")
	f.StringSliceVar(&r.filter.types, "type", nil, "event `types`, such as user.session.*")
	f.Var(&r.filter.actors, "actor", "`who` did it: id, login or display name, ignoring case")
	f.StringSliceVar(&r.filter.ips, "ip", nil, "client `addresses` or networks, such as 203.0.113.0/24")
	f.Var(&r.filter.outcomes, "outcome", "`results`, such as FAILURE, ignoring case")
	f.StringVar(&r.to, "to", "", "publish to this `subject`, such as signals-replay.{instance}")
	f.StringVar(&r.id, "id", "", "with --to: `id` of the replay, in the header Signal-Replay; default: a new one")
	f.Float64Var(&r.pace.rate, "rate", 0, "at most this many `events` per second")
	f.Var(&r.pace.speed, "speed", "replay in the original rhythm, this much `faster`: 1x, 10x")
	f.Uint64Var(&r.limit, "limit", 0, "end after this many `events`; 0: all")
	f.BoolVar(&r.dryRun, "dry-run", false, "only count events and bytes")
	f.BoolVar(&r.json, "json", false, "with --dry-run or --to: print the counts as one JSON document")
	_ = cmd.RegisterFlagCompletionFunc("instance", cli.CompleteInstances(0))
	return r.Connection(cmd)
}

func (r *replayCommand) run(cmd *cobra.Command) error {
	r.cmd = cmd
	if err := r.refuse(); err != nil {
		return err
	}
	r.id = cmp.Or(r.id, nuid.Next())
	store, done, err := r.Connect(cmd)
	if err != nil {
		return err
	}
	defer done()
	run := &replayRun{replayCommand: r, store: store, began: time.Now(), counts: newCounts()}
	if err := run.prepare(cmd.Context()); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // a reader may close its end: then a write fails, and the rest is skipped
	return run.Run(cmd.Context())
}

// refuse returns the problems of the flags, all at once.
func (r *replayCommand) refuse() error {
	var k problem.Checks
	now := time.Now()
	k.Add(!r.filter.since.IsZero() && !r.filter.until.IsZero() && !r.filter.since.At(now).Before(r.filter.until.At(now)),
		fmt.Sprintf("--since=%s --until=%s", &r.filter.since, &r.filter.until), "the second must be after the first", "--since=24h --until=1h")
	k.Add(r.toSeq != 0 && r.toSeq < r.fromSeq, fmt.Sprintf("--from-seq=%d --to-seq=%d", r.fromSeq, r.toSeq), "the second is before the first", "give them in the stream's order")
	k.Add(r.toSeq == 0 && r.cmd.Flags().Changed("to-seq"), "--to-seq=0", "sequences start at 1", "leave it out: the default is the newest")
	k.Add(!(r.pace.rate > 0) && r.cmd.Flags().Changed("rate"), fmt.Sprintf("--rate=%v", r.pace.rate), "it must be events per second, above 0", "--rate=1000, or leave it out for full speed")
	k.Add(r.pace.rate > 0 && r.pace.speed > 0, "--rate and --speed", "only one of them can set the pace", "leave one out")
	k.Add(r.to == "" && r.id != "", "--id without --to", "it is a header of published events", "--to=signals-replay.{instance}")
	k.Add(r.json && r.to == "" && !r.dryRun, "--json without --dry-run or --to", "standard output has the events, a JSON document each", "leave it out")
	k.Add(strings.ContainsFunc(r.id, func(c rune) bool { return c <= ' ' || c > '~' }) || len(r.id) > 64, fmt.Sprintf("--id=%q", r.id), "it is a header's value: up to 64 printable ASCII characters", "--id=incident-42")
	k.Errs = append(k.Errs, r.filter.prepare(now)...)
	return errors.Join(k.Errs...)
}

// publisher opens the target for some instances' events.
func (r *replayRun) publisher(ctx context.Context, instances []string) (*republish.Republisher, error) {
	to, err := republish.New(ctx, r.store.Conn, republish.Target{
		Subject: r.to, ID: r.id, Instances: instances,
		Done: r.done,
		Held: func(err error) { r.progress.Held(err) },
	})
	p := &problem.Error{Op: "replay to " + r.to, Err: err, Code: problem.BadUsage}
	switch {
	case errors.Is(err, republish.ErrSubject):
		p.Hint = "use --to 'signals-replay.{instance}', or any subject without wildcards"
	case errors.Is(err, republish.ErrOwnSubject):
		p.Hint = "replay to a subject of your own: --to 'signals-replay.{instance}'"
	case errors.Is(err, republish.ErrTarget):
		p.Hint = "let streams that acknowledge take all of its subjects (nats stream edit), or narrow it with --instance"
	default:
		return to, err
	}
	return nil, p
}
