package main

import (
	"errors"

	"github.com/spf13/cobra"
)

const runLong = `Poll the configured orgs and store every event in JetStream, until told to stop.

Orgs are read from the NATS bucket INTEGRATIONS, and one from the environment.
A changed entry takes effect within seconds. Any number of processes may run
side by side; one takes over from another.

Examples:
  # one org, into an embedded NATS server whose store is ./data
  OKTA_FQDN=acme.okta.com OKTA_API_TOKEN_FILE=okta.token signal-client run

  # into your own NATS, for every org in its bucket INTEGRATIONS
  NATS_URL=nats://nats.example.com:4222 NATS_CREDS=stage.creds signal-client run

  # with logs for machines
  signal-client run --log-format json

Every flag is the override of a variable, named in brackets. Secrets have
variables only, since flags are seen in the list of processes.`

func newRun(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Poll the configured orgs into JetStream (the service)",
		Long:  runLong,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			log := newLogger(p.Err(), c.Log)
			log.Debug("configuration read")
			return errors.New("run is not wired yet")
		},
	}
	addFlags(cmd, new(config).sections()...)
	return cmd
}
