package okta

import (
	"errors"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
)

// Element reads one element of a page, as Poll does: a dead letter, say. The event's
// bytes are data's own. One that can't be published has a Flaw; what is no JSON is
// an error.
func Element(data []byte) (pipeline.Event, error) {
	s := jsonscan.New(data)
	event, err := readEvent(s, data, new(keeper))
	if err != nil {
		return pipeline.Event{}, err
	}
	if !s.Ended() {
		return pipeline.Event{}, errors.New("more follows the element")
	}
	return event, nil
}
