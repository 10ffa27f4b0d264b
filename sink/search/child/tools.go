//go:build tools

package child

// What VictoriaLogs' own program needs besides, which a test of package search builds: so
// that go.sum knows it.
import (
	_ "github.com/VictoriaMetrics/VictoriaMetrics/lib/envflag"
	_ "github.com/VictoriaMetrics/VictoriaMetrics/lib/procutil"
	_ "github.com/VictoriaMetrics/VictoriaMetrics/lib/pushmetrics"
)
