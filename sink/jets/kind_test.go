package jets

import "github.com/witfoo/signal-client/source/okta"

// kind is that of the sources of all tests.
var kind = okta.Kind
