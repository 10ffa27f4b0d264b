package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta"
)

const (
	manyOrgs   = 200
	manyEach   = 3 * 999 // events of one of them: three full pages
	aloneHas   = 300_000
	quietOrgs  = 5
	quietEvery = time.Second
)

// drainMany drains one org alone, and then many at once while some quiet ones are
// polled beside them.
func drainMany(t *testing.T, r *report, binary string) {
	progress("drains: one org of %s events", thousands(aloneHas))
	alone := func() draining {
		f := newFleet(t, binary, hostGroup{Name: "alone", Hosts: 1, Events: aloneHas, Alike: true})
		return f.drain(f.start("one"))
	}
	before := alone()
	progress("drains: %s events/s; now %d orgs", thousands(before.rate), manyOrgs)
	f := newFleet(t, binary,
		hostGroup{Name: "many", Hosts: manyOrgs, Events: manyEach, Alike: true},
		hostGroup{Name: "quiet", Hosts: quietOrgs, PerMinute: 120})
	f.configure(1, quietEvery, false)
	beside := f.start("one")
	f.until("quiet orgs are polled", patience, func() bool { return len(f.orgs.polls(t, 1, time.Time{})) == quietOrgs })
	f.pause(5 * quietEvery)
	many := f.drain(beside)
	late, stale := f.lateness(many), f.staleness(many)
	progress("drains: %s events/s for %.1f s; now one alone again", thousands(many.rate), many.ended.Sub(many.began).Seconds())
	after := alone()
	progress("drains: %s events/s", thousands(after.rate))
	one := (before.rate + after.rate) / 2 // the machine may have been busier before than after

	r.Part(fmt.Sprintf("%d orgs of %s events of 2 KB drained at once by one process, no rate limit", manyOrgs, thousands(manyEach)))
	r.Plain("events a second, one org of "+thousands(aloneHas)+" alone, before and after", thousands(before.rate)+", "+thousands(after.rate))
	r.Plain("events a second, all together", thousands(many.rate))
	r.Target("ratio", fmt.Sprintf("%.2f", many.rate/one), "≥ 0.80", many.rate >= 0.8*one)
	r.Plain("CPU an event, one org alone; all together", fmt.Sprintf("%.1f µs; %.1f µs", before.cpu, many.cpu))
	r.Target("pages in memory at most, by its gauge", fmt.Sprintf("%.0f MB", many.pages/1e6), fmt.Sprintf("≤ %.0f MB", many.most/1e6), many.most > 0 && many.pages <= many.most)
	r.Plain("resident at most; one org alone", fmt.Sprintf("%.0f MB; %.0f MB", many.resident, before.resident))
	r.Target(fmt.Sprintf("latest poll of %d quiet orgs beside them (of %d)", quietOrgs, len(late)), longest(late), "< 2 s", slices.Max(late) < 2*time.Second)
	r.Target(fmt.Sprintf("their event stored latest after a poll was due (of %d)", len(stale)), longest(stale), "< 2 s", slices.Max(stale) < 2*time.Second)
	r.Plain("load average then, of the bench itself too", loadAverage())
}

// draining is how a drain went.
type draining struct {
	drained
	began, ended time.Time // the first page was stored, and the last
	pages, most  float64   // bytes of pages in memory as its metrics say, and how many there may be
}

// drain gives a replica the orgs of the first group, waits until all their events
// are stored, and ends it. The rate is by the server's clock, without the page
// that came first: so a start costs nobody anything.
func (f *fleet) drain(by *replica) (d draining) {
	f.Helper()
	g := f.orgs.groups[0]
	f.configure(0, idleEvery, false)
	f.until("all events are stored", drainPatience, func() bool {
		d.pages = max(d.pages, by.metric("signal_client_page_memory_bytes"))
		return f.storedOf(g.Name) >= g.Hosts*g.Events
	})
	d.most = by.metric("signal_client_page_memory_limit_bytes")
	_, d.resident = by.memory()
	d.cpu = float64(by.cpu().Microseconds()) / float64(g.Hosts*g.Events)
	events := 0
	for m := range f.messages(g, jets.SubjectPosition) {
		var p pipeline.Position
		if err := json.Unmarshal(m.Data(), &p); err != nil {
			f.Fatal(err)
		}
		if p.Events == 0 {
			continue
		}
		at := storedAt(m)
		if d.began.IsZero() {
			d.began, events = at, -p.Events
		}
		d.ended = at
		events += p.Events
	}
	d.rate = float64(events) / d.ended.Sub(d.began).Seconds()
	by.end(syscall.SIGTERM)
	return d
}

// lateness is how much longer than the interval the quiet orgs waited from poll to
// poll during a drain.
func (f *fleet) lateness(d draining) (late []time.Duration) {
	f.Helper()
	for _, polls := range f.orgs.polls(f.T, 1, d.began) {
		for i := 1; i < len(polls) && polls[i].At.Before(d.ended); i++ {
			late = append(late, max(0, polls[i].At.Sub(polls[i-1].At)-quietEvery))
		}
	}
	return late
}

// staleness is how long after the poll that was due to bring it each event of the
// quiet orgs was stored: an interval after the org had it.
func (f *fleet) staleness(d draining) (stale []time.Duration) {
	f.Helper()
	g := f.orgs.groups[1]
	persisted := map[string]time.Time{}
	for i := range g.Hosts {
		for _, e := range f.orgs.log(f.T, g.instance(i)) {
			persisted[e.UUID] = e.Persisted
		}
	}
	for m := range f.messages(g, jets.SubjectEvents) {
		at := persisted[m.Headers().Get("ce-id")]
		if at.After(d.began) && at.Before(d.ended) {
			stale = append(stale, max(0, storedAt(m).Sub(at)-quietEvery))
		}
	}
	return stale
}

// storedOf is how many events of a group's orgs are stored.
func (f *fleet) storedOf(group string) (events int) {
	f.Helper()
	stream, err := f.js.Stream(f.Context(), jets.StreamSignals)
	if err != nil {
		f.Fatal(err)
	}
	info, err := stream.Info(f.Context(), jetstream.WithSubjectFilter(jets.SubjectEvents(okta.Kind.Name, "*")))
	if err != nil {
		f.Fatal(err)
	}
	for subject, n := range info.State.Subjects {
		if strings.HasPrefix(subject, jets.SubjectEvents(okta.Kind.Name, group)) {
			events += int(n)
		}
	}
	return events
}

// messages are those that stand on a subject of each org of a group.
func (f *fleet) messages(g hostGroup, subject func(kind, instance string) string) func(yield func(jetstream.Msg) bool) {
	var subjects []string
	for i := range g.Hosts {
		subjects = append(subjects, subject(okta.Kind.Name, g.instance(i)))
	}
	return func(yield func(jetstream.Msg) bool) {
		f.Helper()
		consumer, err := f.js.OrderedConsumer(f.Context(), jets.StreamSignals, jetstream.OrderedConsumerConfig{FilterSubjects: subjects})
		if err != nil {
			f.Fatal(err)
		}
		messages, err := consumer.Messages()
		if err != nil {
			f.Fatal(err)
		}
		defer messages.Stop()
		for left := consumer.CachedInfo().NumPending; left > 0; left-- {
			m, err := messages.Next(jetstream.NextContext(f.Context()))
			if err != nil {
				f.Fatal(err)
			}
			if !yield(m) {
				return
			}
		}
	}
}

// storedAt is when a message was stored.
func storedAt(m jetstream.Msg) time.Time {
	meta, err := m.Metadata()
	if err != nil {
		return time.Time{}
	}
	return meta.Timestamp
}
