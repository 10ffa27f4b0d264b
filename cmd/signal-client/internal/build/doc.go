// Package build says what the running binary was made of: version, commit, Go
// release and platform. The linker sets them in a release; otherwise they are what
// the Go command recorded. Start at [Read].
package build
