package view

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/overview"
	"github.com/witfoo/signal-client/sink/search"
)

// Fleet is the whole picture at one time. It must not be changed: all readers share it.
type Fleet struct {
	At           time.Time        `json:"at"`
	Complete     bool             `json:"complete"`       // everything was read once; before that the rest is empty
	Away         string           `json:"away,omitempty"` // why the figures are old: NATS is away; empty: they are current
	States       []StateCount     `json:"states"`         // those that occur, worst first
	Integrations []Integration    `json:"integrations"`   // worst first, then by name
	Replicas     []overview.Share `json:"replicas"`
	DeadLetters  uint64           `json:"dead_letters"`
	PerSecond    []float64        `json:"events_per_second"` // of the last hour: one figure a minute, oldest first
	Index        Index            `json:"index"`

	id uint64 // grows with each change
}

// StateCount is how many integrations are in a state.
type StateCount struct {
	State pipeline.State `json:"state"`
	Class Class          `json:"class"`
	Count int            `json:"count"`
}

// Slug returns the state as a word for URLs and style sheets, such as catching-up.
func (c StateCount) Slug() string { return Slug(c.State) }

// Integration is one integration as a tile shows it: its status, which is a document of
// schemas/status.json, with what people want to know besides.
type Integration struct {
	pipeline.Status

	Name        string   `json:"name"`                  // display name; the instance's if it has none
	Org         string   `json:"org"`                   // host of the org; empty: the value is invalid
	Class       Class    `json:"class"`                 // colour of the state
	Remedy      string   `json:"remedy,omitempty"`      // what to do; empty: nothing
	Interval    float64  `json:"poll_interval_seconds"` // 0: not known
	Static      bool     `json:"static,omitempty"`      // from a service's environment: it can't be changed here
	Hour        []uint32 `json:"events_hour"`           // events stored in the last hour: one figure for 5 minutes, oldest first
	LastHour    uint64   `json:"events_last_hour"`      // their sum
	DeadLetters uint64   `json:"dead_letters"`

	overview.Pace

	changed uint64 // Fleet.id of its last change
}

// Slug returns the state as a word for URLs and style sheets, such as catching-up.
func (i Integration) Slug() string { return Slug(i.State) }

// Behind returns the age of the watermark; 0: it has none.
func (i Integration) Behind() time.Duration {
	return time.Duration(i.LagSeconds * float64(time.Second))
}

// Of returns an integration of the picture.
func (f *Fleet) Of(instance string) (Integration, bool) {
	for _, i := range f.Integrations {
		if i.Instance == instance {
			return i, true
		}
	}
	return Integration{}, false
}

// Attention returns the integrations that need a person, worst first.
func (f *Fleet) Attention() []Integration {
	for n, i := range f.Integrations {
		if Severity(i.State) < SeverityAttention {
			return f.Integrations[:n]
		}
	}
	return f.Integrations
}

// Index is how far the search index is, as search.Progress says.
type Index struct {
	State      search.State   `json:"state"`
	Rebuilding bool           `json:"rebuilding,omitempty"`
	Stream     uint64         `json:"stream"`           // events that the stream holds
	Indexed    uint64         `json:"indexed"`          // events that the index holds
	Behind     uint64         `json:"behind"`           // events that are not indexed yet
	Through    time.Time      `json:"through,omitzero"` // arrival of the newest indexed event
	Refused    search.Refused `json:"refused,omitzero"`
	Trouble    string         `json:"trouble,omitempty"`
	Remedy     string         `json:"remedy,omitempty"`
}
