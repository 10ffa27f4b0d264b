package locks

import (
	"os"
	"testing"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(contenderEnv); url != "" {
		os.Exit(contend(url))
	}
	jetstest.Main(m)
}
