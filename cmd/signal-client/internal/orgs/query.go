package orgs

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/signals"
)

// QueryOf returns an integration's query. clock is the org's; nil: this machine's.
func QueryOf(i pipeline.Integration, clock *pipeline.Clock) signals.Query {
	return signals.Query{
		Now:    clock.Now,
		Origin: i.Origin, Source: i.Source, Hash: i.Kind.Query(i), Since: i.Since,
		Start:   func(since time.Time) pipeline.Link { return i.Kind.Start(i, since) },
		Another: i.AnotherOrg != "" && i.AnotherOrg == i.Origin,
		Strict:  i.Static, // nobody could confirm another org
	}
}
