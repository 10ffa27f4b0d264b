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

	mu       sync.Mutex // guards everything below; never held while answering or waiting
	log      eventLog
	gen      *generator
	fault    func(Request) Fault
	links    Links
	tokens   map[string]bool // nil: any token
	forbid   bool
	oauth    oauth
	limiter  limiter
	cursors  cursorRules
	inFlight int
	stats    Stats
	requests []Request // a ring buffer of the newest ones
	stored   int       // number of ended requests
}

var _ http.Handler = (*Org)(nil)

// New returns an org.
func New(config Config) *Org {
	c := config.withDefaults()
	o := &Org{config: c, links: c.Links}
	o.gen = newGenerator(c.Seed)
	o.gen.even = c.Even
	o.log.most = c.Most
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

// Now returns the org's time.
func (o *Org) Now() time.Time { return time.Now().Add(o.config.Skew).UTC() }

// Event is an event in the org's log.
type Event struct {
	UUID      string
	Data      []byte    // its JSON, as served
	Published time.Time // when it happened
	Persisted time.Time // when it was committed to the log; orders the log; whole milliseconds
	Visible   time.Time // from when requests see it; zero: Persisted
}

// Add adds events to the log and fills in missing fields: Data with a realistic event;
// UUID from the Data; Persisted with now, or Published if that is later; Published with
// Persisted. An event that is persisted before events already served, or becomes visible
// late, is behind their cursors: only new queries find it.
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

// uuidOf returns the uuid in an event's bytes; empty if there is none that is printable
// text. Names are compared exactly, which encoding/json does not do.
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

// Generate adds n realistic events published over the time until now, with a daily rhythm
// unless they are to be even, all persisted by now. The same seed and clock give the same
// events.
func (o *Org) Generate(n int, over time.Duration) {
	now := o.Now()
	o.generate(n, now.Add(-over), over, now)
}

// GenerateFrom adds n realistic events published over a time from a moment on. Those
// persisted after now become visible then.
func (o *Org) GenerateFrom(from time.Time, n int, over time.Duration) {
	o.generate(n, from, over, time.Time{})
}

// generate makes events; a nonzero latest bounds their persistence.
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

// ceilMillis rounds up to a millisecond, so that persisted is not before published, but
// not beyond a nonzero latest.
func ceilMillis(t, latest time.Time) time.Time {
	up := t.Add(time.Millisecond - 1).Truncate(time.Millisecond)
	if !latest.IsZero() && up.After(latest) {
		return latest.Truncate(time.Millisecond)
	}
	return up
}

// Events returns the whole log in order of persistence, including events that are not
// visible yet. Data must not be changed.
func (o *Org) Events() []Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := make([]Event, 0, o.log.len())
	for i := range o.log.len() {
		events = append(events, o.log.event(i))
	}
	return events
}

// Len returns the number of events in the log.
func (o *Org) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.len()
}

// SetFault sets the function that chooses each request's fault; nil: no faults. It is
// called without locks held, sometimes concurrently.
func (o *Org) SetFault(fault func(Request) Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = fault
}

// SetLinks changes the form of links.
func (o *Org) SetLinks(links Links) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.links = links
}

// chance returns a random source for one request or event, independent of the order of
// other draws.
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
