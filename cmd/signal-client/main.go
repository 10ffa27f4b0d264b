//go:build !packagefiles

// Command signal-client pulls the Okta System Log of any number of orgs and stores every
// event exactly once in NATS JetStream.
//
// This package is the command tree. Each command has its own folder here, code that they
// share is below internal, and package run is the service itself. Start at newRoot.
//
// It guarantees nothing itself: exactness is the sinks', and they and the README say what
// is not guaranteed. STATUS, logs and metrics are for people; no decision is based on
// them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // for machines and containers that have no time zones

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
)

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs one command line and returns its exit code. The first interrupt ends the
// command gracefully; the second ends the process.
func execute(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	p := &cli.Program{Color: term.ColorAuto}
	root := newRoot(p)
	root.SetArgs(args)
	return p.Report(ctx, root.ExecuteContext(ctx))
}
