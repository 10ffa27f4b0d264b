package bench

import (
	"runtime"
	"strings"
)

// heap is what the client's side of a process has allocated, and still keeps, in
// bytes: all that no stack of the simulated org's or of nats-server's leads to.
// runtime.MemProfileRate must be 1, or much is missed.
type heap struct{ allocated, kept int64 }

func lookAtHeap() heap {
	runtime.GC() // a profile trails by up to two collections
	runtime.GC()
	runtime.GC()
	records := make([]runtime.MemProfileRecord, 4096)
	n, ok := runtime.MemProfile(records, true)
	for !ok {
		records = make([]runtime.MemProfileRecord, n+1024)
		n, ok = runtime.MemProfile(records, true)
	}
	var h heap
	for _, r := range records[:n] {
		if ours(r.Stack()) {
			h.allocated += r.AllocBytes
			h.kept += r.InUseBytes()
		}
	}
	return h
}

func ours(stack []uintptr) bool {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, "/nats-server/") || strings.Contains(f.Function, "/oktatest.") || strings.Contains(f.Function, "/bench.lookAtHeap") {
			return false
		}
		if !more {
			return true
		}
	}
}
