package run

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/fleet"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/overview"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/limiter"
)

// work polls until ctx ends, then stops in reverse order: fleet, session (frees the
// locks), STATUS writer. The next holders of the locks have the last word in STATUS all
// the same.
func (s *Service) work(ctx context.Context, store *jets.Store) error {
	advisories := telemetry.NewAdvisories(store.Conn, time.Duration(s.Config.Process.SilentAfter), s.Log)
	seen := new(jets.SnapshotSeen)
	locks, err := locks.New(store, locks.Config{Seen: seen, Replica: s.Config.Process.Replica, TTL: time.Duration(s.Config.Process.SessionTTL), Log: s.Log,
		Took: func(instance string, from locks.Lock, expired bool) {
			s.metrics.Took(expired)
			advisories.Took(instance, from, expired)
		}})
	if err != nil {
		return err
	}
	statuses, strips := buckets.NewStatuses(store, s.Log), buckets.NewStrips(store, s.Log)
	afterwards := context.WithoutCancel(ctx)
	defer inBackground(afterwards, statuses.Run)()
	defer inBackground(afterwards, strips.Run)()
	defer inBackground(afterwards, locks.Run)()
	context.AfterFunc(ctx, locks.Leave)
	advisories.Replica = locks.Replica
	notifier := notify.New(&buckets.Notifications{Store: store}, locks.Replica, s.Config.Network.Source().Receivers(), s.Log)
	advisories.Sent = notifier.Notify
	defer inBackground(ctx, notifier.Run)()
	defer inBackground(afterwards, advisories.Run)()

	b := &telemetry.StatusBoard{
		Replica: locks.Replica,
		Publish: func(status pipeline.Status) { statuses.Put(status); strips.Put(status) },
		Erase: func(kind *pipeline.Kind, instance string) {
			statuses.Delete(kind, instance)
			strips.Leave(kind, instance)
		},
		Leave: func(kind *pipeline.Kind, instance string) {
			statuses.Leave(kind, instance)
			strips.Leave(kind, instance)
		},
		Silence: stalledAfter + time.Duration(s.Config.Process.RequestTimeout),
	}
	for _, i := range s.unowned.static {
		b.Static = map[string]json.RawMessage{i.Instance: s.Config.Okta.Public()}
	}
	spans, err := telemetry.NewSpans(ctx, locks.Replica(), s.Log)
	if err != nil {
		s.Log.Warn("traces are not exported", "err", err)
	}
	defer spans.End()
	trace := pipeline.Traces(s.metrics.Trace(), b.Trace(), advisories.Trace(), spans.Trace(), s.Trace)
	a := s.assemble(store, seen, locks, b, trace)
	defer inBackground(ctx, a.backlogs.Run)()
	defer inBackground(ctx, func(ctx context.Context) error { return s.reload(ctx, a) })()
	defer a.instances.Listen(store.Conn.NATS, s.Log)()
	defer inBackground(ctx, (&telemetry.Presence{Conn: store.Conn, Replica: locks.Replica, Board: b, Log: s.Log}).Run)()
	defer inBackground(ctx, func(ctx context.Context) error {
		if err := pipeline.Sleep(ctx, 2*time.Duration(s.Config.Process.SessionTTL)); err != nil { // wait out the sessions of killed processes
			return err
		}
		return overview.Forget(ctx, store)
	})()
	streams := &streamWatch{store: store, advisories: advisories, log: s.Log}
	s.metrics.WatchStreams(streams.Faults)
	defer inBackground(ctx, streams.Run)()
	known := s.unowned
	known.Begin(b, locks)
	s.metrics.WatchTokens(b.IdleTokens)
	defer everyWhile(ctx, time.Minute, func() { advisories.Idle(b.IdleTokens()) })()
	defer everyWhile(ctx, unownedEvery, known.Count)()
	defer everyWhile(ctx, time.Second, (&vigil{conn: store.Conn, locks: locks, unowned: known, log: s.Log}).Look)()

	s.ready.Waiting("integrations are not loaded yet")
	held := &ownership{Locks: s.owners(locks), metrics: s.metrics, board: b, gone: advisories.Gone, known: a.Known, status: func(ctx context.Context, kind *pipeline.Kind, instance string) (pipeline.Status, error) {
		return buckets.ReadStatus(ctx, store.Of(kind), instance)
	}}
	all := &buckets.Integrations{Store: store, Seen: seen, Log: s.Log}
	if s.secrets.Keys != nil {
		sealing := newSealing(all, s.Log)
		all.Plain = sealing.Found
		defer inBackground(ctx, sealing.Run)()
	}
	err = s.fleet(a, all, held, known, streams).Run(ctx)
	s.Log.Info("polling ended")
	return err
}

// owners returns the locks that the fleet uses.
func (s *Service) owners(l *locks.Locks) pipeline.Locks {
	if s.Locks == nil {
		return l
	}
	return s.Locks(l)
}

