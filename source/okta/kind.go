package okta

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Retention is how long Okta keeps its log; older requests are clamped to it. Source:
// Okta's System Log reference (90 days), read 2026-08-21.
const Retention = 90 * 24 * time.Hour

// Kind is the kind of Okta's orgs. Okta gives no bound for its Lateness ("rare").
var Kind = &pipeline.Kind{
	Name:       "okta",
	Title:      "Okta",
	Members:    pipeline.Members{ID: "uuid", Type: "eventType", Published: "published", Message: "displayMessage"},
	TypePrefix: "com.okta.",
	Retention:  Retention,
	Lateness:   time.Hour,
	TokenIdle:  30 * 24 * time.Hour, // an app's key has no such end. Source: Okta's guide to API tokens, read 2026-11-22

	Credential: credential,
	Parse:      ParseIntegration,
	Fields:     fields,
	Clean:      CleanOrigin,
	Element:    Element,
	Facets:     pipeline.Facets{Actor: actor, Address: address, Outcome: outcome},
	Reading:    reading(),
	Start:      func(i pipeline.Integration, since time.Time) pipeline.Link { return Start(i.Filter, i.Limit, since) },
	Window: func(i pipeline.Integration) pipeline.Window {
		return func(since, until time.Time) pipeline.Link { return Window(i.Filter, i.Limit, since, until) }
	},
	Adopt:    Adopt,
	Query:    func(i pipeline.Integration) string { return Query(i.Filter, i.Limit) },
	PageSize: LimitOf,
}
