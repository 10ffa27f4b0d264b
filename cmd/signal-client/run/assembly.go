package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/source"
)

// assembly assembles and polls instances, and holds what they share.
type assembly struct {
	kinds     kinds.Kinds
	store     *jets.Store
	seen      *jets.SnapshotSeen
	locks     *locks.Locks
	http      *http.Client    // of all orgs; nil: each org's by network
	network   *source.Network // nil beside http
	timeout   time.Duration   // of one request
	metrics   *telemetry.Metrics
	board     *telemetry.StatusBoard
	trace     *pipeline.Trace // the hooks of all listeners, metrics and board included
	log       *slog.Logger
	bounds    bounds
	origins   origins
	instances instances
	backlogs  *backlogs // nil: none

	auditEvery time.Duration // 0: no standing audits
}

// Runner assembles one instance. This is a page's whole way: the org's limiter lets the
// client send a request, behind the instance's breaker; the runner carries the client's
// page to the sink.
func (s *assembly) Runner(i pipeline.Integration, token pipeline.Credential, able func(error)) *pipeline.Runner {
	clock, own := s.origins.Of(i).clock, s.instances.Of(i.Instance)
	client, query := s.client(i, token, i.RateShare, false), orgs.QueryOf(i, clock)
	query.Org = client.Organization
	return &pipeline.Runner{
		Kind:     i.Kind.Name,
		Instance: i.Instance,
		Source:   informed{own.Guard(client, i, token, s.trace), s.heard},
		Sink:     signals.New(s.store.Of(i.Kind), i.Instance, query, s.trace, s.log),
		Clock:    clock,
		Interval: i.PollInterval,
		Backlog:  s.backlog(i, token),
		Able:     able,
		Org:      client.Organization,
		Wake:     own.wake,
		Quiet:    s.natsAway,
		Trace:    s.trace,
		Log:      s.log,
	}
}

// heard waits, after a reconnect, for a snapshot of INTEGRATIONS.
func (s *assembly) heard(ctx context.Context) error { return s.seen.Wait(ctx, s.store.Conn) }

// client returns a client of an instance's org, within a share of its limit. later: its
// requests are not urgent.
func (s *assembly) client(i pipeline.Integration, token pipeline.Credential, share float64, later bool) source.Client {
	return s.kinds.Of(i).Client(i, token, source.Options{
		HTTP:      s.httpOf(i),
		Timeout:   s.timeout,
		Limiter:   s.origins.Of(i).limiter,
		Share:     share,
		Session:   s.instances.Of(i.Instance).Session(i, token),
		InFlight:  s.bounds.requests,
		Memory:    s.bounds.pages,
		Later:     later,
		Trace:     s.trace,
		UserAgent: build.Read().UserAgent(),
	})
}

// later returns a source for requests that are not urgent, within the instance's share.
func (s *assembly) later(i pipeline.Integration, token pipeline.Credential, share float64) pipeline.Source {
	return informed{s.client(i, token, min(share, i.RateShare), true), s.heard}
}

// backlog returns an instance's backlog, read between its polls. It has no breaker of its
// own: each batch follows a successful poll.
func (s *assembly) backlog(i pipeline.Integration, token pipeline.Credential) pipeline.Backlog {
	if s.backlogs == nil {
		return nil
	}
	ask := func(share float64) pipeline.Source { return s.later(i, token, share) }
	return s.backlogs.Of(i, ask)
}

// informed is a Source that waits, after a disconnect, until the process has read
// INTEGRATIONS again.
type informed struct {
	pipeline.Source
	heard func(context.Context) error
}

// Poll implements pipeline.Source.
func (i informed) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	if err := i.heard(ctx); err != nil {
		return pipeline.Page{}, fmt.Errorf("wait for %s: %w", jets.BucketIntegrations, err)
	}
	return i.Source.Poll(ctx, link)
}

// Poll is Fleet.Poll: it polls an instance until ctx ends, and reports whether its org
// can be polled from here. If no token can be read, it returns an error that matches
// pipeline.ErrConfig.
func (s *assembly) Poll(ctx context.Context, i pipeline.Integration, able func(error)) error {
	s.metrics.Acquired(i)
	token, err := i.Kind.Credential(ctx, i)
	if err != nil {
		return s.kinds.Of(i).Mark(err)
	}
	// Once only: a changed credential has another cap.
	if known := s.instances.Of(i.Instance).cap.Swap(nil); known != nil {
		s.origins.Of(i).limiter.Remember(token, *known)
	}
	for {
		if err := s.reach(ctx, i); err != nil {
			return s.kinds.Of(i).Mark(err)
		}
		err := s.poll(ctx, i, token, able)
		rotated, ok := errors.AsType[*rotatedTo](err)
		if !ok {
			return err
		}
		token = rotated.Credential
	}
}

