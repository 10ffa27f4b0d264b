package jets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

const (
	// foreignTries is how often in a row a batch is tried against somebody else's
	// messages before a sync is left to sort it out.
	foreignTries = 40
	// leastForeign is to how few events a batch is cut, so that it is sent and judged
	// before the next such message comes.
	leastForeign = 20
	// mostForeign is how many such messages are read one by one.
	mostForeign = 1000
	// foreignTold is how often they are told of.
	foreignTold = time.Minute
)

// overtake moves the events' fence past messages that somebody else published on the
// instance's subject, so that the batch that they refused can be tried again. Any
// other refusal it returns as it is: that takes a sync.
//
// It weakens no fence. The newest position is still ours, by its leader. Each message
// after the fence is read, by its leader too, and is none that this program stored:
// those stand in a batch. So no event of the org's is among them, nothing was stored
// that the batch's events were not compared with, and the server judges both fences
// once more.
func (s *Sink) overtake(ctx context.Context, refusal error, batch []id) error {
	if !errors.Is(refusal, pipeline.ErrFenced) {
		return refusal
	}
	newest, foreign, err := s.foreign(ctx, batch)
	if err != nil || newest == 0 || s.stillNewest(ctx) != nil {
		return refusal
	}
	s.recent.add(foreign...)
	s.span, s.lastEvent = span{}, newest
	if time.Since(s.foreignTold) >= foreignTold {
		s.foreignTold = time.Now()
		s.log.Warn("somebody else publishes on this instance's subject, which delays its events: allow that to the service alone",
			"subject", SubjectEvents(s.instance), "sequence", newest)
	}
	return nil
}

// foreign reads the messages on the instance's subject after the fence: the sequence of
// the newest, and their ids. It is 0 unless all of them are somebody else's, and none is
// an event of the batch.
func (s *Sink) foreign(ctx context.Context, batch []id) (newest uint64, ids []id, err error) {
	next := map[string]any{"next_by_subj": SubjectEvents(s.instance)}
	for range mostForeign {
		next["seq"] = max(newest, s.lastEvent) + 1
		m, err := s.store.Conn.read(ctx, StreamSignals, next)
		if errors.Is(err, ErrNoMessage) {
			return newest, ids, nil
		}
		if err != nil {
			return 0, nil, fmt.Errorf("read what stands after event %d: %w", s.lastEvent, err)
		}
		if !m.Foreign() {
			return 0, nil, nil
		}
		newest = m.Seq
		uuid := eventID(m.Header, m.Data)
		if one := idOf(uuid); slices.Contains(batch, one) {
			return 0, nil, nil
		} else if uuid != "" {
			ids = append(ids, one)
		}
	}
	return 0, nil, nil
}

// blame says in a refusal who is in the way, when somebody else is.
func (s *Sink) blame(refusal error, tries int) error {
	if tries == 0 {
		return refusal
	}
	return fmt.Errorf("somebody else publishes on %s (message %d); allow that to the service alone: %w", SubjectEvents(s.instance), s.lastEvent, refusal)
}
