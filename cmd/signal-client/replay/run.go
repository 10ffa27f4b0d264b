package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/republish"
	"github.com/witfoo/signal-client/sink/scan"
)

// aheadOfTime is how far before --since the stream is read: an event's own time may be
// later than its storing by as much as two clocks differ.
const aheadOfTime = time.Hour

type replayRun struct {
	*replayCommand
	store    *jets.Store
	out      replayOut
	target   *republish.Republisher // nil: standard output
	progress *replayProgress
	counts   *counts
	began    time.Time

	brought       uint64 // events replayed
	from, through uint64 // actual range
	next          uint64 // the sequence to continue from
}

// replayOut is the destination of events. It reports to done, in order, which have arrived.
type replayOut interface {
	// Publish accepts an event, even when it returns an error.
	Publish(ctx context.Context, e *scan.Stored) error
	// Flush returns when all events have reached their destination.
	Flush(ctx context.Context) error
	// Waiting returns the sequence of the first event that may not have; 0: all have.
	Waiting() uint64
}

// prepare determines the destination and the range of the stream.
func (r *replayRun) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cli.VisitTime)
	defer cancel()
	known, err := scan.Instances(ctx, r.store)
	if err != nil {
		return err
	}
	if err := r.refuseUnknown(ctx, known); err != nil {
		return err
	}
	if r.to != "" {
		if r.target, err = r.publisher(ctx, r.selected(known)); err != nil {
			return err
		}
		if len(r.target.Streams) == 0 {
			fmt.Fprintf(r.Err(), "No stream takes %[1]s: only current subscribers get the events. To keep them: nats stream add REPLAY --subjects '%[1]s' --defaults\n",
				strings.ReplaceAll(r.to, republish.InstanceMark, "*"))
		}
	}
	switch {
	case r.dryRun:
		r.out, r.target = nowhere{r.done}, nil // the target was only checked
	case r.to != "":
		r.out = r.target
	default:
		r.out = &lines{w: r.Out(), done: r.done}
	}
	if r.filter.from.IsZero() {
		return nil
	}
	seq, err := scan.SequenceAt(ctx, r.store.Conn, r.filter.from.Add(-aheadOfTime))
	if err != nil {
		return fmt.Errorf("find where %s begins: %w", r.filter.from.Format(time.RFC3339), err)
	}
	r.fromSeq = max(r.fromSeq, seq)
	return nil
}

