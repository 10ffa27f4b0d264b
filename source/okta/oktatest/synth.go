package oktatest

import (
	"sort"
	"time"
)

// Synthesize is a long log that is made on demand instead of stored: events from a few
// templates, each with its own uuid and time, evenly spaced, the same at each request.
type Synthesize struct {
	Events int           // number of events; 0: none
	Over   time.Duration // their time span, until the org is made; 0: a day
	Size   int           // least bytes of an event; 0: the natural size, 1.5 to 4 KB
}

const (
	synthTemplates = 16
	synthLag       = time.Second // from published to persisted
)

// synth is the base of a log. A nil synth is empty.
type synth struct {
	seed      uint64
	events    int
	from      time.Time // published time of the first
	step      time.Duration
	templates []template
}

// template is an event's bytes with the places that vary.
type template struct {
	data            []byte
	uuid, published int
}

func newSynth(s Synthesize, seed uint64, now time.Time) *synth {
	over := s.Over
	if over == 0 {
		over = 24 * time.Hour
	}
	from := now.Add(-over - synthLag).Truncate(time.Millisecond)
	b := &synth{seed: seed, events: s.Events, from: from, step: over / time.Duration(s.Events)}
	g := newGenerator(seed)
	for range synthTemplates {
		b.templates = append(b.templates, newTemplate(g, from, s.Size))
	}
	return b
}

func (b *synth) len() int {
	if b == nil {
		return 0
	}
	return b.events
}

func (b *synth) published(i int) time.Time {
	return b.from.Add(time.Duration(i) * b.step).Truncate(time.Millisecond)
}
func (b *synth) persisted(i int) time.Time { return b.published(i).Add(synthLag) }
func (b *synth) end() time.Time            { return b.persisted(b.events) }

func (b *synth) key(i int) key {
	return key{b.persisted(i).UnixMilli(), int64(i) + 1}
}

func (b *synth) after(k key) int {
	return sort.Search(b.len(), func(i int) bool { return b.key(i).compare(k) > 0 })
}

func (b *synth) template(i int) *template {
	return &b.templates[mix(b.seed+uint64(i))%synthTemplates]
}

func (b *synth) size(i int) int { return len(b.template(i).data) }

// uuid returns the uuid of the event at a place, derived from its number alone.
func (b *synth) uuid(i int) string {
	return formatUUID(mix(b.seed^uint64(i)), mix(b.seed+uint64(i)<<1+1), 4)
}

// append appends the event at a place.
func (b *synth) append(dst []byte, i int) []byte {
	t := b.template(i)
	at := len(dst)
	dst = append(dst, t.data...)
	copy(dst[at+t.uuid:], b.uuid(i))
	var text [40]byte // AppendFormat writes beyond its result
	copy(dst[at+t.published:], b.published(i).AppendFormat(text[:0], "2006-01-02T15:04:05.000Z"))
	return dst
}

func (b *synth) event(i int) Event {
	return Event{UUID: b.uuid(i), Data: b.append(nil, i), Published: b.published(i), Persisted: b.persisted(i)}
}
