package embedded

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// How often the store is checked, and how long it is not reopened after an attempt: a
// disk that has failed for good must not be hammered.
const (
	lookEvery    = time.Second
	healLeast    = 2 * time.Second
	healMost     = 5 * time.Minute
	healthyAfter = 10 * time.Minute // after this, a fault counts as a new one
)

// Trouble returns, in a sentence, why nothing can be stored now; empty: no known reason.
func (s *Server) Trouble() string {
	if err := s.Short(); err != nil {
		return err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// watch reopens the store after nats-server has given it up: after a failed write, as on
// a full disk, it stores nothing more until it is restarted (nats-server 2.15.2,
// server/filestore.go, setWriteErr, read 2026-11-28).
func (s *Server) watch(ctx context.Context) {
	known, _ := s.refused() // streams that a start, just now, could not recover
	wait, last := healLeast, time.Time{}
	for {
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return
		}
		faults, disabled := s.refused()
		faults = slices.DeleteFunc(faults, func(stream string) bool { return slices.Contains(known, stream) })
		short := s.Short()
		s.tellShort(short)
		s.keepLogin()
		if len(faults) == 0 && !disabled {
			s.say("")
			continue
		}
		what := "the streams " + strings.Join(faults, " ")
		if disabled {
			what = "JetStream"
		}
		s.say(what + " of the embedded NATS server can't be written because a write to the disk failed")
		if short != nil || time.Since(last) < wait {
			continue
		}
		if time.Since(last) > healthyAfter {
			wait = healLeast
		}
		s.config.Log.Warn("nats: the store is reopened because writes to it failed", "refused", what)
		s.stop()
		if err := s.start(ctx); err != nil {
			s.say("the embedded NATS server does not start: " + err.Error())
			s.config.Log.Error("nats: the embedded server does not start", "store", s.config.Dir, "err", err)
		} else {
			known, _ = s.refused()
		}
		last, wait = time.Now(), min(2*wait, healMost)
	}
}

// refused returns the streams that can't be written, and whether that is all of them.
func (s *Server) refused() (streams []string, disabled bool) {
	s.mu.Lock()
	srv := s.nats
	s.mu.Unlock()
	if srv == nil || !srv.JetStreamEnabled() {
		return nil, true
	}
	for _, e := range srv.Healthz(&server.HealthzOptions{Details: true}).Errors {
		switch e.Type {
		case server.HealthzErrorStream:
			streams = append(streams, e.Stream)
		case server.HealthzErrorJetStream:
			disabled = true
		}
	}
	return streams, disabled
}

// tellShort logs when events are held back, and when they no longer are.
func (s *Server) tellShort(short error) {
	switch {
	case (short != nil) == s.told:
	case short != nil:
		s.config.Log.Error("nats: events are held back", "err", short)
	default:
		s.config.Log.Info("nats: the store's disk has room again")
	}
	s.told = short != nil
}

// say records why nothing can be stored, and logs a change.
func (s *Server) say(trouble string) {
	s.mu.Lock()
	was := s.trouble
	s.trouble = trouble
	s.mu.Unlock()
	switch {
	case trouble == was:
	case trouble == "":
		s.config.Log.Info("nats: the store can be written again")
	default:
		s.config.Log.Error("nats: nothing can be stored", "why", trouble)
	}
}
