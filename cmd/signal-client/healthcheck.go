package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

const healthcheckLong = `Check whether the signal-client on this machine is alive; exit 0 if it is.

It is for container images, which contain no other program:
  HEALTHCHECK CMD ["/signal-client", "healthcheck", "--ready"]

It requests /healthz at SIGNAL_CLIENT_METRICS_ADDR, or else at SIGNAL_CLIENT_HTTP_ADDR:
is the process alive? With --ready it requests /readyz: can it do its work? If not, it prints why: NATS is away, say, or
a token's file can't be read. A restart only helps against a dead process, so an
orchestrator that restarts unhealthy containers should check without --ready.`

// newHealthcheck returns the command with which a container without a shell checks itself.
func newHealthcheck() *cobra.Command {
	var c config.Process
	var ready bool
	cmd := &cobra.Command{
		Use:    "healthcheck",
		Short:  "Check whether the signal-client on this machine is alive",
		Long:   healthcheckLong,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.Load(cmd, &c); err != nil {
				return err
			}
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			return healthcheck(cmd, c.OwnURL()+path)
		},
	}
	cmd.Flags().BoolVar(&ready, "ready", false, "check whether it can do its work, not only whether it is alive")
	return cmd
}

func healthcheck(cmd *cobra.Command, url string) error {
	// The certificate is for another name than this address, and nothing secret is sent.
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return &problem.Error{Op: "ask " + url, Err: errors.Unwrap(err), Hint: "signal-client run", Code: problem.Failed}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reasons, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		cause := cmp.Or(strings.Join(strings.Split(strings.TrimSpace(string(reasons)), "\n"), "; "), resp.Status)
		return &problem.Error{Op: "ask " + url, Err: errors.New(cause), Hint: "see signal-client status and the service's log", Code: problem.Failed}
	}
	return nil
}
