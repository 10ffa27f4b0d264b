package sinktest

import (
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
)

// Kind is that of the sources of all tests.
var Kind = okta.Kind

// Kinds are those of a store.
var Kinds = []*pipeline.Kind{Kind}
