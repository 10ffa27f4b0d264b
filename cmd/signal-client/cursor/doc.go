// Package cursor is the commands of cursor: an instance's positions are shown and
// listed, and moved by a rewind or a reopening. What a move writes is decided in the
// sinks. Start at [New].
package cursor
