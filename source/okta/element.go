package okta

import (
	"errors"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
)

// Element reads one element of a page, such as a dead letter, as Poll does, and shares its
// bytes. One that can't be published has a Flaw; text that is not JSON is an error.
func Element(data []byte) (pipeline.Event, error) {
	s := jsonscan.New(data)
	event, err := readEvent(s, data, new(textArena))
	if err != nil {
		return pipeline.Event{}, err
	}
	if !s.Ended() {
		return pipeline.Event{}, errors.New("more follows the element")
	}
	return event, nil
}
