package provision

import (
	"testing"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

func TestMain(m *testing.M) { jetstest.Main(m) }
