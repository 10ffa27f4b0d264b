package view

import (
	"context"
	"errors"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
)

// Candidate returns an integration as it would be saved, to be tested: with the values of
// a form or, if there are none, as it is stored. A stored secret is used only for the host
// that it was entered for. Its errors are *Invalid, orgs.ErrNotFound, ErrStatic, and those
// of NATS.
func (v *View) Candidate(ctx context.Context, instance string, value orgs.Value) (pipeline.Integration, error) {
	given := value["settings"] != nil || value["credentials"] != nil
	was := orgs.Value{}
	if instance != "" {
		before, err := v.stored(ctx, instance)
		switch {
		case err == nil:
			was, _ = orgs.ReadValue(before.Value) // what can't be read has no secret
		case !given || errors.Is(err, ErrStatic) || !errors.Is(err, orgs.ErrNotFound):
			return pipeline.Integration{}, err
		}
	}
	tried := was.Merged(value, given)
	tried.Put("enabled", true) // so that a credential is required
	tried.Clean()
	if instance == "" {
		instance = tried.Slug(func(string) bool { return false })
	}
	i, err := tried.Read(instance)
	if err != nil {
		return i, invalid(instance, err)
	}
	i.FilesDir = v.config.Store.Secrets.Dir
	return i, keepsHost(was, tried, value, instance)
}
