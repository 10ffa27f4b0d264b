//go:build unix

package child

import (
	"os"
	"syscall"
)

// politeness is the child's nice value: on a busy machine polling goes first.
const politeness = 5

// yieldToOthers lowers the priority of the process, which has a group of its own: all its
// threads must, and by its own number only one would. On Linux it is also the first to be
// ended when the machine has no memory left.
func yieldToOthers() {
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, politeness) // without it searches cost polling a little more
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
}
