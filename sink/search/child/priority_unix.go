//go:build unix

package child

import "syscall"

// politeness is the child's nice value: on a busy machine polling goes first.
const politeness = 5

// yieldToOthers lowers the process's priority.
func yieldToOthers() {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, politeness) // without it searches cost polling a little more
}
