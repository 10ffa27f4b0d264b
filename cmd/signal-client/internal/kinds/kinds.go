// Package kinds lists the kinds of sources. A new kind is one more line here.
package kinds

import (
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
)

// All is every kind of source that an instance may be of.
var All = []*pipeline.Kind{okta.Kind}

// Default is the kind of instances from the environment and the command line.
var Default = All[0]
