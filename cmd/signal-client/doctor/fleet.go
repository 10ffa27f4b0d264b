package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/overview"
)

func (s *surroundings) fleetChecks() []check {
	if s.conn == nil {
		return []check{skipped(groupFleet, "replicas", notReached), skipped(groupFleet, "owners", notReached), skipped(groupFleet, "locks", notReached), skipped(groupFleet, "credentials", notReached)}
	}
	return []check{
		one(groupFleet, "replicas", s.whole(s.replicasFound)),
		one(groupFleet, "owners", s.whole(s.owners)),
		one(groupFleet, "locks", s.whole(s.locks)),
		one(groupFleet, "credentials", s.credentials),
	}
}

// whole wraps a check that needs the buckets.
func (s *surroundings) whole(check func(d *observation)) func(context.Context, *observation) {
	return func(_ context.Context, d *observation) {
		if s.fleetErr != nil {
			d.failed(s.fleetErr)
			return
		}
		check(d)
	}
}

// replicasFound reports which processes are alive.
func (s *surroundings) replicasFound(d *observation) {
	if len(s.replicas.Sessions) == 0 {
		d.wrong("no process is polling", "signal-client run")
		return
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.replicas.Sessions)) {
		names = append(names, fmt.Sprintf("%s (%s)", name, term.Count(len(s.replicas.HeldBy(name)), "org")))
		if ago, late := s.overdue(s.replicas.Sessions[name]); late {
			d.wrong(fmt.Sprintf("the session of %s was renewed %s ago and has not expired: NATS is not storing anything", name, term.Span(ago)),
				"look at the server's log; if JetStream is full, give it more room (max_file_store, the disk) or the streams fewer bytes; an embedded server continues by itself when its disk has room")
		}
		if declines := s.replicas.Sessions[name].Declines; len(declines) > 0 {
			d.warn(fmt.Sprintf("%s declines %s", name, few(declines)), "see why: signal-client status --replicas")
		}
	}
	d.fact("%d alive: %s", len(names), few(names))
}

// expiryGrace is how late a session may expire: a change of leader takes NATS seconds.
const expiryGrace = 10 * time.Second

// overdue reports whether a session should have expired, and how long ago it was renewed.
func (s *surroundings) overdue(session locks.Session) (ago time.Duration, late bool) {
	ago = s.now.Add(s.skewOf(jets.BucketLocks)).Sub(session.RenewedAt)
	return ago, session.TTL > 0 && ago > session.TTL+expiryGrace
}

// skewOf returns how far the clock of a bucket's server is ahead of the local one.
func (s *surroundings) skewOf(bucket string) time.Duration {
	for _, i := range s.streams {
		if i.Name == bucket && i.Info != nil {
			return i.Skew
		}
	}
	return 0
}

// owners reports enabled orgs that nobody polls.
func (s *surroundings) owners(d *observation) {
	var unowned []string
	enabled := 0
	for _, o := range s.orgs() {
		if !o.stored || !o.enabled() {
			continue
		}
		enabled++
		if s.replicas.Holder(jets.Key(o.kind.Name, o.instance)) == "" {
			unowned = append(unowned, o.instance)
		}
	}
	switch {
	case s.writtenErr != nil:
		d.failed(s.writtenErr)
	case len(unowned) > 0 && len(s.replicas.Sessions) == 0:
		d.wrong("nobody polls "+few(unowned), "signal-client run")
	case len(unowned) > 0:
		d.wrong("nobody polls "+few(unowned), "see the last error in: signal-client status; a released lock is taken within seconds")
	case enabled == 0 && len(s.instances) > 0:
		d.skip("none of the given orgs is enabled in INTEGRATIONS")
	case enabled == 0:
		d.fact("no org is enabled in INTEGRATIONS")
	default:
		d.fact("each of %s enabled is polled", term.Count(enabled, "org"))
	}
}

// locks reports locks of sessions that have ended.
func (s *surroundings) locks(d *observation) {
	var void []string
	held := 0
	for _, key := range slices.Sorted(maps.Keys(s.replicas.Locks)) {
		if s.replicas.Holder(key) != "" {
			held++
		} else {
			_, instance, _ := strings.Cut(key, ".")
			void = append(void, instance)
		}
	}
	if len(void) > 0 {
		d.warn(fmt.Sprintf("%s void, because their sessions have ended: %s", term.Count(len(void), "lock"), few(void)), "nothing to do: the next poller takes them")
	}
	d.fact("%d held", held)
}

// progress reports how far an org is complete.
func (s *surroundings) progress(o org, d *observation) {
	status, known := s.statuses[o.instance]
	switch {
	case s.conn == nil:
		d.skip(notReached)
		return
	case s.fleetErr != nil:
		d.skip("its status can't be read")
		return
	case o.entry.Err != nil, (o.stored || o.ours) && !o.entry.Integration.Enabled:
		d.skip("it is not polled")
		return
	case !known || status.UpdatedAt.IsZero():
		d.warn("it has not been polled yet", "wait a few seconds, or start a process: signal-client run")
		return
	}
	s.judge(o, status, d)
}

func (s *surroundings) judge(o org, status pipeline.Status, d *observation) {
	behind := "no watermark yet"
	if !status.CompleteThrough.IsZero() {
		behind = "complete up to " + term.Relative(status.CompleteThrough, s.now)
	}
	facts := fmt.Sprintf("%s, %s", status.State, behind)
	late := time.Duration(status.LagSeconds*float64(time.Second)) > tolerance(o)
	switch status.State {
	case pipeline.StateUnowned:
		d.wrong("nobody polls it, "+behind, "signal-client run")
	case pipeline.StateRefused, pipeline.StateConfig:
		d.wrong(facts+": "+term.Cut(status.LastError, 200), "correct what it names; the change applies within seconds")
	case pipeline.StateRetrying:
		d.warn(facts+": "+term.Cut(status.LastError, 200), fmt.Sprintf("nothing to do unless it persists; for a page that takes too long: signal-client integrations set %s limit=200; for a link that Okta refuses: signal-client cursor reopen %s --since <time>", o.instance, o.instance))
	case pipeline.StateCatchingUp, pipeline.StateThrottled:
		if late {
			d.warn(facts, "nothing to do: the org's rate limit and settings.rate_share decide how fast it catches up")
		}
	default:
		if late {
			d.wrong(facts, "look at the service's log and at: signal-client status")
		}
	}
	if gap := status.Gap; gap != nil {
		d.warn(fmt.Sprintf("events from %s until %s may be missing for good: they were not read while Okta kept them", gap.From.Format(time.RFC3339), gap.Until.Format(time.RFC3339)),
			"nothing to do: it is reported for 90 days; see: signal-client cursor history "+o.instance)
	}
	if status.Assumed != "" {
		d.warn("assumed, because Okta did not say which org it is: "+status.Assumed,
			"check it; another org needs another name: signal-client integrations add")
	}
	d.fact("%s", facts)
	if status.LastEvent != nil {
		if at, ok := overview.LastEvent(status).(time.Time); ok {
			d.fact("last event %s", term.Relative(at, s.now))
		}
	}
}

// tolerance returns how far behind an org may be, as in the alert SignalClientStalled.
func tolerance(o org) time.Duration {
	interval := cmp.Or(o.entry.Integration.PollInterval, 5*time.Minute)
	return 3*interval + 10*time.Minute
}
