package run

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// logbook keeps the lines of a log that are warnings at least.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// take returns the lines since it was called last.
func (l *logbook) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")
}

// While NATS is away, one line a minute says so and how many integrations are affected;
// no line blames their orgs.
func TestLogOfNATSAway(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		book := &logbook{}
		o.log = slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelWarn}))
		o.start("a", config.Okta{})
		time.Sleep(time.Minute)
		for _, instance := range []string{"acme", "globex", "hooli"} {
			o.put(instance, strings.ReplaceAll(entry, "acme", instance))
		}
		time.Sleep(10 * time.Minute)
		each := func(why string) {
			t.Helper()
			time.Sleep(5 * time.Minute)
			if lines := book.take(); len(lines) > 5+5 {
				t.Errorf("%s: %d lines in the first minutes:\n%s", why, len(lines), strings.Join(lines, "\n"))
			}
			time.Sleep(10 * time.Minute)
			lines := book.take()
			if len(lines) != 10 {
				t.Errorf("%s: %d lines in ten minutes:\n%s", why, len(lines), strings.Join(lines, "\n"))
			}
			for _, line := range lines {
				if !strings.Contains(line, "since=") || !strings.Contains(line, "instances=3") || !strings.Contains(line, why) {
					t.Errorf("%s: %s", why, line)
				}
			}
		}
		book.take()
		o.natsd.Stop()
		each("err=")
		o.natsd.Start(t)
		time.Sleep(5 * time.Minute)
		book.take()
		time.Sleep(10 * time.Minute)
		if lines := book.take(); lines[0] != "" {
			t.Errorf("NATS is back:\n%s", strings.Join(lines, "\n"))
		}
	})
}
