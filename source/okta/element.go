package okta

import (
	"errors"

	"github.com/witfoo/signal-client/pipeline"
)

// Element reads one element of a page, as Poll does: a dead letter, say. The event's
// bytes are data's own. One that can't be published has a Flaw; what is no JSON is
// an error.
func Element(data []byte) (pipeline.Event, error) {
	s := scanner{data: data}
	event, err := s.event(new(keeper))
	if err != nil {
		return pipeline.Event{}, err
	}
	if s.peek(); s.pos != len(data) {
		return pipeline.Event{}, errors.New("more follows the element")
	}
	return event, nil
}
