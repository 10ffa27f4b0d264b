package child

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Memory of the process.
const (
	memoryEvery = 250 * time.Millisecond // between two looks
	// mostMemory is a multiple of what the parent lets the runtime use. Below, it is the
	// collector's matter.
	mostMemory = 3
)

// memoryLimit returns how many bytes the process may use; 0: as many as it likes.
func memoryLimit() uint64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return 0
	}
	return mostMemory * uint64(limit)
}

// watchMemory calls exceeded once the runtime uses more than a number of bytes: a few
// queries have no bound of their own, and the machine's memory is the poller's, too.
func watchMemory(ctx context.Context, limit uint64, exceeded func(used uint64)) {
	ticks := time.NewTicker(memoryEvery)
	defer ticks.Stop()
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for limit > 0 {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		metrics.Read(samples)
		if used := samples[0].Value.Uint64() - samples[1].Value.Uint64(); used > limit {
			exceeded(used)
			return
		}
	}
}
