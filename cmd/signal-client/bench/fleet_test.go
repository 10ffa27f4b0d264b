package bench

import (
	"os"
	"testing"
)

// TestFleetFigures prints the figures of a fleet. It fails when events were lost
// or doubled, or when orgs are not polled at all, never because it was slow.
func TestFleetFigures(t *testing.T) {
	if os.Getenv(wantedEnv) == "" {
		t.Skip("task bench:fleet prints the figures")
	}
	var r report
	r.Plain("load average before: what else the machine does", loadAverage())
	binary := build(t)
	t.Run("shares", func(t *testing.T) { shares(t, &r, binary) })
	t.Run("idle", func(t *testing.T) { idleFleets(t, &r, binary) })
	t.Run("drains", func(t *testing.T) { drainMany(t, &r, binary) })
	r.Plain("load average after", loadAverage())
	r.Print(os.Stdout)
}
