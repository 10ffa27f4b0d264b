//go:build !linux

package run

// noDumps does nothing: core dumps are turned off on Linux only.
func noDumps() error { return nil }
