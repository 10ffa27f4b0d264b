package overview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
)

// Read reads the buckets once and combines them.
func Read(ctx context.Context, store *jets.Store, now time.Time) ([]pipeline.Status, locks.Replicas, error) {
	stored, err := buckets.AllStatuses(ctx, store)
	replicas, err2 := locks.ReadReplicas(ctx, store)
	entries, err3 := (&buckets.Integrations{Store: store}).All(ctx, named(replicas))
	if err := errors.Join(jets.IgnoreMissingBucket(err), jets.IgnoreMissingBucket(err2), jets.IgnoreMissingBucket(err3)); err != nil {
		return nil, replicas, err
	}
	return Statuses(Overview{Statuses: stored, Entries: entries, Replicas: replicas}, now), replicas, nil
}

// Statuses combines the buckets by instance.
func Statuses(v Overview, now time.Time) []pipeline.Status {
	each := map[string]pipeline.Status{}
	for _, s := range v.Statuses {
		if e, ok := v.Entries[s.Instance]; !ok || e.Integration.Kind == s.Kind { // else it had that name once
			each[s.Instance] = s
		}
	}
	for instance, e := range v.Entries {
		if _, known := each[instance]; !known {
			each[instance] = pipeline.Status{Kind: e.Integration.Kind, Version: 1, Instance: instance, State: pipeline.StateNew}
		}
	}
	all := []pipeline.Status{} // [] rather than null
	for _, instance := range slices.Sorted(maps.Keys(each)) {
		s := each[instance]
		s.Holder = cmp.Or(v.Replicas.Holder(keyOf(s)), s.Holder)
		entry, stored := v.Entries[instance]
		s = asOf(now, s, speaks(v.Replicas, s), stored, entry)
		if s.Holder != "" {
			s = unstored(now, s, v.Replicas.Sessions[s.Holder])
		}
		all = append(all, s)
	}
	return all
}

func keyOf(s pipeline.Status) string { return jets.Key(s.Kind.Name, s.Instance) }

// unstoredAfter is how long after its end a session must remain before it shows that NATS
// stores nothing: longer than two machines' clocks usually differ.
const unstoredAfter = 2 * time.Minute

// unstored marks a status as outdated whose holder can't write because NATS stores
// nothing: its session is neither renewed nor expires.
func unstored(now time.Time, s pipeline.Status, session locks.Session) pipeline.Status {
	ago := now.Sub(session.RenewedAt)
	if session.TTL <= 0 || ago < session.TTL+unstoredAfter {
		return s
	}
	s.State = pipeline.StateRetrying
	s.LastError = fmt.Sprintf("NATS has stored nothing of %s for %d min: it may be full; see signal-client doctor", s.Holder, int(ago.Minutes()))
	return s
}

// speaks reports whether the writer of a status is alive to write the next one. A live
// holder may be without the lock for a moment, between two tries to read a token, say;
// but a status from before its session began is from an earlier process of the same name.
func speaks(r locks.Replicas, s pipeline.Status) bool {
	session := r.Sessions[s.Holder]
	return r.Holder(keyOf(s)) != "" || session.ID != "" && !s.UpdatedAt.Before(session.StartedAt)
}

// asOf returns the current status: the stored one may be old, and its writer gone.
func asOf(now time.Time, s pipeline.Status, held, stored bool, entry pipeline.Entry) pipeline.Status {
	if !s.CompleteThrough.IsZero() {
		s.LagSeconds = max(0, now.Sub(s.CompleteThrough).Seconds())
	}
	switch {
	case stored && entry.Err != nil:
		s.State, s.LastError = pipeline.StateConfig, entry.Err.Error()
	case stored && !entry.Integration.Enabled:
		s.State, s.LastError = pipeline.StateDisabled, ""
	case held:
		return s
	case s.UpdatedAt.IsZero():
		s.State = pipeline.StateNew
	default:
		s.State = pipeline.StateUnowned
	}
	s.Holder, s.NextPoll = "", time.Time{}
	return s
}
