// Package kinds lists the kinds of sources that the program has. A new kind is one more
// line in [All]; package source defines what a kind is.
package kinds

import (
	"slices"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/okta"
)

// Kinds are kinds of sources. No two have one name.
type Kinds []source.Kind

// All is every kind of source that an instance may be of.
var All = Kinds{okta.Source}

// Default is the kind of instances from the environment, and of those that commands and
// the console add. Their flags and forms have its fields; replay and the search index read
// its events.
var Default = All[0].Kind

// Of returns the kind of an integration, by its name.
func (k Kinds) Of(i pipeline.Integration) source.Kind {
	return k[slices.IndexFunc(k, func(k source.Kind) bool { return k.Name == i.Kind.Name })]
}

// Plain returns the kinds as a store knows them.
func (k Kinds) Plain() []*pipeline.Kind {
	plain := make([]*pipeline.Kind, len(k))
	for n := range k {
		plain[n] = k[n].Kind
	}
	return plain
}
