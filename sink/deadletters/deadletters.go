// Package deadletters reads, deletes and requeues the page elements that could not be
// published, in the stream DEADLETTER.
//
// Package signals writes them, along with their page.
//
// Start reading at [DeadLetters.All] and [DeadLetters.Requeue].
package deadletters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/signals"
)

// DeadLetters reads the elements in DEADLETTER. It is safe for concurrent use.
type DeadLetters struct{ Store *jets.Store }

// DeadLetter is an element of a page that could not be published.
type DeadLetter struct {
	Seq      uint64         // in DEADLETTER
	Kind     *pipeline.Kind // of the instance; nil: of none that the store has
	Instance string
	Time     time.Time     // when it was kept
	Reason   pipeline.Flaw // empty: no signal-client wrote the message
	Size     int           // bytes of the element
	Kept     int           // bytes that are kept: fewer if it was cut to the server's limit
	Link     pipeline.Link // the link that served it
	Header   nats.Header
	Data     []byte // nil: not requested
}

// Cut reports whether the end of the element is missing.
func (l DeadLetter) Cut() bool { return l.Kept < l.Size }

func (d *DeadLetters) letterOf(subject string, h nats.Header, seq uint64, at time.Time, data []byte) DeadLetter {
	kind, instance := d.Store.InstanceOf(strings.TrimPrefix(subject, prefix))
	l := DeadLetter{Seq: seq, Kind: kind, Instance: cmp.Or(instance, subject), Time: at.UTC(), Header: h, Data: data,
		Reason: pipeline.Flaw(jets.First(h, signals.HeaderReason)), Link: pipeline.Link(jets.First(h, signals.HeaderCursor)), Kept: len(data)}
	if kept, err := strconv.Atoi(jets.First(h, headerMsgSize)); err == nil { // headers only
		l.Kept = kept
	}
	l.Size = l.Kept
	if size, err := strconv.Atoi(jets.First(h, signals.HeaderSize)); err == nil {
		l.Size = size
	}
	return l
}

// prefix begins the subjects of dead letters; an instance's key follows.
const prefix = "deadletter."

// subjects returns the subjects of an instance's dead letters, by kind; empty: of all.
func subjects(store *jets.Store, instance string) []string {
	var all []string
	for _, kind := range store.Kinds {
		all = append(all, jets.SubjectDeadLetter(kind.Name, cmp.Or(instance, "*")))
	}
	return all
}

// headerMsgSize is the size of a message whose data was not requested.
const headerMsgSize = "Nats-Msg-Size"

// All yields the dead letters that exist when it begins, the oldest first: those of an
// instance (empty: of all) kept since a time (zero: all). headers: without their data.
func (d *DeadLetters) All(ctx context.Context, instance string, since time.Time, headers bool) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		config := jetstream.OrderedConsumerConfig{FilterSubjects: subjects(d.Store, instance), HeadersOnly: headers, InactiveThreshold: time.Minute}
		if !since.IsZero() {
			config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
		}
		if err := d.read(ctx, config, func(l DeadLetter) bool { return yield(l, nil) }); err != nil {
			yield(DeadLetter{}, fmt.Errorf("read %s: %w", jets.StreamDeadLetter, err))
		}
	}
}

func (d *DeadLetters) read(ctx context.Context, config jetstream.OrderedConsumerConfig, visit func(DeadLetter) bool) error {
	ctx, done := d.Store.Conn.Epoch(ctx)
	defer done()
	consumer, err := d.Store.Conn.JS.OrderedConsumer(ctx, jets.StreamDeadLetter, config)
	if err != nil {
		return jets.Cause(ctx, err)
	}
	pending := consumer.CachedInfo().NumPending
	if pending == 0 {
		return nil
	}
	msgs, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer msgs.Stop()
	for through := uint64(0); through == 0 || pending > 0; {
		m, meta, err := jets.NextOf(ctx, msgs)
		if err != nil {
			return err
		}
		through, pending = meta.Sequence.Stream, min(pending-1, meta.NumPending) // without those that arrive meanwhile
		if !visit(d.letterOf(m.Subject(), m.Headers(), through, meta.Timestamp, m.Data())) {
			return nil
		}
	}
	return nil
}

// Get reads one dead letter. It returns ErrNoMessage if there is none at seq.
func (d *DeadLetters) Get(ctx context.Context, seq uint64) (DeadLetter, error) {
	m, err := d.Store.Conn.At(ctx, jets.StreamDeadLetter, seq)
	if err != nil {
		return DeadLetter{}, err
	}
	return d.letterOf(m.Subject, m.Header, m.Seq, m.Time, m.Data), nil
}

// Delete deletes one dead letter. Deleting a missing one is no error.
func (d *DeadLetters) Delete(ctx context.Context, seq uint64) error {
	err := d.Store.Conn.Ask(ctx, "STREAM.MSG.DELETE."+jets.StreamDeadLetter, map[string]any{"seq": seq, "no_erase": true}, &struct{}{})
	if err == nil {
		return nil
	}
	if _, e := d.Get(ctx, seq); errors.Is(e, jets.ErrNoMessage) { // the server reports that with several errors
		return nil
	}
	return fmt.Errorf("delete dead letter %d: %w", seq, err)
}

// Purge deletes all dead letters of an instance up to and including a sequence.
func (d *DeadLetters) Purge(ctx context.Context, instance string, through uint64) error {
	for _, subject := range subjects(d.Store, instance) {
		err := d.Store.Conn.Ask(ctx, "STREAM.PURGE."+jets.StreamDeadLetter,
			map[string]any{"filter": subject, "seq": through + 1}, &struct{}{})
		if err != nil {
			return fmt.Errorf("purge dead letters of %s: %w", instance, err)
		}
	}
	return nil
}

// Count counts the dead letters in DEADLETTER, by instance.
func Count(ctx context.Context, store *jets.Store) (map[string]uint64, error) {
	var found jets.Info
	err := store.Conn.Ask(ctx, "STREAM.INFO."+jets.StreamDeadLetter, map[string]any{"subjects_filter": prefix + "*.*"}, &found)
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	waiting := map[string]uint64{}
	for subject, n := range found.State.Subjects {
		if kind, instance := store.InstanceOf(strings.TrimPrefix(subject, prefix)); kind != nil {
			waiting[instance] += n
		}
	}
	return waiting, nil
}
