package signals

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
	"github.com/witfoo/signal-client/sink/jets"
)

// Ledger implements pipeline.Ledger on the stream, for an audit beside the process that
// polls. Like an Operator it only continues from an existing position.
type Ledger struct {
	Store    *jets.Store
	Instance string
	Source   string // ce-source of stored events; empty: that of the newest event, else the origin
}

var _ audit.Ledger = (*Ledger)(nil)

// attach returns a sink at the instance's newest position.
func (l *Ledger) attach(ctx context.Context) (*Sink, error) {
	v, err := l.operator().stand(ctx)
	if err != nil {
		return nil, err
	}
	v.sink.query.Source = cmp.Or(l.Source, v.sink.query.Source)
	return v.sink, nil
}

func (l *Ledger) operator() *Operator { return &Operator{Store: l.Store, Instance: l.Instance} }

// Stored implements audit.Ledger. It returns ErrNoPosition where the stream has none.
func (l *Ledger) Stored(ctx context.Context, from, until time.Time, after uint64, visit func(audit.StoredEvent)) (uint64, error) {
	s, err := l.attach(ctx)
	if err != nil {
		return 0, err
	}
	first := after + 1
	if after == 0 {
		if first, err = s.anchor(ctx, from); err != nil {
			return 0, err
		}
	}
	err = s.within(ctx, &pastIDs{from: from, until: until}, first, visit)
	return max(after, s.lastEvent), err
}

// Event implements audit.Ledger.
func (l *Ledger) Event(ctx context.Context, seq uint64) (pipeline.Event, error) {
	m, err := l.Store.Conn.At(ctx, jets.StreamSignals, seq)
	if err != nil {
		return pipeline.Event{}, err
	}
	known := l.Store.Kind.Members
	event := pipeline.Event{Data: m.Data, UUID: jets.EventID(m.Header, m.Data, known.ID), Type: jsonscan.Text(m.Data, known.Type), Time: jsonscan.Text(m.Data, known.Published)}
	event.Published, _ = time.Parse(time.RFC3339, event.Time)
	return event, nil
}

// Link implements audit.Ledger.
func (l *Ledger) Link(ctx context.Context) (pipeline.Link, error) {
	s, err := l.attach(ctx)
	if err != nil {
		return "", err
	}
	return s.at.Link, nil
}

// Insert implements audit.Ledger, under the poller's fences: it may have to wait its turn.
func (l *Ledger) Insert(ctx context.Context, past pipeline.Past) (pipeline.Receipt, error) {
	var sum pipeline.Receipt
	err := l.operator().wakePoller(ctx, func() error { return l.insert(ctx, past, &sum) }, ErrUncompared, pipeline.ErrMakingUp)
	return sum, err
}

// insert adds to sum what it stored.
func (l *Ledger) insert(ctx context.Context, past pipeline.Past, sum *pipeline.Receipt) error {
	for range operatorTries {
		s, err := l.attach(ctx)
		if err != nil {
			return err
		}
		r, err := s.Insert(ctx, s.at, past)
		sum.Stored, sum.Repeats, sum.DeadLetters = sum.Stored+r.Stored, r.Repeats, r.DeadLetters
		if err == nil {
			return l.operator().tell(ctx, s)
		}
		if !errors.Is(err, pipeline.ErrFenced) || errors.Is(err, ErrUncompared) {
			return err
		}
	}
	return fmt.Errorf("insert into %s: %w repeatedly", l.Instance, pipeline.ErrFenced)
}
