// Package platforms checks that the program can be built for the systems that it is released
// for, by its types alone: compiling it takes minutes a system. Whether it works there is
// for the jobs of ci.yml that run on macOS and Windows.
package platforms
