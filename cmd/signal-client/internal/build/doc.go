// Package build is the running binary's version, commit, date, Go release and platform. The
// linker sets them in a release; otherwise they are read from the Go command's build
// information. Start at [Read].
package build
