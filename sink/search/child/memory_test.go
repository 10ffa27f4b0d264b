package child

import (
	"runtime/debug"
	"testing"
)

// A process that uses more than it may is told.
func TestMemoryIsWatched(t *testing.T) {
	var told uint64
	watchMemory(t.Context(), 1, func(used uint64) { told = used })
	if told <= 1 {
		t.Errorf("told %d", told)
	}
	before := debug.SetMemoryLimit(1000)
	defer debug.SetMemoryLimit(before)
	if got := memoryLimit(); got != 3000 {
		t.Errorf("the limit is %d", got)
	}
}
