package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// PositionVersion is the highest position version that this program
// understands. A field that exactness needs raises it.
const PositionVersion = 1

// Why says why a position was written.
type Why string

const (
	WhyPage     Why = "page"     // the events of a page, and the link after it
	WhyPart     Why = "part"     // events of a page whose link has not been left yet
	WhyStart    Why = "start"    // a fresh start at since
	WhyReopen   Why = "reopen"   // the org refused the link, or the query changed
	WhyRewind   Why = "rewind"   // an operator went back
	WhyRestore  Why = "restore"  // the stream had no position, the cursor had one
	WhyCopy     Why = "copy"     // events stood above the newest position
	WhyBackfill Why = "backfill" // events of the past, by a backfill
	WhyRepair   Why = "repair"   // events of the past, which an audit missed
	WhyGap      Why = "gap"      // nobody polled for longer than the org keeps its log
)

// Position is where an instance stands in its org's log. Its JSON is the
// message on signal-cursor.okta.<instance>.
type Position struct {
	Version         int        `json:"version"`
	Link            Link       `json:"link"`
	Origin          string     `json:"origin"`
	Query           string     `json:"query"`                     // hash of filter and limit
	CompleteThrough time.Time  `json:"complete_through,omitzero"` // the watermark; never moves back, save when the stream lost data
	PublishedMax    time.Time  `json:"published_max,omitzero"`    // running maximum over all events read or stored; at a start: its since
	LastEvent       *LastEvent `json:"last_event,omitempty"`      // the newest event stored; nil: none yet
	Events          int        `json:"events"`                    // stored in one batch with this position
	DedupeFrom      uint64     `json:"dedupe_from"`               // ids of events from this stream sequence on are compared; 0: the recent ones
	Why             Why        `json:"why"`
	At              time.Time  `json:"at"`
	Org             string     `json:"org,omitempty"`     // the org's own id; empty: not known
	Assumed         string     `json:"assumed,omitempty"` // what is taken for true of the org, in words, until its id is known
	Gap             *Gap       `json:"gap,omitempty"`     // what may never be read; the newest one, for 90 days; nil: none

	// Extra holds the members that this program does not know; they are
	// carried through from position to position.
	Extra map[string]json.RawMessage `json:"-"`

	// Seq is the stream sequence of the position's message: the fence. It is
	// no part of the message.
	Seq uint64 `json:"-"`
}

// Gap is a time in whose log there may have been events that were not read before the
// org dropped them: no complete_through says that they are stored.
type Gap struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// LastEvent names the newest event stored up to a position.
type LastEvent struct {
	UUID      string `json:"uuid"`
	Published string `json:"published"` // as the org gave it
}

// ErrNewer refuses a value that a newer program wrote: ignoring what it
// doesn't know could cost exactness.
var ErrNewer = errors.New("written by a newer signal-client")

// bare has Position's members without its methods.
type bare Position

// positionMembers are the members of a Position that are not Extra.
var positionMembers = []string{"version", "link", "origin", "query", "complete_through", "published_max",
	"last_event", "events", "dedupe_from", "why", "at", "org", "assumed", "gap"}

// MarshalJSON writes the position with the members it carries through, and
// links as they are: call it rather than json.Marshal, which makes \u0026 of
// each & again.
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

// UnmarshalJSON reads a position. It returns ErrNewer for one of a higher
// version, and an error for one without a link, which is no position.
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
