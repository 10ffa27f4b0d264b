package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/source/okta"
)

const (
	shareOrgs  = 300
	shareEvery = 10 * time.Second // between two polls of an org
	sessionTTL = 10 * time.Second // the default, which the replicas use
	patience   = 2 * time.Minute
)

// shares lets three replicas share out orgs in which events happen, takes one of
// them away, by SIGKILL and by SIGTERM, and audits the whole stream in the end.
func shares(t *testing.T, r *report, binary string) {
	progress("sharing: 3 replicas, %d orgs", shareOrgs)
	f := newFleet(t, binary, hostGroup{Name: "org", Hosts: shareOrgs, Events: 50, PerMinute: 6})
	one, two, three := f.start("one"), f.start("two"), f.start("three")
	f.until("three sessions", patience, func() bool { return f.sessions() == 3 })
	f.configure(0, shareEvery, true)
	r.Part(fmt.Sprintf("3 replicas, %d orgs polled every %s, an event in each every %s", shareOrgs, shareEvery, shareEvery))
	f.reportShares(r, "shares")

	killed := f.takeover("one", func() time.Time { return one.end(syscall.SIGKILL) })
	r.Target("SIGKILL of one: each of its orgs polled again"+halfOf(killed), longest(killed), "< 12 s", slices.Max(killed) < sessionTTL+2*time.Second)
	one.run()
	f.reportShares(r, "shares after it has come back")
	ended := f.takeover("two", func() time.Time { return two.end(syscall.SIGTERM) })
	r.Target("SIGTERM of one: each of its orgs polled again"+halfOf(ended), longest(ended), "< 1 s", slices.Max(ended) < time.Second)
	two.run()

	f.orgs.quiet(t)
	f.configure(0, idleEvery, true) // and so each is polled at once
	f.reportShares(nil, "")
	f.audit(r)
	r.Plain("load average then, of the bench itself too", loadAverage())
	f.traffic(r)
	for _, replica := range []*replica{one, two, three} {
		replica.end(syscall.SIGTERM)
	}
}

func longest(delays []time.Duration) string {
	return fmt.Sprintf("%.2f s", slices.Max(delays).Seconds())
}

func halfOf(delays []time.Duration) string {
	return fmt.Sprintf(" (%d; half within %.2f s)", len(delays), slices.Sorted(slices.Values(delays))[len(delays)/2].Seconds())
}

// sessions is how many replicas are alive.
func (f *fleet) sessions() int {
	replicas, err := locks.ReadReplicas(f.Context(), f.store)
	if err != nil {
		f.Fatal(err)
	}
	return len(replicas.Sessions)
}

// reportShares waits until all orgs are held, each replica holds some, and for a
// while nothing is handed over; and reports the shares.
func (f *fleet) reportShares(r *report, name string) {
	f.Helper()
	counts := map[string]int{}
	f.until("orgs are shared out", patience, func() bool {
		before := f.holders()
		clear(counts)
		for _, holder := range before {
			counts[holder]++
		}
		f.pause(2 * time.Second)
		return len(before) == shareOrgs && len(counts) == 3 && maps.Equal(before, f.holders())
	})
	if r == nil {
		return
	}
	sorted := slices.Sorted(maps.Values(counts))
	even := float64(shareOrgs) / 3
	progress("sharing: %v", counts)
	r.Target(name, fmt.Sprint(sorted), "75 to 125", float64(sorted[0]) >= 0.75*even && float64(sorted[2]) <= 1.25*even)
}

// takeover ends a replica, and returns after what time each of the orgs that it
// held was asked by another, as the orgs saw it.
func (f *fleet) takeover(name string, end func() time.Time) []time.Duration {
	f.Helper()
	held := f.holders()
	maps.DeleteFunc(held, func(_, holder string) bool { return holder != name })
	at := end()
	var delays []time.Duration
	f.until("all orgs of "+name+" are polled by another", patience, func() bool {
		delays = delays[:0]
		polls := f.orgs.polls(f.T, 0, at)
		for instance := range held {
			i := slices.IndexFunc(polls[instance], func(p polled) bool { return p.Token != name })
			if i >= 0 {
				delays = append(delays, polls[instance][i].At.Sub(at))
			}
		}
		return len(delays) == len(held)
	})
	progress("sharing: %s ended, its %d orgs polled again after %s at most", name, len(delays), longest(delays))
	return delays
}

// audit holds the stream against the log of each org.
func (f *fleet) audit(r *report) {
	f.Helper()
	progress("sharing: audit")
	events, wrong := 0, 0
	for i := range shareOrgs {
		instance := f.orgs.groups[0].instance(i)
		a := jetstest.Audit{Stream: jets.StreamSignals, Events: jets.SubjectEvents(okta.Kind.Name, instance),
			Positions: jets.SubjectPosition(okta.Kind.Name, instance), Log: f.orgs.log(f.T, instance)}
		events += len(a.Log)
		if err := f.audited(a); err != nil {
			wrong++
			f.Errorf("%s: %v", instance, err)
		}
	}
	r.Target("audit: orgs with an event lost, doubled or out of order", fmt.Sprint(wrong), "0", wrong == 0)
	r.Plain("events stored", thousands(float64(events)))
}

func (f *fleet) audited(a jetstest.Audit) error {
	ctx, cancel := context.WithTimeout(f.Context(), 30*time.Second)
	defer cancel()
	stream, err := f.js.Stream(ctx, a.Stream)
	if err != nil {
		return err
	}
	f.until("all events are stored", time.Minute, func() bool {
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(a.Events))
		return err != nil || info.State.Subjects[a.Events] >= uint64(len(a.Log))
	})
	return a.Run(ctx, f.js)
}
