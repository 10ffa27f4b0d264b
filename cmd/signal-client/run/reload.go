package run

import (
	"context"
	"crypto/sha256"
	"os"
	"os/signal"
	"syscall"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/pipeline"
)

// hangups receives each SIGHUP, which no longer ends the process; waiting ones are merged.
func hangups() <-chan os.Signal {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	return hup
}

// reload reads again, at each SIGHUP, what can change while the process runs.
func (s *Service) reload(ctx context.Context, a *assembly) error {
	files := fingerprint(ctx, s.Config.NATS)
	for {
		select {
		case <-s.hup:
		case <-ctx.Done():
			return ctx.Err()
		}
		looked, changed, failed := a.instances.Look()
		now := fingerprint(ctx, s.Config.NATS)
		renewed := now != files
		files = now
		s.Log.Info("SIGHUP: token files and the files of NATS are read again; variables and flags, such as the log level, need a restart",
			"token_files", looked, "changed", changed, "failed", failed, "nats_files_changed", renewed)
		if !renewed {
			continue
		}
		s.Log.Info("nats: reconnecting with the changed files")
		if err := a.store.Conn.NATS.ForceReconnect(); err != nil {
			s.Log.Warn("nats: not reconnected", "err", err)
		}
	}
}

// fingerprint changes with the files that the connection to NATS uses.
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