// refuseUnknown refuses a name that is no org's, and notes other names without events.
func (r *replayRun) refuseUnknown(ctx context.Context, known map[string]uint64) error {
	names := slices.Sorted(maps.Keys(known))
	for _, wanted := range r.filter.instances {
		if slices.ContainsFunc(names, func(name string) bool { ok, _ := path.Match(wanted, name); return ok }) {
			continue
		}
		if err := r.Unknown(ctx, r.store, wanted); err != nil && !strings.ContainsAny(wanted, `*?[\`) {
			return err
		}
		note := fmt.Sprintf("%s has no event of %s", jets.StreamSignals, wanted)
		if near := problem.Nearest(wanted, names); near != "" {
			note += "; did you mean " + near + "?"
		}
		fmt.Fprintln(r.Err(), term.Printable(note))
	}
	return nil
}

// selected returns the instances whose events are replayed.
func (r *replayRun) selected(known map[string]uint64) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(known)), func(name string) bool {
		return len(r.filter.instances) > 0 && !cli.Matches(r.filter.instances, name)
	})
}

// Run replays the events and prints the result.
func (r *replayRun) Run(ctx context.Context) error {
	r.progress = newReplayProgress(r.Err(), r.Out().Terminal && r.to == "" && !r.dryRun, r.verb())
	stop := r.progress.Start()
	err := r.bring(ctx)
	if err == nil {
		err = r.out.Flush(ctx) // however slow the target is
	}
	if err != nil {
		err = r.flushRest(ctx, err)
	}
	if waiting := r.out.Waiting(); waiting > 0 {
		r.next = waiting
	}
	stop()
	if errors.Is(err, problem.BrokenPipe) {
		return nil // the reader has closed its end
	}
	done := err == nil && (r.limit == 0 || r.counts.total.Events < r.limit)
	if said := r.report(done); err == nil {
		err = said
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, republish.ErrRefused) {
		return &problem.Error{Op: "replay to " + r.to, Err: err}
	}
	return err
}

// flushGrace is how long an interrupted replay waits for pending acks.
const flushGrace = 5 * time.Second

// flushRest waits a moment longer for pending acks after an error, so that those events
// need not be replayed again. It returns the replay's result.
func (r *replayRun) flushRest(ctx context.Context, err error) error {
	if errors.Is(err, republish.ErrRefused) {
		return err
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushGrace)
	defer cancel()
	if flushed := r.out.Flush(end); flushed != nil && ctx.Err() != nil {
		return flushed
	}
	return err
}

func (r *replayRun) bring(ctx context.Context) error {
	all := scan.Range{
		Kind: kinds.Default, Instances: r.filter.instances, From: r.fromSeq, Through: r.toSeq,
		Begun: func(from, through uint64) {
			r.from, r.through, r.next = from, through, from
			r.progress.Begun(from, through)
		},
		Read: func(through uint64) {
			r.next = through + 1
			r.progress.Read(through)
		},
		Away: r.progress.Away, Gone: r.progress.Gone,
	}
	for e, err := range scan.Events(ctx, r.store.Conn, all) {
		if err != nil {
			return err
		}
		if r.filter.Takes(e) {
			if err := r.bringOne(ctx, e); err != nil {
				return err
			}
		}
		r.next = e.Seq + 1
		r.progress.Read(e.Seq)
		if r.limit > 0 && r.brought == r.limit {
			return nil
		}
	}
	return nil
}

func (r *replayRun) bringOne(ctx context.Context, e *scan.Stored) error {
	if wait := r.pace.Wait(happened(e), time.Now()); wait > 0 && !r.dryRun {
		if wait > time.Millisecond {
			if err := r.out.Flush(ctx); err != nil {
				return err
			}
		}
		if err := pipeline.Sleep(ctx, wait); err != nil {
			return err
		}
	}
	r.brought++
	r.next = e.Seq + 1
	return r.out.Publish(ctx, e)
}

// done counts an event that has reached its destination, as all before it have.
func (r *replayRun) done(e *scan.Stored) {
	r.counts.Add(e, happened(e))
	r.progress.Event(len(e.Data))
}

func (r *replayRun) verb() string {
	switch {
	case r.dryRun:
		return "counted"
	case r.to != "":
		return "published"
	}
	return "written"
}

// report prints the result, and, if the replay is not complete, how to continue.
func (r *replayRun) report(done bool) error {
	if r.from <= r.through && r.fromSeq > 0 && r.fromSeq < r.from {
		fmt.Fprintf(r.Err(), "%s starts at sequence %d: earlier events are gone\n", jets.StreamSignals, r.from)
	}
	var err error
	switch {
	case r.json:
		err = term.WriteJSON(r.Out(), r.summary(done))
	case r.dryRun:
		err = r.counts.Print(r.Out())
	}
	took := time.Since(r.began)
	t := r.counts.total
	line := fmt.Sprintf("%s %s, %s, in %s", term.Count(int(t.Events), "event"), r.verb(), humanize.IBytes(t.Bytes), term.Span(took))
	if t.Events > 0 && took > 0 && !r.dryRun {
		line += fmt.Sprintf(" (%s/s)", term.Number(uint64(float64(t.Events)/took.Seconds())))
	}
	if r.target != nil {
		line += ", to " + r.to
		if len(r.target.Streams) > 0 {
			line += " in " + strings.Join(r.target.Streams, ", ")
		} else {
			line += " (no stream stores them)"
		}
		line += ", " + "Signal-Replay: " + r.id
	}
	if !r.json && !(r.dryRun && done) {
		fmt.Fprintln(r.Err(), line)
	}
	if l, ok := r.out.(*lines); ok && l.cut {
		fmt.Fprintln(r.Err(), "The last line is incomplete: remove it before continuing (sed -i '$d' <file>)")
	}
	if !done && r.next > 0 && r.next <= r.through && !r.dryRun {
		command, besides := r.again()
		fmt.Fprintf(r.Err(), "Continue from sequence %d%s:\n  %s\n", r.next, besides, command)
		if r.target != nil && r.target.StoredBeyond() > 0 {
			fmt.Fprintf(r.Err(), "It repeats %s that are stored already: the stream drops them within its duplicate window (2 minutes unless set)\n",
				term.Count(r.target.StoredBeyond(), "event"))
		}
	}
	return err
}

// replaySummary is the output of --json.
type replaySummary struct {
	counted
	From      uint64    `json:"from_seq"`
	Through   uint64    `json:"to_seq"`
	Next      uint64    `json:"next_seq"` // to continue from; 0: complete
	Replay    string    `json:"replay,omitempty"`
	To        string    `json:"to,omitempty"`
	Streams   []string  `json:"streams,omitempty"`
	Seconds   float64   `json:"seconds"`
	Instances []counted `json:"instances"`
}

func (r *replayRun) summary(done bool) replaySummary {
	s := replaySummary{
		counted: r.counts.total, From: r.from, Through: r.through, Seconds: time.Since(r.began).Seconds(),
		Instances: r.counts.Each(),
	}
	if !done && r.next <= r.through {
		s.Next = r.next
	}
	if r.target != nil {
		s.Replay, s.To, s.Streams = r.id, r.to, r.target.Streams
	}
	return s
}
