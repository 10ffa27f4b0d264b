package child

import "golang.org/x/sys/windows"

// yieldToOthers lowers the process's priority.
func yieldToOthers() {
	_ = windows.SetPriorityClass(windows.CurrentProcess(), windows.BELOW_NORMAL_PRIORITY_CLASS)
}
