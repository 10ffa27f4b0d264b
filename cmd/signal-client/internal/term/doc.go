// Package term writes for people and for programs: tables, colours, durations and
// counts, one line of progress, console logs, and questions that are not echoed.
//
// It decides how something looks and not what is said. Nothing here knows NATS,
// an org or a command. Start at [Screen] and [Grid].
package term
