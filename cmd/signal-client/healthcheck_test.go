package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A live process passes its health check even while it can't work.
func TestHealthcheck(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "NATS is away", http.StatusServiceUnavailable)
	})
	service := httptest.NewServer(mux)
	defer service.Close()
	t.Setenv("SIGNAL_CLIENT_HTTP_ADDR", service.Listener.Addr().String())
	for _, c := range []struct {
		args []string
		ok   bool
	}{{[]string{}, true}, {[]string{"--ready"}, false}} {
		cmd := newHealthcheck()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(c.args)
		if err := cmd.ExecuteContext(t.Context()); (err == nil) != c.ok {
			t.Errorf("healthcheck %v: %v", c.args, err)
		}
	}
}
