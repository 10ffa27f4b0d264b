package jets

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Whoever takes a lock whose holder's session has ended is told whose it was, and
// whether that holder went by its own will. One that was given back, or was nobody's,
// is not told of.
func TestTakeoverIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		r := newRecord(t)
		var mu sync.Mutex
		var told []string
		cfg := func(name string) LocksConfig {
			return LocksConfig{Took: func(instance string, from Lock, expired bool) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, fmt.Sprintf("%s takes %s from %s, expired %v", name, instance, from.Holder, expired))
			}}
		}
		heard := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(told, want) {
				t.Errorf("told %q, want %q", told, want)
			}
			told = nil
		}
		one := run(t, s, r, "one", cfg("one"), "prod")
		r.awaitHolder("prod", "one")
		two := run(t, s, r, "two", cfg("two"), "prod")
		one.rest()
		r.awaitHolder("prod", "two")
		heard()

		three := run(t, s, r, "three", cfg("three"), "prod")
		two.locks.Leave()
		two.stop()
		r.awaitHolder("prod", "three")
		heard("three takes prod from two, expired false")

		four := run(t, s, r, "four", cfg("four"), "prod")
		three.kill()
		r.awaitHolder("prod", "four")
		heard("four takes prod from three, expired true")
		four.stop()
		one.stop()
	})
}
