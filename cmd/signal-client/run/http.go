package run

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

// shutdownGrace is how long requests in flight may take when the service ends: well
// within the 5 s of the whole shutdown.
const shutdownGrace = 2 * time.Second

// streamGrace is when requests that follow events are ended.
const streamGrace = 200 * time.Millisecond

const indexPage = `signal-client: Okta System Log into NATS JetStream

/healthz   the process is alive
/readyz    it can do its work; if not, why
/metrics   Prometheus
`

// newMux serves the process's pages. ready returns why the service can't do its work now,
// one reason per line; none: it can. notes are shown if it can.
func newMux(ready, notes func() []string, metrics http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, indexPage) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if reasons := ready(); len(reasons) > 0 {
			plain(w, http.StatusServiceUnavailable, strings.Join(reasons, "\n")+"\n")
			return
		}
		plain(w, http.StatusOK, strings.Join(append([]string{"ok"}, notes()...), "\n")+"\n")
	})
	mux.Handle("GET /metrics", metrics)
	return mux
}

func plain(w http.ResponseWriter, code int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // the client is gone
}

// listenHTTP opens the listener at start, so that an address in use is reported then.
func listenHTTP(variable, addr string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr) // it does not wait
	if err == nil {
		return ln, nil
	}
	p := &problem.Error{Op: "serve HTTP on " + addr, Err: err, Code: problem.Failed,
		Hint: variable + "=<an address of this machine>:8000"}
	if errors.Is(err, problem.AddressInUse) {
		p.Err = errors.New("another process listens there, maybe another signal-client")
		p.Hint = "stop it, or use another address for this one: " + variable + "=127.0.0.1:8001"
	}
	return nil, p
}

// mostConnections is how many connections a listener has at a time: whoever opens more
// waits, and the rest of the process keeps its files.
const mostConnections = 1000

// serveHTTP serves until ctx ends, then waits for requests in flight; those that would
// last are told by their context.
func serveHTTP(ctx context.Context, at site, log *slog.Logger) error {
	ln := netutil.LimitListener(at.Listener, mostConnections)
	ending, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server := &http.Server{
		Handler:           inTime(at.handler),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ending },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	down := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		streams := time.AfterFunc(streamGrace, end)
		defer streams.Stop()
		down <- server.Shutdown(grace)
	})
	err := serve(server, ln, at.certificate)
	if stop() { // it ended by itself
		return fmt.Errorf("serve HTTP on %s: %w", ln.Addr(), err)
	}
	if err := <-down; err != nil {
		return errors.Join(fmt.Errorf("end HTTP: %w", err), server.Close())
	}
	return nil
}

func serve(server *http.Server, ln net.Listener, certificate *certificate) error {
	if certificate == nil {
		return server.Serve(ln)
	}
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.Get}
	return server.ServeTLS(ln, "", "")
}
