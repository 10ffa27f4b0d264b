package search

import "syscall"

// apart puts the child in a process group of its own, so that a console's Ctrl-C does not
// reach it.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
