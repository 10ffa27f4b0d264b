package signals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

const (
	// foreignTries is how often in a row a batch is retried against a foreign client's
	// messages before a sync follows.
	foreignTries = 40
	// leastForeign is the smallest size that a batch is cut to, so that it commits before
	// the next foreign message arrives.
	leastForeign = 20
	// mostForeign is how many foreign messages are read one by one.
	mostForeign = 1000
	// foreignTold is how often they are logged.
	foreignTold = time.Minute
)

// overtake moves the events' fence past messages that a foreign client published on the
// instance's subject, so that the refused batch can be retried. It returns any other
// refusal unchanged; a sync follows.
//
// It weakens no fence. The newest position, read from its leader, is still ours. Each
// message after the fence, read from its leader too, was published outside a batch, so
// not by this program. So none of them is an event of the org's, nothing was stored that
// the batch's events were not compared with, and the server judges both fences again.
func (s *Sink) overtake(ctx context.Context, refusal error, batch []id) error {
	if !errors.Is(refusal, pipeline.ErrFenced) {
		return refusal
	}
	newest, foreign, err := s.foreign(ctx, batch)
	if err != nil || newest == 0 || s.stillNewest(ctx) != nil {
		return refusal
	}
	s.recent.add(foreign...)
	s.span, s.lastEvent = pastIDs{}, newest
	if time.Since(s.foreignTold) >= foreignTold {
		s.foreignTold = time.Now()
		s.log.Warn("another client publishes on this instance's subject and delays its events: allow only this service to publish there",
			"subject", jets.SubjectEvents(s.store.Kind.Name, s.instance), "sequence", newest)
	}
	return nil
}

// foreign reads the messages on the instance's subject after the fence: the newest sequence,
// and their ids. It is 0 unless all are foreign and none is an event of the batch.
func (s *Sink) foreign(ctx context.Context, batch []id) (newest uint64, ids []id, err error) {
	next := map[string]any{"next_by_subj": jets.SubjectEvents(s.store.Kind.Name, s.instance)}
	for range mostForeign {
		next["seq"] = max(newest, s.lastEvent) + 1
		m, err := s.store.Conn.Read(ctx, jets.StreamSignals, next)
		if errors.Is(err, jets.ErrNoMessage) {
			return newest, ids, nil
		}
		if err != nil {
			return 0, nil, fmt.Errorf("read what stands after event %d: %w", s.lastEvent, err)
		}
		if !m.Foreign() {
			return 0, nil, nil
		}
		newest = m.Seq
		uuid := jets.EventID(m.Header, m.Data, s.store.Kind.Members.ID)
		if one := idOf(uuid); slices.Contains(batch, one) {
			return 0, nil, nil
		} else if uuid != "" {
			ids = append(ids, one)
		}
	}
	return 0, nil, nil
}

// blame adds to a refusal that a foreign client is the cause, if one is.
func (s *Sink) blame(refusal error, tries int) error {
	if tries == 0 {
		return refusal
	}
	return fmt.Errorf("another client publishes on %s (message %d); allow only this service to publish there: %w", jets.SubjectEvents(s.store.Kind.Name, s.instance), s.lastEvent, refusal)
}
