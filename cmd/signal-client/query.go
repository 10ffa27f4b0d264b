package main

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta"
)

// queryOf is what an integration asks its org for.
func queryOf(i pipeline.Integration) jets.Query {
	return jets.Query{
		Origin: i.Origin, Source: i.Source, Hash: okta.Query(i.Filter, i.Limit), Since: i.Since,
		Start: func(since time.Time) pipeline.Link { return okta.Start(i.Filter, i.Limit, since) },
	}
}

// windowOf makes the same query's requests for the past.
func windowOf(i pipeline.Integration) pipeline.Window {
	return func(since, until time.Time) pipeline.Link { return okta.Window(i.Filter, i.Limit, since, until) }
}