// reach has the instance's org asked through its proxy, and by its authorities.
func (s *assembly) reach(ctx context.Context, i pipeline.Integration) error {
	if s.network == nil {
		return nil
	}
	client, err := s.network.Client(ctx, i)
	if err == nil {
		s.instances.Of(i.Instance).Reach(client)
	}
	return err
}

// httpOf returns the client that reach has set; nil: none yet.
func (s *assembly) httpOf(i pipeline.Integration) *http.Client {
	return cmp.Or(s.http, s.instances.Of(i.Instance).HTTP())
}

// authorityLook is how often a file of authorities is read.
const authorityLook = 5 * time.Second

// lookAtAuthorities begins the poll anew when the file of the instance's authorities has
// others. While it can't be read, because it is being replaced, polling continues with
// those read before.
func (s *assembly) lookAtAuthorities(ctx context.Context, i pipeline.Integration, token pipeline.Credential, end context.CancelCauseFunc) (stop func()) {
	if s.network == nil || i.CAFile == "" {
		return func() {}
	}
	said := rarely{every: time.Hour}
	return everyWhile(ctx, authorityLook, func() {
		client, err := s.network.Client(ctx, i)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			said.Do(err.Error(), func() {
				s.log.Warn(i.Kind.Name+": the authorities can't be read; polling continues with those read before", "instance", i.Instance, "err", err)
			})
		case client != s.httpOf(i):
			s.log.Info(i.Kind.Name+": the file of the authorities has others", "instance", i.Instance, "file", i.CAFile)
			end(&rotatedTo{token})
		}
	})
}

// Known takes over what the previous holder of an instance has learned of its credential:
// the next poll uses it.
func (s *assembly) Known(before pipeline.Status) {
	if before.RateLimit != nil {
		s.instances.Of(before.Instance).cap.Store(before.RateLimit.Cap)
	}
}

// poll polls with a token until the token changes.
func (s *assembly) poll(ctx context.Context, i pipeline.Integration, token pipeline.Credential, able func(error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.trace.Rotation(i.Instance, pipeline.Rotation{}) // that of an earlier poll
	if r := s.newRotation(ctx, i, token, cancel); r != nil {
		rotating, end := context.WithCancel(ctx)
		stop := inBackground(rotating, r.Run)
		defer stop()
		defer end() // first, because reading a file may take time
		if i.CredentialFile() != "" {
			defer s.instances.Of(i.Instance).Looks(r.Look)()
		}
		able = r.Watch(able)
	}
	defer s.lookAtAuthorities(ctx, i, token, cancel)()
	defer s.auditing(ctx, i, token)()
	if err := s.Runner(i, token, able).Run(ctx); err != nil {
		return err
	}
	rotated, ok := errors.AsType[*rotatedTo](context.Cause(ctx))
	if ok {
		return rotated
	}
	return nil
}

// everyWhile calls f at intervals until ctx ends or stop is called, which waits for a
// running call.
func everyWhile(ctx context.Context, every time.Duration, f func()) (stop func()) {
	return inBackground(ctx, func(ctx context.Context) error {
		for pipeline.Sleep(ctx, every) == nil {
			f()
		}
		return nil
	})
}

// Report records the fleet's states of instances that are not polled.
func (s *assembly) Report(i pipeline.Integration, state pipeline.State, err error) {
	if state == "" { // deleted
		s.instances.Forget(i.Instance)
	}
	if err != nil && errors.Is(err, pipeline.ErrNewer) {
		err = fmt.Errorf("%w: use the newest signal-client that has worked on this stream", err)
	}
	if _, elsewhere := errors.AsType[*locks.NameTakenError](err); elsewhere {
		s.board.Taken(i.Instance) // the holder writes STATUS
		return
	}
	if state == pipeline.StateDisabled {
		s.board.Rest(i, s.tokenUsed(i))
		return
	}
	s.board.Report(i, state, err)
}

// tokenUsed returns when the instance's API token was last used, by STATUS, which it survives
// in while the instance is disabled; zero: not known.
func (s *assembly) tokenUsed(i pipeline.Integration) time.Time {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	before, err := buckets.ReadStatus(ctx, s.store.Of(i.Kind), i.Instance)
	if err != nil {
		s.log.Debug("it is not known when a token was last used", "instance", i.Instance, "err", err)
	}
	return before.TokenUsedAt
}
