//go:build !windows

package problem

import "syscall"

// What the system calls these conditions.
const (
	AddressInUse      = syscall.EADDRINUSE
	BrokenPipe        = syscall.EPIPE
	connectionRefused = syscall.ECONNREFUSED
	diskFull          = syscall.ENOSPC
)
