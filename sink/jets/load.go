package jets

import (
	"context"
	"errors"
	"fmt"

	"github.com/goccy/go-json"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
)

// livePages is how many pages with events the recent ids must reach back after
// a sync.
const livePages = 2

// load reads the recent ids: of all events from dedupe_from on when it is set,
// and of the newest pages in any case; through the fence and never beyond, for
// the events' fence vouches for nothing that was not loaded.
func (s *Sink) load(ctx context.Context) error {
	s.recent = recent{}
	if s.lastEvent == 0 {
		return nil
	}
	from, err := s.pagesBack(ctx)
	if err != nil {
		return err
	}
	if s.at.DedupeFrom != 0 {
		from = min(from, s.at.DedupeFrom)
	}
	return s.scan(ctx, SubjectEvents(s.instance), max(from, s.stream.First), s.lastEvent, func(m jetstream.Msg, seq uint64) error {
		uuid, err := s.uuidOf(ctx, m, seq)
		if err != nil {
			return err
		}
		if uuid != "" {
			s.recent.add(idOf(uuid))
		}
		return nil
	})
}

// blindReach is how many messages the recent ids reach back beyond the oldest
// position kept when there were older ones.
const blindReach = 10 * MaxBatch

// pagesBack returns the sequence after the position before the newest live
// pages: parts of a page belong to the page that they began. Where positions
// were purged nothing says where those pages are, and it looks a good way back.
func (s *Sink) pagesBack(ctx context.Context) (uint64, error) {
	live, oldest, first := 0, s.at.Seq, false
	for e, err := range s.history(ctx, s.at.Seq) {
		if err != nil {
			return 0, err
		}
		page := e.err == nil && e.position.Why == pipeline.WhyPage && e.position.Events > 0
		if page && live == livePages {
			return e.seq + 1, nil
		}
		if page {
			live++
		}
		oldest, first = e.seq, e.chained && e.prev == 0 && e.position.Why == pipeline.WhyStart
		if e.err == nil {
			oldest -= min(uint64(e.position.Events), oldest-1) // its own events stand right before it
		}
	}
	if first {
		return oldest, nil
	}
	return oldest - min(blindReach, oldest-1), nil
}

// uuidOf returns the uuid of a stored event: out of its header, or, where a
// foreign client wrote it without, out of its body; empty when it has none.
func (s *Sink) uuidOf(ctx context.Context, m jetstream.Msg, seq uint64) (string, error) {
	if v := m.Headers()[headerID]; len(v) > 0 {
		return decodeHeader(v[0]), nil
	}
	raw, err := s.store.Conn.At(ctx, StreamSignals, seq)
	if errors.Is(err, ErrNoMessage) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the event at %d: %w", seq, err)
	}
	var event struct {
		UUID string `json:"uuid"`
	}
	if json.Unmarshal(raw.Data, &event) != nil {
		return "", nil
	}
	return event.UUID, nil
}
