package run

import (
	"context"
	"crypto/sha256"
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/pipeline"
)

// hangups tells of each SIGHUP, which ends the process no more. Those that come while
// one is waited for are one.
func hangups() <-chan os.Signal {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	return hup
}

// reload reads again, at each SIGHUP, what can change while the process runs, and says
// what that came to.
func (s *Service) reload(ctx context.Context, stage *assembly) error {
	files := fingerprint(ctx, s.Config.NATS)
	for {
		select {
		case <-s.hup:
		case <-ctx.Done():
			return ctx.Err()
		}
		looked, changed, failed := stage.looks.All()
		now := fingerprint(ctx, s.Config.NATS)
		renewed := now != files
		files = now
		s.Log.Info("SIGHUP: token files and the files of NATS are read again; variables and flags, such as the log level, take a restart",
			"token_files", looked, "changed", changed, "failed", failed, "nats_files_changed", renewed)
		if !renewed {
			continue
		}
		s.Log.Info("nats: connecting anew with the changed files")
		if err := stage.store.Conn.NATS.ForceReconnect(); err != nil {
			s.Log.Warn("nats: not connected anew", "err", err)
		}
	}
}

// fingerprint changes with the files that NATS is reached with.
func fingerprint(ctx context.Context, c config.NATS) [sha256.Size]byte {
	all := sha256.New()
	for _, path := range []string{c.Creds, c.CA, c.Cert, c.Key, c.NKey} {
		if path == "" {
			continue
		}
		data, err := pipeline.ReadFile(ctx, path, 1<<20)
		if err != nil {
			data = []byte(err.Error())
		}
		part := sha256.Sum256(data)
		_, _ = all.Write(part[:])
	}
	return [sha256.Size]byte(all.Sum(nil))
}

// looks are those at the files of tokens, of the instances that are polled. Its zero
// value is ready; it is safe for concurrent use.
type looks struct {
	mu   sync.Mutex
	each map[string]func() (changed bool, err error) // by instance
}

// Add has SIGHUP look at an instance's file too, until the function that it returns is
// called.
func (l *looks) Add(instance string, look func() (bool, error)) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each == nil {
		l.each = map[string]func() (bool, error){}
	}
	l.each[instance] = look
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.each, instance)
	}
}

// All looks at all files, and returns how many they are, and the instances whose file
// holds another token, or can't be read.
func (l *looks) All() (looked int, changed, failed []string) {
	l.mu.Lock()
	each := maps.Clone(l.each)
	l.mu.Unlock()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for instance, look := range each {
		wg.Go(func() {
			another, err := look()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, instance)
			} else if another {
				changed = append(changed, instance)
			}
		})
	}
	wg.Wait()
	slices.Sort(changed)
	slices.Sort(failed)
	return len(each), changed, failed
}
