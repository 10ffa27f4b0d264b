package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/source"
)

// rotation changes an instance's credential without a gap. The one to change to,
// credentials.api_token_next or what the credential's file holds now, is tried by one request
// beside the poll, which goes on with the current one until the other has worked. One that
// fails changes nothing: it is tried again after growing pauses, at once when it changes, and
// at once when the org refuses the current one.
//
// Only the process that polls the instance does this, while it holds the lock.
type rotation struct {
	*assembly
	i    pipeline.Integration
	live pipeline.Credential                         // of the poll
	read func() (pipeline.Credential, error)         // what the credential's file holds; nil: there is no file
	use  func(context.Context, nextCredential) error // changes to a credential that has worked

	urgent chan struct{} // holds one: try at once
}

// nextCredential is a credential to change to; zero: there is none.
type nextCredential struct {
	pipeline.Credential
	from string // credentials.api_token_next, or the file
}

// rotatedTo is the cause of a poll's end when the credential's file has another one, which has
// worked.
type rotatedTo struct{ pipeline.Credential }

func (*rotatedTo) Error() string { return "credential changed" }

// newRotation returns what changes an instance's credential; nil: nothing can. end ends the
// poll.
func (s *assembly) newRotation(ctx context.Context, i pipeline.Integration, live pipeline.Credential, end context.CancelCauseFunc) *rotation {
	r := &rotation{assembly: s, i: i, live: live, urgent: make(chan struct{}, 1)}
	switch {
	case i.CredentialFile() != "":
		r.read = s.look(ctx, i)
		r.use = func(_ context.Context, next nextCredential) error {
			end(&rotatedTo{next.Credential})
			return nil
		}
	case !i.TokenNext.IsZero():
		r.use = func(ctx context.Context, next nextCredential) error {
			// The watch of INTEGRATIONS ends ctx as soon as the value is written, maybe before
			// the write is acknowledged; it is to be recorded all the same.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), adoptTime)
			defer cancel()
			err := adopt(ctx, &buckets.Integrations{Store: s.store}, s.locks.Replica(), i)
			if errors.Is(err, errUnstored) && next.Credential != live {
				end(&rotatedTo{next.Credential})
			}
			return err
		}
	default:
		return nil
	}
	return r
}

// adoptTime bounds the write of an adopted token.
const adoptTime = 3 * time.Second

// next returns the credential to change to.
func (r *rotation) next() nextCredential {
	if r.read == nil {
		return nextCredential{r.i.TokenNext, orgs.TokenNextPath}
	}
	if now, err := r.read(); err == nil && now != r.live {
		return nextCredential{now, r.i.CredentialFile()}
	}
	return nextCredential{}
}

// Look reads the credential's file, has another one tried at once, and reports whether it is
// another one.
func (r *rotation) Look() (changed bool, err error) {
	now, err := r.read()
	changed = err == nil && now != r.live
	if changed {
		r.Hurry()
	}
	return changed, err
}

// look returns a reader of the credential's file. If it can't be read, because it is being
// replaced or its file system is away, that is logged, at most hourly, and polling continues
// with the current one. It is safe for concurrent use.
func (s *assembly) look(ctx context.Context, i pipeline.Integration) func() (pipeline.Credential, error) {
	var mu sync.Mutex
	said := rarely{every: time.Hour}
	return func() (pipeline.Credential, error) {
		now, err := i.Kind.Credential(ctx, i)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			said.Do(err.Error(), func() {
				s.log.Warn(i.Kind.Name+": the credential's file can't be read; polling continues with the one read before", "instance", i.Instance, "err", err)
			})
		default:
			said.what = ""
		}
		return now, err
	}
}

// nextLook is how often a credential's file is read: a new one should be used while the
// former one is still valid, or soon after.
const nextLook = 5 * time.Second

// Run tries the credential to change to until ctx ends.
func (r *rotation) Run(ctx context.Context) error {
	pauses := pipeline.Backoff{Min: 30 * time.Second, Max: 15 * time.Minute}
	var tried nextCredential // the newest that was tried
	var due time.Time        // when it is tried again
	for urgent := false; ctx.Err() == nil; urgent = r.wait(ctx) {
		next := r.next()
		changed := next != tried
		switch {
		case ctx.Err() != nil:
		case next == nextCredential{}:
			if changed {
				r.trace.Rotation(r.i.Instance, pipeline.Rotation{})
			}
			tried = next
		case changed, urgent, !time.Now().Before(due):
			if changed {
				pauses.Reset()
			}
			tried, due = next, time.Now().Add(pauses.Next())
			r.change(ctx, next, due, !changed)
		}
	}
	return context.Cause(ctx)
}

