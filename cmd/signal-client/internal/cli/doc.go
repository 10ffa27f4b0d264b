// Package cli is what the commands share: where they print, how they connect to
// NATS, what their arguments and flags may be, how a shell completes them and how
// they ask before they do what can't be undone.
//
// No command is here. Start at [Program] and [CommandContext].
package cli
