// Package cli is shared by the commands: output, the connection to NATS, arguments and
// flags, shell completion, and the confirmation before irreversible actions.
//
// It contains no command. Start at [Program] and [CommandContext].
package cli