// wait waits for the next look. urgent: the org refuses the current credential, or somebody
// asks for a look.
func (r *rotation) wait(ctx context.Context) (urgent bool) {
	timer := time.NewTimer(nextLook)
	defer timer.Stop()
	select {
	case <-r.urgent:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Hurry has the credential to change to tried at once. It never blocks.
func (r *rotation) Hurry() {
	select {
	case r.urgent <- struct{}{}:
	default:
	}
}

// Watch returns able, which also has the credential to change to tried when the org refuses
// the current one.
func (r *rotation) Watch(able func(error)) func(error) {
	return func(err error) {
		if errors.Is(err, pipeline.ErrCredential) {
			r.Hurry()
		}
		able(err)
	}
}

// change tries a credential, and changes to it if it works. repeated: it has failed before,
// which was logged.
func (r *rotation) change(ctx context.Context, next nextCredential, again time.Time, repeated bool) {
	log := r.log.With("instance", r.i.Instance, "credential", next.from)
	err := r.try(ctx, next)
	if err == nil {
		err = r.use(ctx, next)
	}
	switch {
	case errors.Is(err, pipeline.ErrChanged): // the poll ends as soon as INTEGRATIONS is read
	case errors.Is(err, orgs.ErrUnrecorded):
		log.Warn(r.i.Kind.Name+": the new credential has worked and is used now", "err", err)
	case err != nil && ctx.Err() != nil && !errors.Is(err, errUnstored):
	case err != nil:
		level := slog.LevelWarn
		if repeated {
			level = slog.LevelDebug
		}
		log.Log(ctx, level, r.i.Kind.Name+": not changed to the new credential yet", "err", err, "retry_in", time.Until(again).Round(time.Second))
		r.trace.Rotation(r.i.Instance, pipeline.Rotation{From: next.from, Err: err, Again: again, Repeated: repeated})
	default:
		log.Info(r.i.Kind.Name + ": the new credential has worked and is used now")
		r.trace.Rotation(r.i.Instance, pipeline.Rotation{From: next.from})
	}
}

// tryReach is how old an event may be to be asked for by a try.
const tryReach = 24 * time.Hour

// try sends one request, for the newest event. It goes through the org's limiter, and not
// through the instance's breaker: its failure is not the current credential's.
func (r *rotation) try(ctx context.Context, next nextCredential) error {
	if err := r.heard(ctx); err != nil {
		return err
	}
	kind, now := r.kinds.Of(r.i), time.Now()
	_, err := kind.Probe(ctx, r.i, next.Credential, now.Add(-tryReach), now, source.Options{
		HTTP: r.httpOf(r.i), Timeout: r.timeout, Limiter: r.origins.Of(r.i).limiter, Share: r.i.RateShare,
		InFlight: r.bounds.requests, Memory: r.bounds.pages,
		Trace: &pipeline.Trace{Requested: r.trace.Requested}, UserAgent: "signal-client/" + build.Read().Version,
	})
	return kind.Mark(err)
}

// adopt makes api_token_next the api_token in INTEGRATIONS, if both are still the ones that
// were used and tried; else its error matches pipeline.ErrChanged. The watch of INTEGRATIONS
// then has the poll go on with the new one, as after any change.
//
// Killed before the write, or with its outcome unknown, a restart finds either both tokens,
// and tries again, or the new one alone.
func adopt(ctx context.Context, all *buckets.Integrations, replica string, i pipeline.Integration) error {
	_, _, err := orgs.Change(ctx, all, orgs.Author{Who: replica, Via: "rotation"}, i.Instance, func(v orgs.Value) error {
		now, err := v.Read(i.Instance)
		if err != nil || now.Token != i.Token || now.TokenNext != i.TokenNext {
			return pipeline.ErrChanged
		}
		v.AdoptTokenNext()
		return nil
	})
	if err == nil || errors.Is(err, pipeline.ErrChanged) || errors.Is(err, orgs.ErrUnrecorded) {
		return err
	}
	return fmt.Errorf("%w: %w", errUnstored, err)
}

// errUnstored: this process uses api_token_next, but api_token is still the former one: it may
// not be allowed to write INTEGRATIONS.
var errUnstored = errors.New("it works and is used, but INTEGRATIONS can't be written")
