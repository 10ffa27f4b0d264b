package scan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Target size of a partition, and the bounds of its width in sequences. A block of the
// server's store holds a few thousand events.
const (
	partitionEvents = 1024
	narrowest       = 2048
	widest          = 1 << 17
	partitionsAhead = 2  // per lane
	answersAhead    = 16 // buffered for a partition whose turn has not come; a full partition has about as many
)

// reading is one pass over a range.
type reading struct {
	conn *jets.Conn
	Range

	wanted  map[string]bool // selected subjects that the stream has
	filters []string        // subjects that the server filters by; none: it sends everything, and the lane filters
	share   float64         // share of the stream's messages that the server sends
	width   uint64          // of a partition
	created time.Time       // of the stream
	least   uint64          // events that exist at the beginning; 0: not known

	claiming   sync.Mutex
	next       uint64          // first sequence of the next partition
	partitions chan *partition // in order

	empty atomic.Uint64 // nothing is wanted from the last claimed partition up to here, exclusive
	first atomic.Uint64 // first sequence kept, as known

	telling sync.Mutex
	away    bool
	gone    bool // removed messages have been reported
}

// partition is a section of the range. Its lane sends what it finds, sets err, closes events.
type partition struct {
	from, through uint64
	events        chan []*Stored
	err           error
}

func newReading(conn *jets.Conn, r Range) *reading {
	if r.Lanes <= 0 {
		r.Lanes = defaultLanes
	}
	return &reading{conn: conn, Range: r, partitions: make(chan *partition, partitionsAhead*r.Lanes)}
}

func (r *reading) events(ctx context.Context) iter.Seq2[*Stored, error] {
	return func(yield func(*Stored, error) bool) {
		more := true
		err := r.run(ctx, func(e *Stored) bool {
			more = yield(e, nil)
			return more
		})
		if err != nil && more {
			yield(nil, err)
		}
	}
}

