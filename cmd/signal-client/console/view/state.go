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

// SeverityAttention is the least severity of a state that needs a person: unowned.
const SeverityAttention = 7

// Severity orders states: the higher, the worse.
func Severity(s pipeline.State) int { return s.Severity() }

// States are all states, worst first.
func States() []pipeline.State { return pipeline.States() }

// ClassOf returns the colour of a state.
func ClassOf(s pipeline.State) Class {
	switch s {
	case pipeline.StateRefused, pipeline.StateConfig, pipeline.StateUnowned:
		return Red
	case pipeline.StateRetrying, pipeline.StateThrottled:
		return Amber
	case pipeline.StateCatchingUp:
		return Blue
	case pipeline.StatePolling:
		return Green
	}
	return Grey
}

// Slug returns a state as a word for URLs and style sheets, such as catching-up.
func Slug(s pipeline.State) string { return strings.ReplaceAll(string(s), " ", "-") }
