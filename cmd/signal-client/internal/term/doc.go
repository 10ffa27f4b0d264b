// Package term writes output for people and programs: tables, colours, durations and
// counts, a progress line, console logs, and hidden input.
//
// It decides how something looks, not what is said. It knows no NATS, org or command.
// Start at [Screen] and [Grid].
package term