// run calls visit with each event until it returns false.
func (r *reading) run(ctx context.Context, visit func(*Stored) bool) error {
	err := r.begin(ctx)
	if err != nil || len(r.wanted) == 0 {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	reader.Go(func() { r.lanes(ctx) })
	var visited uint64
	for p := range r.partitions {
		for events := range p.events {
			for _, e := range events {
				if visited++; !visit(e) {
					return nil
				}
			}
		}
		if p.err != nil {
			return p.err
		}
		if r.Read != nil {
			r.Read(p.through)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := r.same(ctx); errors.Is(err, ErrOtherStream) {
		return err
	}
	if visited < r.least && !r.gone && r.Gone != nil { // a purge of a subject leaves no other trace
		r.Gone(r.From, r.Through)
	}
	return nil
}

func (r *reading) lanes(ctx context.Context) {
	defer close(r.partitions)
	var lanes sync.WaitGroup
	for range min(r.Lanes, 1+int((r.Through-r.From)/r.width)) {
		lanes.Go(func() { r.lane(ctx) })
	}
	lanes.Wait()
}

// begin determines the range to read. The leader decides where the stream ends.
func (r *reading) begin(ctx context.Context) error {
	i, err := r.look(ctx)
	if err != nil {
		return err
	}
	r.created = i.Created
	r.first.Store(i.State.FirstSeq)
	whole := r.From <= i.State.FirstSeq && r.Through == 0
	r.From = max(r.From, i.State.FirstSeq)
	if r.Through == 0 || r.Through > i.State.LastSeq {
		r.Through = i.State.LastSeq
	}
	if extent, err := r.conn.Extent(ctx); whole && err == nil && extent.First == i.State.FirstSeq && extent.Created.Equal(i.Created) {
		r.Through = extent.Last // read after the count, so that it is not before any counted event
		r.least = r.count(i.State)
	}
	if r.Begun != nil {
		r.Begun(r.From, r.Through)
	}
	if i.State.Msgs == 0 || r.From > r.Through {
		return nil
	}
	r.choose(i.State)
	r.width = widest
	if w := partitionEvents / max(r.share, 1e-9); w < widest {
		r.width = max(uint64(w), narrowest)
	}
	r.next = r.From
	return nil
}

// look requests the stream's state until NATS answers.
func (r *reading) look(ctx context.Context) (*jets.Info, error) {
	wait := RetryWait()
	for {
		var i jets.Info
		err := r.conn.Ask(ctx, "STREAM.INFO."+jets.StreamSignals, perInstance(r.Kind.Name), &i)
		if err == nil {
			return &i, nil
		}
		if !Passing(err) {
			return nil, fmt.Errorf("look up %s: %w", jets.StreamSignals, err)
		}
		if err := r.wait(ctx, err, &wait); err != nil {
			return nil, err
		}
	}
}

// A server filters by a few rare subjects faster than it sends everything.
const (
	fewSubjects = 8
	rareShare   = 0.25
)

func (r *reading) count(state jetstream.StreamState) (events uint64) {
	for subject, n := range state.Subjects {
		if instance := instanceOf(r.Kind.Name, subject); instance != "" && selects(r.Instances, instance) {
			events += n
		}
	}
	return events
}

// choose sets which subjects are wanted and which the server filters by.
func (r *reading) choose(state jetstream.StreamState) {
	r.wanted = map[string]bool{}
	for subject := range state.Subjects {
		if instance := instanceOf(r.Kind.Name, subject); instance != "" && selects(r.Instances, instance) {
			r.wanted[subject] = true
		}
	}
	r.share = float64(r.count(state)) / float64(max(state.Msgs, 1))
	if len(r.wanted) == 1 || len(r.wanted) <= fewSubjects && r.share < rareShare {
		r.filters = slices.Sorted(maps.Keys(r.wanted))
	} else {
		r.share = 1
	}
}

// selects reports whether one of the patterns matches the instance; none match all.
func selects(patterns []string, instance string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, instance); ok && err == nil {
			return true
		}
	}
	return len(patterns) == 0
}

// instanceOf returns the instance of an event's subject; empty for any other.
func instanceOf(kind, subject string) string {
	instance, ok := strings.CutPrefix(subject, jets.SubjectEvents(kind, ""))
	if !ok || strings.Contains(instance, ".") {
		return ""
	}
	return instance
}

// claim takes the next partition; nil: none is left.
func (r *reading) claim(ctx context.Context) *partition {
	r.claiming.Lock()
	defer r.claiming.Unlock()
	from := max(r.next, r.empty.Load())
	if from > r.Through || ctx.Err() != nil {
		return nil
	}
	p := &partition{from: from, through: min(from+r.width-1, r.Through), events: make(chan []*Stored, answersAhead)}
	select {
	case r.partitions <- p:
		r.next = p.through + 1
		return p
	case <-ctx.Done():
		return nil
	}
}

// skip records that nothing is wanted before to, from a claimed partition on.
func (r *reading) skip(to uint64) {
	for {
		known := r.empty.Load()
		if to <= known || r.empty.CompareAndSwap(known, to) {
			return
		}
	}
}

// wait waits until the connection is up and the next try is due; it reports once that
// NATS is away. It fails if another stream has replaced the one being read.
func (r *reading) wait(ctx context.Context, err error, backoff *pipeline.Backoff) error {
	r.tell(err)
	if err := SleepUntilUp(ctx, r.conn, backoff.Next()); err != nil {
		return err
	}
	if r.created.IsZero() {
		return nil
	}
	if err := r.same(ctx); err != nil && !Passing(err) {
		return err
	}
	return nil // a temporary error fails the next try in the same way, which then waits longer
}

// same checks that the stream is still the one that begin found.
func (r *reading) same(ctx context.Context) error {
	extent, err := r.conn.Extent(ctx)
	if err == nil && (!extent.Created.Equal(r.created) || extent.Last < r.Through) {
		return ErrOtherStream
	}
	return err
}

// tell reports that NATS is away, or with nil that it is back, once each.
func (r *reading) tell(err error) {
	r.telling.Lock()
	defer r.telling.Unlock()
	if (err != nil) == r.away {
		return
	}
	r.away = err != nil
	if r.Away != nil {
		r.Away(err)
	}
}

// ErrOtherStream: the stream was created again, or restored, while it was being read.
var ErrOtherStream = errors.New("the stream was created again or restored from a backup while it was being read")
