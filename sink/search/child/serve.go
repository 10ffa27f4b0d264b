package child

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/app/vlinsert"
	"github.com/VictoriaMetrics/VictoriaLogs/app/vlselect"
	"github.com/VictoriaMetrics/VictoriaLogs/app/vlstorage"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/appmetrics"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logger"

	"github.com/witfoo/signal-client/sink/search"
)

// serve serves VictoriaLogs until ctx ends. Requests under way end with it: a tail would
// never end by itself.
func serve(ctx context.Context, ln net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          logger.StdErrorLogger(),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// guard lets requests with the password pass: any local user can reach the address.
func guard(password string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, _ := r.BasicAuth()
		if user != search.ChildUser || subtle.ConstantTimeCompare([]byte(given), []byte(password)) != 1 {
			http.Error(w, "no access", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bounded refuses requests beyond the bounds.
func bounded(b *bounds, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end, status, err := b.Begin(r)
		if err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		defer end()
		next.ServeHTTP(w, r)
	})
}

// answer lets VictoriaLogs answer a request.
func answer(w http.ResponseWriter, r *http.Request) {
	whole := &wholeAnswer{ResponseWriter: w}
	switch {
	case r.URL.Path == "/health":
		_, _ = w.Write([]byte("OK"))
	case r.URL.Path == "/metrics":
		appmetrics.WritePrometheusMetrics(w)
	case vlinsert.RequestHandler(whole, r), vlselect.RequestHandler(whole, r), vlstorage.RequestHandler(whole, r):
	default:
		http.NotFound(w, r)
	}
	if whole.broken {
		panic(http.ErrAbortHandler)
	}
}

// wholeAnswer aborts the connection of an answer that fails after it has begun, as
// VictoriaLogs' own server does: the client must not take a part for the whole.
type wholeAnswer struct {
	http.ResponseWriter
	begun, broken bool
}

// WriteHeader marks an answer that has begun already as broken.
func (w *wholeAnswer) WriteHeader(code int) {
	if w.begun {
		w.broken = true
		return
	}
	w.begun = true
	w.ResponseWriter.WriteHeader(code)
}

// Write writes, unless the answer is broken.
func (w *wholeAnswer) Write(b []byte) (int, error) {
	w.begun = true
	if w.broken {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Flush sends what is written, as a tail does.
func (w *wholeAnswer) Flush() {
	w.begun = true
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}
