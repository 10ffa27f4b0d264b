package signals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

var _ pipeline.Inserter = (*Sink)(nil)

// Insert implements pipeline.Inserter.
//
// Each batch is events and, last, a copy of the newest position, under the same two
// fences as a page: it is refused if another writer has moved the position or stored an
// event that these were not compared with. So a repair by a command beside the poller is
// as exact as the poller's own backfill.
//
// A restart finds some of the batches, each complete. When the events are inserted again,
// the ids of the stored ones are found.
//
// The copy has the higher published_max, because a reopening relies on it: an event
// stored at or before a position was published at its published_max at the latest.
func (s *Sink) Insert(ctx context.Context, at pipeline.Position, past pipeline.Past) (pipeline.Receipt, error) {
	if at.Seq == 0 || at.Seq != s.at.Seq {
		return pipeline.Receipt{}, fmt.Errorf("insert after position %d, the newest is %d: %w", at.Seq, s.at.Seq, pipeline.ErrFenced)
	}
	if s.at.DedupeFrom != 0 {
		return pipeline.Receipt{}, fmt.Errorf("insert into %s: %w", s.instance, pipeline.ErrMakingUp)
	}
	if s.lastEvent > s.at.Seq { // only beside a poller: a copy above these would hide them from its sync
		return pipeline.Receipt{}, fmt.Errorf("insert into %s: %w", s.instance, ErrUncompared)
	}
	ctx, done, err := s.bind(ctx)
	if err != nil {
		return pipeline.Receipt{}, err
	}
	defer done()
	if err := s.know(ctx, past.From, past.Until); err != nil {
		return pipeline.Receipt{}, fmt.Errorf("load the ids of the past: %w", err)
	}
	c, err := s.sort(ctx, pipeline.Page{Events: past.Events, Date: past.Until})
	if err != nil {
		return pipeline.Receipt{}, err
	}
	s.dropKnown(&c)
	var lost []deadLetter
	if past.Why == pipeline.WhyBackfill { // an audit has seen them before, and a repair can't fix them
		if lost, err = s.writeDeadLetters(ctx, past.Link, c.dead); err != nil {
			return pipeline.Receipt{}, err
		}
	}
	if err := s.insert(ctx, past.Why, c); err != nil {
		return pipeline.Receipt{}, err
	}
	s.lose(lost)
	if err := s.follow(ctx, len(c.events) > 0); err != nil {
		return pipeline.Receipt{}, err
	}
	return pipeline.Receipt{Position: s.at, Stored: len(c.events), Repeats: c.repeats, DeadLetters: len(c.dead)}, nil
}

func (s *Sink) dropKnown(c *siftedPage) {
	n := 0
	for i := range c.events {
		if s.span.has(c.ids[i]) {
			c.repeats++
			continue
		}
		c.events[n], c.ids[n] = c.events[i], c.ids[i]
		n++
	}
	c.events, c.ids = c.events[:n], c.ids[:n]
}

// insert stores a batch, in parts if necessary.
func (s *Sink) insert(ctx context.Context, why pipeline.Why, c siftedPage) error {
	tries := 0
	for stored := 0; stored < len(c.events); {
		n := min(len(c.events)-stored, s.batch.Most()-1)
		err := s.insertSome(ctx, why, c.events[stored:stored+n], c.ids[stored:stored+n])
		if errors.Is(err, jets.ErrTooLarge) && n > 1 {
			s.batch.Refused(n+1, jets.Limiting(err), time.Now())
			s.log.Warn("batch too large for the server, split", "events", n, "err", err)
			continue
		}
		if err != nil && tries < foreignTries {
			tries++
			if err = s.overtake(ctx, err, c.ids[stored:]); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		stored += n
	}
	return nil
}

func (s *Sink) insertSome(ctx context.Context, why pipeline.Why, events []pipeline.Event, ids []id) error {
	pos := s.at
	pos.Version = pipeline.PositionVersion
	pos.Why, pos.Events, pos.At = why, len(events), time.Now().UTC()
	for i := range events {
		pos.PublishedMax = pipeline.Later(pos.PublishedMax, believable(events[i].Published, s.span.until))
	}
	m, err := positionMessage(jets.SubjectPosition(s.store.Kind.Name, s.instance), pos)
	if err != nil {
		return err
	}
	jets.Expect(m, s.at.Seq)
	if pos.Seq, err = s.send(ctx, s.messages(events, m, why)); err != nil {
		return err
	}
	s.lastEvent = pos.Seq - 1
	s.batch.Accepted(time.Now())
	s.span.add(events, ids, s.lastEvent)
	// Keep their ids: if a short page was not the head, the live poll may serve them again.
	if s.recent.newest() < mostInserted {
		for i := range ids {
			s.recent.put(ids[i], printOf(events[i].Data))
		}
	}
	s.at = pos
	return nil
}

// mostInserted is how many ids the newest recent page may hold before inserted ones are
// no longer added: a long backfill of a quiet org would fill the memory.
const mostInserted = 50 * jets.MaxBatch
