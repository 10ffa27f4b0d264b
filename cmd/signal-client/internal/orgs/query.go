package orgs

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta"
)

// QueryOf is what an integration asks its org for. The org's clock is what its
// answers tell of it; nil: this machine's.
func QueryOf(i pipeline.Integration, clock *pipeline.Clock) jets.Query {
	return jets.Query{
		Now:    clock.Now,
		Origin: i.Origin, Source: i.Source, Hash: okta.Query(i.Filter, i.Limit), Since: i.Since,
		Start:   func(since time.Time) pipeline.Link { return okta.Start(i.Filter, i.Limit, since) },
		Another: i.AnotherOrg != "" && i.AnotherOrg == i.Origin,
		Strict:  i.Static, // nobody could confirm another one
	}
}

// WindowOf makes the same query's requests for the past.
func WindowOf(i pipeline.Integration) pipeline.Window {
	return func(since, until time.Time) pipeline.Link { return okta.Window(i.Filter, i.Limit, since, until) }
}
