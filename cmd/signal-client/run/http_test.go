package run

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
)

func TestPages(t *testing.T) {
	var reasons atomic.Pointer[[]string]
	reasons.Store(&[]string{})
	mux := newMux(func() []string { return *reasons.Load() }, func() []string { return []string{"one org is wrong"} }, telemetry.NewMetrics().Handler())
	for _, c := range []struct {
		method, path string
		reasons      []string
		code         int
		want         string
	}{
		{"GET", "/", nil, 200, "signal-client: "},
		{"GET", "/healthz", nil, 200, "ok\n"},
		{"GET", "/healthz", []string{"NATS is away"}, 200, "ok\n"}, // the process lives all the same
		{"GET", "/readyz", nil, 200, "ok\n"},
		{"GET", "/readyz", []string{"NATS is away", "integrations are not loaded"}, 503, "NATS is away\nintegrations are not loaded\n"},
		{"GET", "/metrics", nil, 200, "# HELP "},
		{"GET", "/nothing", nil, 404, ""},
		{"POST", "/healthz", nil, 405, ""},
		{"POST", "/metrics", nil, 405, ""},
	} {
		reasons.Store(&c.reasons)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code || !strings.HasPrefix(w.Body.String(), c.want) {
			t.Errorf("%s %s: got %d %.60q, want %d %q", c.method, c.path, w.Code, w.Body, c.code, c.want)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	ln, err := listenHTTP("SIGNAL_CLIENT_HTTP_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = listenHTTP("SIGNAL_CLIENT_HTTP_ADDR", ln.Addr().String())
	p, ok := errors.AsType[*problem.Error](err)
	if !ok || !strings.Contains(p.Op, ln.Addr().String()) || !strings.Contains(p.Hint, "SIGNAL_CLIENT_HTTP_ADDR") {
		t.Errorf("got %#v", err)
	}
}

// A request in flight is answered before the server ends.
func TestServeEndsInGoodOrder(t *testing.T) {
	ln, err := listenHTTP("SIGNAL_CLIENT_HTTP_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		for { // until the server takes no more: then its end has begun
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				break
			}
			conn.Close()
		}
		plain(w, 200, "answered\n")
	})
	served := make(chan error, 1)
	go func() { served <- serveHTTP(ctx, site{Listener: ln, handler: handler}, slog.New(slog.DiscardHandler)) }()
	resp, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "answered\n" {
		t.Errorf("got %q, %v", body, err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestServeSaysWhyItEnded(t *testing.T) {
	ln, err := listenHTTP("SIGNAL_CLIENT_HTTP_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := serveHTTP(t.Context(), site{Listener: ln, handler: http.NotFoundHandler()}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error from a closed listener")
	}
}
