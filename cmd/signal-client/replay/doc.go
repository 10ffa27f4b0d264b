// Package replay is the command replay: it prints, republishes or counts stored events,
// filtered and at a chosen pace.
//
// The sinks read the stream and publish to subjects. Start at [New], then run.go.
package replay
