// Package kinds lists the kinds of sources. A new kind is one more line here.
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

// Open returns a client of an instance's org.
func Open(i pipeline.Integration, c pipeline.Credential, o source.Options) source.Client {
	n := slices.IndexFunc(All, func(k source.Kind) bool { return k.Kind == i.Kind })
	return All[n].Open(i, c, o)
}
