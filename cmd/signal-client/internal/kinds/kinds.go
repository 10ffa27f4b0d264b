// Package kinds lists the kinds of sources: another one is another line here.
package kinds

import (
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
)

// All are the kinds of sources that an instance may be of.
var All = []*pipeline.Kind{okta.Kind}

// Default is the kind of the instances that the environment and the commands name.
var Default = All[0]
