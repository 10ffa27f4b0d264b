package run

import (
	"context"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/signals"
)

// The standing audit covers the hour before the last hour: Okta has made late events
// visible by then, and what is missing is not yet old.
const (
	auditFrom  = 2 * time.Hour
	auditUntil = time.Hour
)

// auditing audits an instance regularly while it is polled here, at the instance's own
// tick of each interval, so that no audit is lost at a restart and the orgs take turns.
// It repairs nothing: an operator should see it first.
func (s *assembly) auditing(ctx context.Context, i pipeline.Integration, token pipeline.Credential) (stop func()) {
	if s.auditEvery <= 0 {
		return func() {}
	}
	return inBackground(ctx, func(ctx context.Context) error {
		for {
			next := pipeline.Tick("audit of "+i.Instance, s.auditEvery, time.Now())
			if err := pipeline.Sleep(ctx, time.Until(next)); err != nil {
				return err
			}
			s.audit(ctx, i, token)
		}
	})
}

func (s *assembly) audit(ctx context.Context, i pipeline.Integration, token pipeline.Credential) {
	now := time.Now().Truncate(time.Millisecond)
	log := s.log.With("instance", i.Instance)
	r, err := (&audit.Audit{
		Instance: i.Instance, Since: now.Add(-auditFrom), Until: now.Add(-auditUntil),
		Source: s.later(i, token, backfill.DefaultJobShare),
		Window: i.Kind.Window(i),
		Ledger: &signals.Ledger{Store: s.store.Of(i.Kind), Instance: i.Instance, Source: i.Source},
	}).Run(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		log.Warn("audit did not finish", "err", err)
	default:
		s.trace.Audited(i.Instance, r.Counts())
		if r.Differences() == 0 {
			log.Info("audit found no difference", "events", r.Both, "requests", r.Requests)
			return
		}
		log.Error("audit found differences", "missing", r.Missing, "twice", r.Twice, "here_only", r.HereOnly,
			"since", r.Since, "until", r.Until, "try", "signal-client audit --instance "+i.Instance+" --since 3h --repair")
	}
}
