// Package cursor is the cursor commands: they show and list an instance's positions, and
// move it by a rewind or a reopening. The sinks decide what a move writes. Start at
// [New].
package cursor
