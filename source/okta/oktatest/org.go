package oktatest

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Org is a simulated Okta org. It is safe for concurrent use.
type Org struct {
	config Config
	frozen frozenPages

	mu       sync.Mutex // guards all below; never held while answering or waiting
	log      eventLog
	gen      *generator
	fault    func(Request) Fault
	links    Links
	tokens   map[string]bool // nil: any token
	forbid   bool
	limiter  limiter
	cursors  cursorRules
	inFlight int
	stats    Stats
	requests []Request // a ring of the newest ones
	stored   int       // how many ended
}

var _ http.Handler = (*Org)(nil)

// New returns an org.
func New(config Config) *Org {
	c := config.withDefaults()
	o := &Org{config: c, links: c.Links}
	o.gen = newGenerator(c.Seed)
	o.gen.even = c.Even
	o.limiter = newLimiter(c.Rate, c.Seed)
	if len(c.Tokens) > 0 {
		o.tokens = make(map[string]bool)
		for _, token := range c.Tokens {
			o.tokens[token] = true
		}
	}
	if c.Synthesize.Events > 0 {
		o.log.base = newSynth(c.Synthesize, c.Seed, o.Now())
		o.log.serial = int64(c.Synthesize.Events)
	}
	return o
}

// Now is the org's clock.
func (o *Org) Now() time.Time { return time.Now().Add(o.config.Skew).UTC() }

// Event is an entry of the org's log.
type Event struct {
	UUID      string
	Data      []byte    // its JSON, as it is served
	Published time.Time // when it happened
	Persisted time.Time // when it was committed to the log; orders the log; whole milliseconds
	Visible   time.Time // from when requests see it; zero: from Persisted
}

// Add puts events into the log. What an event lacks is made up: without Data
// it is a believable one, without UUID it has the one in its Data, if any, without
// Persisted it is persisted now, or when it is published if that is later, and
// without Published it is published when it is persisted. An event that is
// persisted before others that were served already is behind their cursors and
// found by new queries only, as is one that turns visible late.
func (o *Org) Add(events ...Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.Now().Truncate(time.Millisecond)
	for _, e := range events {
		o.log.add(o.complete(e, now))
	}
}

func (o *Org) complete(e Event, now time.Time) Event {
	if e.Persisted.IsZero() {
		e.Persisted = now
		if e.Published.After(now) {
			e.Persisted = e.Published
		}
	}
	e.Persisted = e.Persisted.Truncate(time.Millisecond)
	if e.Published.IsZero() {
		e.Published = e.Persisted
	}
	if e.Data == nil {
		e.UUID, e.Data = o.gen.render(e.UUID, e.Published)
	}
	if e.UUID == "" {
		e.UUID = uuidOf(e.Data)
	}
	return e
}

// uuidOf returns the uuid in an event's bytes; empty when there is none that
// is a printable text. Names are compared exactly, as encoding/json would not.
func uuidOf(data []byte) string {
	var members map[string]json.RawMessage
	var uuid string
	if json.Unmarshal(data, &members) != nil || json.Unmarshal(members["uuid"], &uuid) != nil {
		return ""
	}
	if strings.ContainsFunc(uuid, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return uuid
}

// Generate puts n believable events into the log that were published over the
// time until now, with a day's rhythm unless they are to be even, and are all persisted by
// now. Asked for them again with the same seed and clock an org makes the same events.
func (o *Org) Generate(n int, over time.Duration) {
	now := o.Now()
	o.generate(n, now.Add(-over), over, now)
}

// GenerateFrom puts n believable events into the log that are published over
// a time from a moment on. Those that are persisted after now turn visible then.
func (o *Org) GenerateFrom(from time.Time, n int, over time.Duration) {
	o.generate(n, from, over, time.Time{})
}

// generate makes events; a latest that is not zero bounds their persistence.
func (o *Org) generate(n int, from time.Time, over time.Duration, latest time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, published := range o.gen.times(n, from, over) {
		persisted := published.Add(o.gen.lag(o.config.Lag))
		if !latest.IsZero() && persisted.After(latest) {
			persisted = latest
		}
		uuid, data := o.gen.render("", published)
		o.log.add(Event{UUID: uuid, Data: data, Published: published, Persisted: ceilMillis(persisted, latest)})
	}
}

// ceilMillis rounds up to a millisecond, so that persisted is not before
// published, but not beyond a latest that is not zero.
func ceilMillis(t, latest time.Time) time.Time {
	up := t.Add(time.Millisecond - 1).Truncate(time.Millisecond)
	if !latest.IsZero() && up.After(latest) {
		return latest.Truncate(time.Millisecond)
	}
	return up
}

// Events returns the whole log in the order of persistence, including
// what is not visible yet. Data must not be changed.
func (o *Org) Events() []Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := make([]Event, 0, o.log.len())
	for i := range o.log.len() {
		events = append(events, o.log.event(i))
	}
	return events
}

// Len is the number of events in the log.
func (o *Org) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.len()
}

// SetFault sets what goes wrong with each request; nil: nothing does. The
// function is called without locks held, at times by several requests at once.
func (o *Org) SetFault(fault func(Request) Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = fault
}

// SetLinks changes how links look.
func (o *Org) SetLinks(links Links) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.links = links
}

// chance is a source of chance for one request or one event, independent of
// the order in which others draw.
func chance(seed uint64, what, n uint64) *rand.Rand {
	return rand.New(rand.NewPCG(mix(seed^what*0x9e3779b97f4a7c15), mix(n+what)))
}

// mix scatters the bits of x (splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
