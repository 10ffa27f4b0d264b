// Package kinds lists the kinds of sources that the program has. A new kind is one more
// line in [All]; package source defines what a kind is.
package kinds

import (
	"slices"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/okta"
)

// All is every kind of source that an instance may be of.
var All = []source.Kind{okta.Source}

// Default is the kind of instances from the environment and the command line.
var Default = All[0].Kind

// Explain returns what an error means to the first kind that knows it. Where the instance
// is known, ask its kind.
func Explain(err error) source.Verdict {
	for _, k := range All {
		if v := k.Explain(err); v != (source.Verdict{}) {
			return v
		}
	}
	return source.Verdict{}
}

// Of returns the kind of an integration, by its name.
func Of(i pipeline.Integration) source.Kind {
	return All[slices.IndexFunc(All, func(k source.Kind) bool { return k.Name == i.Kind.Name })]
}
