package signals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
	"github.com/witfoo/signal-client/sink/jets"
)

// livePages is how many pages with events the recent ids must cover after a sync.
const livePages = 2

// load reads the recent ids: of all events from dedupe_from on if it is set, and of the
// newest pages in any case. Invariant: it reads through the fence and never beyond,
// because the events' fence covers nothing that was not loaded.
func (s *Sink) load(ctx context.Context) error {
	s.recent, s.compared = recent{}, time.Time{}
	if s.lastEvent == 0 {
		return nil
	}
	from, err := s.pagesBack(ctx, s.at.Seq)
	if err != nil {
		return err
	}
	if s.at.DedupeFrom != 0 {
		before, err := s.pagesBefore(ctx, s.at.DedupeFrom)
		if err != nil {
			return err
		}
		from = min(from, before)
	}
	return s.scan(ctx, jets.SubjectEvents(s.store.Kind.Name, s.instance), max(from, s.stream.First), s.lastEvent, func(m jetstream.Msg, seq uint64) error {
		uuid, err := s.uuidOf(ctx, m, seq)
		if err != nil {
			return err
		}
		if s.at.DedupeFrom > 0 {
			s.compared = pipeline.Later(s.compared, publishedOf(m))
		}
		if uuid != "" {
			s.recent.add(idOf(uuid))
		}
		return nil
	})
}

// blindReach is how many messages the recent ids reach back beyond the oldest position
// kept, if there were older ones.
const blindReach = 10 * jets.MaxBatch

// pagesBefore is pagesBack from the position that dedupe_from names: an org may begin a
// page with events that the previous page ended with, and when an old position's link is
// requested again, as after a rewind, those are stored before that position. If
// dedupe_from names no position, it is returned unchanged.
func (s *Sink) pagesBefore(ctx context.Context, dedupeFrom uint64) (uint64, error) {
	m, err := s.store.Conn.At(ctx, jets.StreamSignals, dedupeFrom)
	if errors.Is(err, jets.ErrNoMessage) || err == nil && m.Subject != jets.SubjectPosition(s.store.Kind.Name, s.instance) {
		return dedupeFrom, nil
	}
	if err != nil {
		return 0, err
	}
	from, err := s.pagesBack(ctx, dedupeFrom)
	return min(from, dedupeFrom), err
}

// pagesBack returns the sequence after the position before the newest live pages up to
// the position at seq; parts of a page belong to one page. If positions were purged, it
// is unknown where those pages are, and blindReach is subtracted; likewise if a fresh
// start came after events that were kept.
//
// Pages stored while dedupe_from was set do not count: the newest pages that the org
// served then may have been stored long before, and it may repeat them.
func (s *Sink) pagesBack(ctx context.Context, seq uint64) (uint64, error) {
	live, oldest, first := 0, seq, false
	for e, err := range s.history(ctx, seq) {
		if err != nil {
			return 0, err
		}
		page := e.err == nil && e.position.Why == pipeline.WhyPage && e.position.Events > 0 && e.position.DedupeFrom == 0
		if page && live == livePages {
			return e.seq + 1, nil
		}
		if page {
			live++
		}
		start := e.position.Why == pipeline.WhyStart || e.position.Why == pipeline.WhyImport
		beginning := start && e.position.DedupeFrom == 0
		oldest, first = e.seq, e.chained && e.prev == 0 && beginning
		if e.err == nil {
			oldest -= min(uint64(e.position.Events), oldest-1) // its own events are right before it
		}
	}
	if first {
		return oldest, nil
	}
	return oldest - min(blindReach, oldest-1), nil
}

// uuidOf returns the uuid of a stored event: from its header or, if a foreign client
// wrote none, from its body; empty if it has none.
func (s *Sink) uuidOf(ctx context.Context, m jetstream.Msg, seq uint64) (string, error) {
	if v := m.Headers()[jets.HeaderID]; len(v) > 0 {
		return jets.DecodeHeader(v[0]), nil
	}
	raw, err := s.store.Conn.At(ctx, jets.StreamSignals, seq)
	if errors.Is(err, jets.ErrNoMessage) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the event at %d: %w", seq, err)
	}
	return jsonscan.Text(raw.Data, s.store.Kind.Members.ID), nil
}
