package main

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const healthcheckLong = `Ask the signal-client on this machine whether it lives; exit 0 if it does.

It is there for container images, which hold no other program:
  HEALTHCHECK CMD ["/signal-client", "healthcheck", "--ready"]

It asks /healthz at SIGNAL_CLIENT_HTTP_ADDR: does the process live? With --ready it
asks /readyz: can it do its work? It says why not: NATS is away, say, or a token's
file can't be read. A restart helps against the former alone, so an orchestrator that
restarts what is unhealthy should ask without --ready.`

// newHealthcheck makes the command by which a container without a shell checks
// itself.
func newHealthcheck() *cobra.Command {
	var c stageConfig
	var ready bool
	cmd := &cobra.Command{
		Use:    "healthcheck",
		Short:  "Ask the signal-client on this machine whether it lives",
		Long:   healthcheckLong,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := load(cmd, &c); err != nil {
				return err
			}
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			return healthcheck(cmd, "http://"+reachable(c.HTTPAddr)+path)
		},
	}
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it can do its work, not only whether it lives")
	return cmd
}

func healthcheck(cmd *cobra.Command, url string) error {
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{Proxy: nil}}
	req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return &problem{Op: "ask " + url, Err: errors.Unwrap(err), Hint: "signal-client run", Code: exitFailed}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reasons, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		cause := cmp.Or(strings.Join(strings.Split(strings.TrimSpace(string(reasons)), "\n"), "; "), resp.Status)
		return &problem{Op: "ask " + url, Err: errors.New(cause), Hint: "signal-client status, and its log", Code: exitFailed}
	}
	return nil
}

// reachable is the address by which one that is listened on is reached.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
