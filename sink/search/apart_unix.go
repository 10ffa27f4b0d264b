//go:build unix

package search

import "syscall"

// apart puts the child in a process group of its own, so that a terminal's Ctrl-C does
// not reach it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
