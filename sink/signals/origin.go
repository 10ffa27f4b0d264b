package signals

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// suit drafts a new query if the position belongs to another query, origin or org. Its error
// matches pipeline.ErrConfig if one name would hold events of two orgs.
func (s *Sink) suit(ctx context.Context) error {
	switch {
	case s.at.Origin != s.query.Origin || !sameOrg(s.at.Org, s.org):
		return s.move(ctx)
	case s.at.Query != s.query.Hash:
		s.log.Info("query changed, reopening")
		return s.reopen(ctx)
	}
	return nil
}

// sameOrg reports whether two ids may belong to one org; an unknown id may.
func sameOrg(a, b string) bool { return a == "" || b == "" || a == b }

// move drafts the query under another origin: of the same org, which was renamed or has a
// new domain; or of another org, if the operator has confirmed that.
func (s *Sink) move(ctx context.Context) error {
	s.ask(ctx)
	known := s.at.Org != "" && s.org != ""
	other := !sameOrg(s.at.Org, s.org)
	switch {
	case other && !s.query.Another:
		return s.otherOrg()
	case !known && s.query.Strict:
		return s.otherOrg()
	case other, !known && s.query.Another:
		s.log.Warn("another org: starting afresh", "was", s.at.Origin, "is", s.query.Origin)
		return s.open(ctx, s.elsewhere())
	case known:
		s.log.Info("origin changed, the org is the same", "was", s.at.Origin, "is", s.query.Origin, "org", s.org)
		return s.open(ctx, s.renamed(""))
	}
	assumed := fmt.Sprintf("%s is the same org as %s", s.query.Origin, s.at.Origin)
	s.log.Warn("origin changed; the org's id is not known, so it is assumed to be the same org", "assumed", assumed)
	return s.open(ctx, s.renamed(assumed))
}

func (s *Sink) otherOrg() error {
	return &OriginError{Instance: s.instance, Former: s.at.Origin, Origin: s.query.Origin, FormerOrg: s.at.Org, Org: s.org}
}

// renamed is the query of the same org under another origin. It begins before everything
// unread, or at since if that is earlier, and all events that may be served again are
// compared. Its published_max is its beginning, so that a reopening goes back as far.
func (s *Sink) renamed(assumed string) opening {
	at := s.at
	return opening{
		begin: func(now time.Time) time.Time {
			since := s.since(now)
			if back := s.back(at, now); !at.PublishedMax.IsZero() && back.Before(since) {
				since = back
			}
			return since
		},
		draft: func(ctx context.Context, since time.Time) (pipeline.Position, error) {
			next, err := s.startOver(ctx, at, since)
			next.DedupeFrom = earliest(at.DedupeFrom, next.DedupeFrom)
			next.Assumed = assumed
			return next, err
		},
	}
}

// elsewhere is the query of another org: nothing of the first org applies.
func (s *Sink) elsewhere() opening {
	at := s.at
	return opening{
		begin: s.since,
		draft: func(ctx context.Context, since time.Time) (pipeline.Position, error) {
			next, err := s.startOver(ctx, at, since)
			next.CompleteThrough, next.Org, next.Gap, next.LastEvent = since, s.org, nil, nil
			s.stood = pipeline.Position{}
			return next, err
		},
	}
}

// startOver returns the position at which a query under the configured origin begins. If no
// position can be of that org, none of its events is stored to be compared.
func (s *Sink) startOver(ctx context.Context, at pipeline.Position, since time.Time) (pipeline.Position, error) {
	anchor, known, err := s.anchorOf(ctx, since, s.org)
	next := at
	next.Version, next.Origin, next.Query = pipeline.PositionVersion, s.query.Origin, s.query.Hash
	next.Link, next.Why, next.Events = s.query.Start(since), pipeline.WhyStart, 0
	next.PublishedMax, next.DedupeFrom, next.Assumed = since, anchor, ""
	if !known || s.lastEvent == 0 {
		next.DedupeFrom = 0
	}
	return next, err
}

// OriginError: the position belongs to another org than the configured one, or that can't
// be ruled out. It matches pipeline.ErrConfig.
type OriginError struct {
	Instance       string
	Former, Origin string // of the position, and as configured
	FormerOrg, Org string // ids of the two orgs; empty: not known
}

func (e *OriginError) Error() string {
	if e.FormerOrg == "" || e.Org == "" {
		return fmt.Sprintf("%s holds events of %s, and it is not known that %s is the same org (give this one another name)", e.Instance, e.Former, e.Origin)
	}
	return fmt.Sprintf("%s holds events of %s (org %s), and %s is another org (%s): give it another name, or confirm it with signal-client integrations set %s --another-org",
		e.Instance, e.Former, e.FormerOrg, e.Origin, e.Org, e.Instance)
}

// Is reports whether target is pipeline.ErrConfig.
func (e *OriginError) Is(target error) bool { return target == pipeline.ErrConfig }

// ask asks for the org's id, unless it is known.
func (s *Sink) ask(ctx context.Context) {
	if s.org != "" || s.query.Org == nil {
		return
	}
	org, err := s.query.Org(ctx)
	if err != nil {
		s.log.Info("the org's id is not known", "origin", s.query.Origin, "err", err)
		return
	}
	s.org = org
}

// identify puts the org's id, which a page names, into a position without one, to be written
// with the next one. An org that was taken for the same, and is not, is refused.
func (s *Sink) identify(org string) error {
	if s.org = cmp.Or(org, s.org); s.org == "" {
		return nil
	}
	if !sameOrg(s.at.Org, s.org) {
		return s.otherOrg()
	}
	s.at.Org, s.at.Assumed = s.org, ""
	return nil
}
