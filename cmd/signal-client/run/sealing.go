package run

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/seal"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// openSecrets reads the keys that seal credentials. beside: the service's own NATS server
// is embedded, and started.
func (s *Service) openSecrets(ctx context.Context, beside bool) (err error) {
	c := s.Config
	switch {
	case s.Idle:
		s.secrets, err = c.Secrets.Open(ctx, c.NATS, c.Server)
		if keys, ok := s.secrets.Keys.(seal.Keys); ok {
			s.keys = &keys
		}
	case beside || c.Secrets.KeyFile != "":
		s.secrets, s.keys, err = c.Secrets.OpenOwn(ctx, c.NATS, c.Server)
	default:
		s.secrets.Dir = c.Secrets.Dir
	}
	if err == nil && s.keys != nil {
		s.Log.Info("credentials in INTEGRATIONS are sealed", "file", s.keys.Path(), "keys", s.keys.String())
		if loose := seal.Loose(s.keys.Path()); loose != "" {
			s.Log.Warn("the file of the keys that seal credentials is open to others", "why", loose, "try", "chmod 600 "+s.keys.Path())
		}
	}
	return err
}

// followKeys reads the file of the keys again when it changes, until the returned function
// is called.
func (s *Service) followKeys(ctx context.Context) (end func()) {
	if s.keys == nil {
		return func() {}
	}
	said := rarely{every: time.Hour}
	return everyWhile(ctx, nextLook, func() {
		changed, err := s.keys.Look(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			said.Do(err.Error(), func() {
				s.Log.Warn("the file of the keys that seal credentials can't be read; those read before are used", "err", err)
			})
		case changed:
			s.Log.Info("the file of the keys that seal credentials has other keys", "keys", s.keys.String())
		}
	})
}

// sealing seals plain credentials that other programs have put into INTEGRATIONS. All
// processes with a key try it; the compare-and-set lets one do it.
type sealing struct {
	all *buckets.Integrations
	log *slog.Logger

	wake  chan struct{} // holds one wake
	mu    sync.Mutex
	found map[string]bool // instances with plain credentials
}

func newSealing(all *buckets.Integrations, log *slog.Logger) *sealing {
	return &sealing{all: all, log: log, wake: make(chan struct{}, 1), found: map[string]bool{}}
}

// Found notes an instance with plain credentials. It never blocks.
func (s *sealing) Found(instance string) {
	s.mu.Lock()
	s.found[instance] = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next returns an instance that was found; empty: there is none.
func (s *sealing) next() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for instance := range s.found {
		delete(s.found, instance)
		return instance
	}
	return ""
}

// Run seals until ctx ends, or until it turns out that this user may not write
// INTEGRATIONS. What fails otherwise is tried again when INTEGRATIONS is read again.
func (s *sealing) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
		for instance := s.next(); instance != ""; instance = s.next() {
			err := s.seal(ctx, instance)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, nats.ErrPermissionViolation):
				s.log.Warn("INTEGRATIONS holds plain credentials, and this user may not write there to seal them",
					"instance", instance, "try", "signal-client keys seal, as a user who may")
				return err
			case err != nil && !errors.Is(err, pipeline.ErrChanged): // a changed one is found again
				s.log.Warn("a plain credential in INTEGRATIONS is not sealed", "instance", instance, "err", err)
			}
		}
	}
}

func (s *sealing) seal(ctx context.Context, instance string) error {
	w, err := s.all.Get(ctx, instance)
	if err != nil || w.Sealing != buckets.SealPlain || w.Shut != "" { // beside what can't be opened, it is not sealed
		return err
	}
	if _, err := w.Read(); err != nil { // it is not sealed before it is corrected
		return nil
	}
	if err := s.all.Seal(ctx, w); err != nil {
		return err
	}
	s.log.Info("the credential that INTEGRATIONS held in plain is sealed; former values with plain ones are removed", "instance", instance)
	return nil
}
