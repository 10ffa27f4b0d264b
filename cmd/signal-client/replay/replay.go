package replay

import (
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

const replayLong = `Bring stored events again: to standard output, one event a line with Okta's own
bytes, or to a subject. The order is the stream's.

--since and --until mean when an event happened (its "published"), wherever the
event stands: one that a backfill stored later is found too. The stream is read
from an hour before --since, by the server's clock; --to-seq ends it early. Where
an event does not say when it happened, the time at which it was stored counts.

Names and patterns: * stands for any characters, ? for one, [ab] for one of these;
several go with commas or with the flag repeated. An actor is found by id, login
(alternateId) or displayName; an IP is that of the client. A name of an actor is
looked for as it is written, and as a pattern; a comma before a space belongs to it
("Doe, Jane"), others do between double quotes: --actor '"Doe,Jane",bob'. A filter
looks at its own member of an event alone: one that is missing, or no text, does
not match.

--to publishes to a subject; {instance} in it stands for the event's instance. A
stream that takes it acknowledges each event; without one they go to whoever listens
now, and nothing keeps them. What leads back into SIGNALS is refused. The messages
carry Signal-Replay: <id>, so that a rule need not fire twice, Signal-Subject and
Signal-Sequence, and their first headers.

Ctrl-C ends it and prints the command to go on with. After a kill go on behind
the last Signal-Sequence in the target, under the same --id: what the target gets
twice within its duplicate window it drops.

Examples:
  signal-client replay --instance acme --since 24h > acme.ndjson
  signal-client replay --instance 'acme-*' --type 'user.session.*' --outcome FAILURE --dry-run
  signal-client replay --actor jane@acme.com --ip 203.0.113.0/24 --since 7d | jq -r .eventType
  signal-client replay --since 2026-11-20 --until 2026-11-21 --to 'signals-replay.{instance}' --speed 10x`

// replayer is the command replay.
type replayer struct {
	cli.CommandContext
	pick           filter
	tempo          pace
	fromSeq, toSeq uint64
	limit          uint64
	to, id         string
	dryRun, json   bool

	cmd *cobra.Command
}

func New(p *cli.Program) *cobra.Command {
	r := &replayer{CommandContext: cli.CommandContext{Program: p}}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Bring stored events again, to standard output or a subject",
		Long:  replayLong,
		RunE:  func(cmd *cobra.Command, _ []string) error { return r.run(cmd) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&r.pick.instances, "instance", nil, "`names` of the orgs, or patterns; default: all")
	f.Var(&r.pick.since, "since", "start of the span, by when events happened: an age or a time")
	f.Var(&r.pick.until, "until", "and before this one")
	f.Uint64Var(&r.fromSeq, "from-seq", 0, "first `sequence` of the stream; default: the first kept")
	f.Uint64Var(&r.toSeq, "to-seq", 0, "last `sequence`; default: the newest at the start")
	f.StringSliceVar(&r.pick.types, "type", nil, "event `types`, such as user.session.*")
	f.Var(&r.pick.actors, "actor", "`who` did it: id, login or display name, in any case")
	f.StringSliceVar(&r.pick.ips, "ip", nil, "client `addresses` or networks, such as 203.0.113.0/24")
	f.Var(&r.pick.outcomes, "outcome", "`results`, such as FAILURE, in any case")
	f.StringVar(&r.to, "to", "", "publish to this `subject`, such as signals-replay.{instance}")
	f.StringVar(&r.id, "id", "", "with --to: `id` of the replay, in the header Signal-Replay; default: a new one")
	f.Float64Var(&r.tempo.rate, "rate", 0, "at most so many `events` a second")
	f.Var(&r.tempo.speed, "speed", "the rhythm in which they happened, so much `faster`: 1x, 10x")
	f.Uint64Var(&r.limit, "limit", 0, "end after so many `events`; 0: all")
	f.BoolVar(&r.dryRun, "dry-run", false, "count events and bytes only")
	f.BoolVar(&r.json, "json", false, "with --dry-run or --to: print the counts as one JSON document")
	_ = cmd.RegisterFlagCompletionFunc("instance", cli.CompleteInstances(0))
	return r.Connection(cmd)
}

func (r *replayer) run(cmd *cobra.Command) error {
	r.cmd = cmd
	if err := r.refuse(); err != nil {
		return err
	}
	if r.id == "" {
		r.id = nuid.Next()
	}
	store, done, err := r.Connect(cmd)
	if err != nil {
		return err
	}
	defer done()
	run := &replayRun{replayer: r, store: store, began: time.Now(), counts: newCounts()}
	if err := run.prepare(cmd.Context()); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // whoever reads may stop: a write then fails, and the rest is left
	return run.Run(cmd.Context())
}

// refuse refuses what can't be meant, all at once.
func (r *replayer) refuse() error {
	var k problem.Checks
	now := time.Now()
	k.Add(!r.pick.since.IsZero() && !r.pick.until.IsZero() && !r.pick.since.At(now).Before(r.pick.until.At(now)),
		fmt.Sprintf("--since=%s --until=%s", &r.pick.since, &r.pick.until), "the second is not after the first", "--since=24h --until=1h")
	k.Add(r.toSeq != 0 && r.toSeq < r.fromSeq, fmt.Sprintf("--from-seq=%d --to-seq=%d", r.fromSeq, r.toSeq), "the second lies before the first", "give them in the stream's order")
	k.Add(r.toSeq == 0 && r.cmd.Flags().Changed("to-seq"), "--to-seq=0", "sequences begin at 1", "leave it out, for all up to the newest")
	k.Add(!(r.tempo.rate > 0) && r.cmd.Flags().Changed("rate"), fmt.Sprintf("--rate=%v", r.tempo.rate), "it is events a second, above 0", "--rate=1000, or leave it out, for as fast as it goes")
	k.Add(r.tempo.rate > 0 && r.tempo.speed > 0, "--rate and --speed", "the one sets the pace, or the other", "leave one out")
	k.Add(r.to == "" && r.id != "", "--id without --to", "it is a header of what is published", "--to=signals-replay.{instance}")
	k.Add(r.json && r.to == "" && !r.dryRun, "--json without --dry-run or --to", "standard output has the events, a JSON document each", "leave it out")
	k.Add(strings.ContainsFunc(r.id, func(c rune) bool { return c <= ' ' || c > '~' }) || len(r.id) > 64, fmt.Sprintf("--id=%q", r.id), "it is a header's value: up to 64 visible characters of ASCII", "--id=incident-42")
	k.Errs = append(k.Errs, r.pick.prepare(now)...)
	return errors.Join(k.Errs...)
}

// publisher opens the target of some instances' events.
func (r *replayRun) publisher(ctx context.Context, instances []string) (*republish.Republisher, error) {
	to, err := republish.New(ctx, r.store.Conn, republish.Target{
		Subject: r.to, ID: r.id, Instances: instances,
		Held: func(err error) { r.progress.Held(err) },
	})
	p := &problem.Error{Op: "replay to " + r.to, Err: err, Code: problem.BadUsage}
	switch {
	case errors.Is(err, republish.ErrSubject):
		p.Hint = "--to 'signals-replay.{instance}', or any subject without wildcards"
	case errors.Is(err, republish.ErrOwnSubject):
		p.Hint = "replay to a subject of its own: --to 'signals-replay.{instance}'"
	case errors.Is(err, republish.ErrTarget):
		p.Hint = "have streams that acknowledge take all of it (nats stream edit), or choose with --instance"
	default:
		return to, err
	}
	return nil, p
}
