package main

import (
	"errors"

	"github.com/spf13/cobra"
)

const demoLong = `Watch it work: a simulated org, an embedded NATS server and the service in one process.

It needs no account and no server, and leaves nothing behind.

Examples:
  signal-client demo
  signal-client demo --for 10s

While it runs, see the events in another terminal:
  nats sub 'signals.okta.*'`

func newDemo(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Watch it work, with a simulated org and a server of its own",
		Long:  demoLong,
		RunE:  func(*cobra.Command, []string) error { return errors.New("demo is not wired yet") },
	}
}
