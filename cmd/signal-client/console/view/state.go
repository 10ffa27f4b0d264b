package view

import (
	"strings"

	"github.com/witfoo/signal-client/pipeline"
)

// Class is the colour of a state: green, blue, amber, red or grey. A page shows a word and
// a shape besides.
type Class string

// Classes.
const (
	Green Class = "green"
	Blue  Class = "blue"
	Amber Class = "amber"
	Red   Class = "red"
	Grey  Class = "grey"
)

// SeverityAttention is the least severity of a state that needs a person.
const SeverityAttention = 6

// look is how a state is shown.
type look struct {
	class    Class
	severity int
}

func lookOf(s pipeline.State) look {
	switch s {
	case pipeline.StateRefused:
		return look{Red, 8}
	case pipeline.StateConfig:
		return look{Red, 7}
	case pipeline.StateUnowned:
		return look{Red, 6}
	case pipeline.StateRetrying:
		return look{Amber, 5}
	case pipeline.StateThrottled:
		return look{Amber, 4}
	case pipeline.StateCatchingUp:
		return look{Blue, 3}
	case pipeline.StateNew:
		return look{Grey, 2}
	case pipeline.StatePolling:
		return look{Green, 1}
	}
	return look{Grey, 0} // disabled
}

// ClassOf returns the colour of a state.
func ClassOf(s pipeline.State) Class { return lookOf(s).class }

// Severity orders states: the higher, the worse.
func Severity(s pipeline.State) int { return lookOf(s).severity }

// States are all states, worst first.
func States() []pipeline.State {
	return []pipeline.State{pipeline.StateRefused, pipeline.StateConfig, pipeline.StateUnowned, pipeline.StateRetrying,
		pipeline.StateThrottled, pipeline.StateCatchingUp, pipeline.StateNew, pipeline.StatePolling, pipeline.StateDisabled}
}

// Slug returns a state as a word for URLs and style sheets, such as catching-up.
func Slug(s pipeline.State) string { return strings.ReplaceAll(string(s), " ", "-") }
