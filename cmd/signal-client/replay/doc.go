// Package replay is the command replay: stored events are printed, published again
// or counted, filtered and at the pace in which they happened.
//
// Reading the stream and publishing to subjects are in the sinks. Start at [New],
// then run.go.
package replay
