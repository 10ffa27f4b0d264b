package doctor

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/deadletters"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/overview"
)

// surroundings is what the checks examine, read once.
type surroundings struct {
	*doctor
	now     time.Time
	dial    config.Dialing
	conn    *jets.Conn // nil: not connected, see away
	away    error
	took    time.Duration // to connect
	account *jets.Account
	leftOut map[string]error // optional buckets that the account has no room for, by name

	streams      []jets.Inspection
	statuses     map[string]pipeline.Status
	replicas     locks.Replicas
	written      map[string]buckets.Written
	letters      map[string]uint64 // dead letters, by instance
	opened       pipeline.Secrets
	keysErr      error // why the keys can't be read
	integrations *buckets.Integrations

	accountErr, fitErr, streamsErr, fleetErr, writtenErr, lettersErr error
}

// look connects to NATS and reads everything, each part within the timeout.
func (d *doctor) look(ctx context.Context) *surroundings {
	s := &surroundings{doctor: d, now: time.Now()}
	s.opened, s.keysErr = d.secrets.Open(ctx, d.nats, d.server)
	if s.dial, s.away = d.nats.To(d.server); s.away != nil {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	s.conn, s.away = s.dial.Connect(ctx, slog.New(slog.DiscardHandler))
	s.took = time.Since(s.now)
	if s.away == nil {
		s.read(ctx)
	}
	return s
}

func (s *surroundings) close() {
	if s.conn != nil {
		s.conn.Close()
	}
}

// read reads from NATS what the checks need. Each part has its own error.
func (s *surroundings) read(ctx context.Context) {
	store := jets.Attach(s.conn, kinds.All.Plain()...).With(s.opened)
	s.integrations = &buckets.Integrations{Store: store}
	var wg sync.WaitGroup
	wg.Go(func() { s.account, s.accountErr = s.conn.Account(ctx) })
	wg.Go(func() { s.leftOut, s.fitErr = s.conn.Fits(ctx, s.stream.Asked()) })
	wg.Go(func() { s.streams, s.streamsErr = s.conn.Inspect(ctx, s.stream.Asked()) })
	wg.Go(func() {
		var statuses []pipeline.Status
		statuses, s.replicas, s.fleetErr = overview.Read(ctx, store, s.now)
		s.statuses = map[string]pipeline.Status{}
		for _, status := range statuses {
			s.statuses[status.Instance] = status
		}
	})
	wg.Go(func() {
		written, err := s.integrations.Written(ctx)
		s.writtenErr, s.written = jets.IgnoreMissingBucket(err), map[string]buckets.Written{}
		for _, w := range written {
			s.written[w.Instance] = w
		}
	})
	wg.Go(func() {
		var err error
		s.letters, err = deadletters.Count(ctx, store)
		s.lettersErr = jets.IgnoreMissingBucket(err)
	})
	wg.Wait()
}

// asks returns the names of the orgs in INTEGRATIONS that are asked for, sorted.
func (s *surroundings) asks() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.written)), func(instance string) bool { return !s.asked(instance) })
}

type org struct {
	kind     *pipeline.Kind
	instance string
	entry    pipeline.Entry
	stored   bool // in INTEGRATIONS
	ours     bool // from this command's environment
	theirs   bool // from a service's environment, by STATUS
}

// orgs lists, by name, the instances in INTEGRATIONS, in the environment and in STATUS.
func (s *surroundings) orgs() []org {
	each := map[string]org{}
	for instance, status := range s.statuses {
		each[instance] = org{kind: status.Kind, instance: instance}
		if w, ok := orgs.FromStatus(status); ok {
			i, err := orgs.ReadEnvironment(w, s.okta.APITokenFile)
			each[instance] = org{kind: status.Kind, instance: instance, entry: pipeline.Entry{Integration: i, Err: err}, theirs: true}
		}
	}
	if !s.okta.IsZero() && s.oktaFault == nil {
		i, err := s.okta.Integration()
		each[i.Instance] = org{kind: i.Kind, instance: i.Instance, entry: pipeline.Entry{Integration: i, Err: err}, ours: true}
	}
	for instance, w := range s.written {
		i, err := w.Read()
		each[instance] = org{kind: w.Kind, instance: instance, entry: pipeline.Entry{Integration: i, Err: err}, stored: true}
	}
	maps.DeleteFunc(each, func(instance string, _ org) bool { return !s.asked(instance) })
	var all []org
	for _, instance := range slices.Sorted(maps.Keys(each)) {
		all = append(all, each[instance])
	}
	return all
}

// enabled reports whether the org is to be polled, as far as is known here.
func (o org) enabled() bool {
	return (o.stored || o.ours || o.theirs) && o.entry.Err == nil && o.entry.Integration.Enabled
}

// connected reports whether NATS was reached, usable or not.
func (s *surroundings) connected() bool {
	return s.conn != nil || errors.Is(s.away, jets.ErrServerTooOld) || errors.Is(s.away, jets.ErrNoJetStream)
}
