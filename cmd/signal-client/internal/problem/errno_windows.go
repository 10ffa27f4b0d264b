package problem

import "golang.org/x/sys/windows"

// What the system calls these conditions; package syscall's names for them are never met
// on Windows.
const (
	AddressInUse      = windows.WSAEADDRINUSE
	BrokenPipe        = windows.ERROR_NO_DATA
	connectionRefused = windows.WSAECONNREFUSED
	diskFull          = windows.ERROR_DISK_FULL
)