// assemble returns what polls, within this process's bounds.
func (s *Service) assemble(store *jets.Store, seen *jets.SnapshotSeen, locks *locks.Locks, b *telemetry.StatusBoard, trace *pipeline.Trace) *assembly {
	within := newBounds(s.Config.Process)
	s.metrics.WatchBounds(within.requests, within.pages)
	exchanges := map[*pipeline.Kind]limiter.Exchange{}
	for _, kind := range store.Kinds {
		exchanges[kind] = buckets.NewBudgets(store.Of(kind))
	}
	return &assembly{
		kinds: s.kinds(), store: store, seen: seen, locks: locks, http: s.HTTP, network: s.network(), timeout: time.Duration(s.Config.Process.RequestTimeout),
		metrics: s.metrics, board: b, trace: trace, log: s.Log,
		origins:    origins{exchanges: exchanges, replica: locks.Replica()},
		bounds:     within,
		backlogs:   &backlogs{kept: &buckets.Backfills{Store: store}, room: within.backlogs, replica: locks.Replica, log: s.Log},
		auditEvery: time.Duration(s.Config.Process.AuditEvery),
	}
}

// network returns what makes the clients of orgs; nil: there is one client for all.
func (s *Service) network() *source.Network {
	if s.HTTP != nil {
		return nil
	}
	return s.Config.Network.Source()
}

// fleet returns the fleet that polls the instances of INTEGRATIONS and of the
// environment.
func (s *Service) fleet(a *assembly, all *buckets.Integrations, held *ownership, known *unownedCount, streams *streamWatch) *fleet.Fleet {
	return &fleet.Fleet{
		Integrations: &orgCountLog{
			Integrations: all, static: len(known.static), log: s.Log, hint: s.firstStep(),
			loaded: func(entries map[string]pipeline.Entry) {
				known.Set(entries)
				s.ready.Check(func() string { return s.unready(a, known, streams) }, func() []string {
					faults, _ := known.Faults()
					return faults
				})
				s.ready.Waiting("")
			},
		},
		Locks:  held,
		Static: known.static,
		Poll:   a.Poll,
		Report: a.Report,
		Log:    s.Log,
	}
}

// unready returns why nothing can be polled here now; empty: something can.
func (s *Service) unready(a *assembly, known *unownedCount, streams *streamWatch) string {
	if s.server != nil {
		if trouble := s.server.Trouble(); trouble != "" {
			return trouble
		}
	}
	if away := s.nats.Away(); away != "" {
		return away
	}
	if !a.locks.Live() {
		return "the session in LOCKS is not renewed: nothing is polled until it is"
	}
	if unfit := streams.Unready(); unfit != "" {
		return unfit
	}
	if faults, all := known.Faults(); all {
		return strings.Join(faults, "\n")
	}
	return ""
}

// stalledAfter is how long a held instance may be overdue without a sign of life: it
// waits for memory or NATS, or something is stuck.
const stalledAfter = 5 * time.Minute

// count starts the metrics of NATS and of the integrations.
func (s *Service) count() error {
	static, err := s.static()
	if err != nil {
		return err
	}
	s.metrics = telemetry.NewMetrics()
	s.unowned = &unownedCount{metrics: s.metrics, static: static}
	s.metrics.WatchIntegrations(s.unowned.States, s.unowned.replicas)
	s.metrics.WatchNATS(s.nats.figures)
	s.metrics.WatchReady(s.ready.Reasons)
	if s.Index != nil {
		s.metrics.WatchSearch(s.Index.Progress)
	}
	return nil
}

// static returns the instance from the environment, if there is one.
func (s *Service) static() ([]pipeline.Integration, error) {
	if s.Config.Okta.IsZero() {
		return nil, nil
	}
	i, err := s.Config.Okta.Integration()
	if err != nil {
		return nil, fmt.Errorf("instance from the environment: %w", err)
	}
	i.Static, i.Kind = true, s.kinds().Of(i).Kind // a simulation has its own
	return []pipeline.Integration{i}, nil
}

// firstStep returns how to add the first org.
func (s *Service) firstStep() string {
	server := ""
	if at := s.Config.Server.Listen; s.Config.NATS.Embedded() && at != config.DefaultListen {
		server = "SIGNAL_CLIENT_NATS_LISTEN=" + config.Reachable(at) + " "
	}
	if dir := s.Config.Server.DataDir; s.Config.NATS.Embedded() && dir != config.DefaultDataDir {
		server += "SIGNAL_CLIENT_DATA_DIR=" + dir + " "
	}
	if s.Console != nil {
		return "add an org in the console, or with: " + server + cli.FirstCommand
	}
	return "add an org with: " + server + cli.FirstCommand
}

// inBackground runs f until the returned function is called, which waits for it.
func inBackground(ctx context.Context, f func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = f(ctx) }) // its error is ctx's, or can be ignored
	return func() { cancel(); wg.Wait() }
}
