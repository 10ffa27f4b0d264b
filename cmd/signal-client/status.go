package main

import (
	"errors"

	"github.com/spf13/cobra"
)

const statusLong = `Show every configured org: its state, who polls it, and how far it is complete.

Examples:
  signal-client status
  signal-client status --json | jq '.[] | select(.state != "polling")'`

func newStatus(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show every configured org and how far it is complete",
		Long:  statusLong,
		RunE:  func(*cobra.Command, []string) error { return errors.New("status is not wired yet") },
	}
}
