// Package importcursor is the command import-cursor: it writes the first position of an
// instance that another program has polled so far, read from that program's own state.
// Start at [New]; what is known of each program's state is in [programs].
package importcursor
