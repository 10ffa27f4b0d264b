package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// PositionVersion is the highest position version that this program understands. Adding a
// field that exactness needs raises it.
const PositionVersion = 1

// Why is the reason why a position was written.
type Why string

const (
	WhyPage     Why = "page"     // a page's events, and the link after it
	WhyPart     Why = "part"     // part of a page's events, and the page's own link
	WhyStart    Why = "start"    // a fresh start at since
	WhyImport   Why = "import"   // the link at which another program stopped
	WhyReopen   Why = "reopen"   // the org refused the link, or the query changed
	WhyRewind   Why = "rewind"   // an operator went back
	WhyRestore  Why = "restore"  // the stream had no position, CURSORS had one
	WhyCopy     Why = "copy"     // there were events above the newest position
	WhyBackfill Why = "backfill" // events of the past, by a backfill
	WhyRepair   Why = "repair"   // events of the past that an audit found missing
	WhyGap      Why = "gap"      // nobody polled for longer than the org keeps its log
)

// Position is how far an instance has come in its org's log. Its JSON is the message on
// signal-cursor.<kind>.<instance>.
type Position struct {
	Version         int        `json:"version"`
	Link            Link       `json:"link"`
	Origin          string     `json:"origin"`
	Query           string     `json:"query"`                     // hash of filter and limit
	CompleteThrough time.Time  `json:"complete_through,omitzero"` // the watermark; never moves back, unless the stream lost data
	PublishedMax    time.Time  `json:"published_max,omitzero"`    // running maximum over all events read or stored; at a start: its since
	LastEvent       *LastEvent `json:"last_event,omitempty"`      // the newest event stored; nil: none yet
	Events          int        `json:"events"`                    // events stored in one batch with this position
	DedupeFrom      uint64     `json:"dedupe_from"`               // compare ids of events from this stream sequence on; 0: the recent ids
	Why             Why        `json:"why"`
	At              time.Time  `json:"at"`
	Org             string     `json:"org,omitempty"`     // the org's own id; empty: not known
	Assumed         string     `json:"assumed,omitempty"` // what is assumed about the org, in words, until its id is known
	Gap             *Gap       `json:"gap,omitempty"`     // the newest time range that may never be read, for 90 days; nil: none

	// Extra holds unknown members; they are carried over from position to position.
	Extra map[string]json.RawMessage `json:"-"`

	// Seq is the stream sequence of the position's message, and not in it: the fence.
	Seq uint64 `json:"-"`
}

// Gap is a time whose events may have been dropped unread; complete_through excludes it.
type Gap struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// LastEvent names the newest event stored up to a position.
type LastEvent struct {
	UUID      string `json:"uuid"`
	Published string `json:"published"` // as the org wrote it
}

// ErrNewer: a newer program wrote the value, and an unknown field may matter to exactness.
var ErrNewer = errors.New("written by a newer signal-client")

// bare is Position without its methods.
type bare Position

// positionMembers are the members of a Position that don't belong in Extra.
var positionMembers = []string{"version", "link", "origin", "query", "complete_through", "published_max",
	"last_event", "events", "dedupe_from", "why", "at", "org", "assumed", "gap"}

// MarshalJSON writes the position, its Extra members, and links unescaped. Call it
// directly: json.Marshal would escape each & as \u0026.
func (p Position) MarshalJSON() ([]byte, error) {
	b, err := encode(bare(p))
	if err != nil || len(p.Extra) == 0 {
		return b, err
	}
	extra, err := encode(p.Extra)
	if err != nil {
		return nil, err
	}
	b[len(b)-1] = ','
	return append(b, extra[1:]...), nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// UnmarshalJSON reads a position. It returns ErrNewer for a higher version, and an error
// for a value without a link, which is not a position.
func (p *Position) UnmarshalJSON(data []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return err
	}
	if version.Version > PositionVersion {
		return fmt.Errorf("position version %d: %w", version.Version, ErrNewer)
	}
	var b bare
	if err := json.Unmarshal(data, &b); err != nil {
		return err
	}
	if b.Link == "" {
		return errors.New("position has no link")
	}
	for _, name := range positionMembers {
		delete(all, name)
	}
	*p = Position(b)
	if len(all) > 0 {
		p.Extra = all
	}
	return nil
}
