//go:build linux

package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// TestFullDiskOfTheService: /readyz, STATUS and the metrics report a full disk, and the
// service goes on without a restart when there is room.
func TestFullDiskOfTheService(t *testing.T) {
	jetstest.OnSmallDisk(t, 128<<20, func(t *testing.T, dir string) {
		org := oktatest.New(oktatest.Config{Seed: 1, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
		org.Generate(50, time.Hour)
		s, end := startOnDisk(t, dir, org)
		stored := func(want int) func() error {
			return func() error {
				n, err := s.stored(t.Context())
				if err == nil && n < want {
					err = fmt.Errorf("%d events are stored, %d are to be; STATUS: %s", n, want, s.status(t.Context()))
				}
				return err
			}
		}
		keepTrying(t, "the first events", stored(50))
		if reasons := s.ready.Reasons(); len(reasons) > 0 {
			t.Fatalf("not ready: %q", reasons)
		}

		for _, left := range []int{16 << 20, 0} { // within the reserve, and nothing at all
			makeRoom := jetstest.FillBut(t, dir, left)
			have := len(org.Events())
			for n := range 20 {
				org.Add(oktatest.Event{Data: fmt.Appendf(nil, `{"uuid":"late-%d-%d","published":%q,"eventType":"t"}`, left, n, time.Now().UTC().Format(time.RFC3339))})
			}
			keepTrying(t, "what /readyz says", func() error {
				if reasons := strings.Join(s.ready.Reasons(), "; "); !strings.Contains(reasons, "room") {
					return fmt.Errorf("it says %q", reasons)
				}
				return nil
			})
			if left > 0 { // the buckets can be written
				keepTrying(t, "what STATUS says", func() error {
					if told := s.status(t.Context()); !strings.Contains(told, `"retrying"`) || !strings.Contains(told, "no room") {
						return errors.New(told)
					}
					return nil
				})
			}
			if left == 0 { // a write fails, and with it the stream
				keepTrying(t, "a failed write", func() error {
					if s.bury(t.Context()) == nil {
						return errors.New("a dead letter was stored on a full disk")
					}
					return nil
				})
			}
			if f := s.nats.figures(); f.Room == nil || f.Room.Free > f.Room.Reserve {
				t.Errorf("figures %+v", f.Room)
			}
			if n, err := s.stored(t.Context()); err == nil && n > have {
				t.Errorf("%d events are stored, of %d before", n, have)
			}
			makeRoom()
			keepTrying(t, "the events that waited", stored(have+20))
			keepTrying(t, "a dead letter", func() error { return s.bury(t.Context()) })
			keepTrying(t, "ready again", func() error {
				if reasons := s.ready.Reasons(); len(reasons) > 0 {
					return errors.New(strings.Join(reasons, "; "))
				}
				return nil
			})
		}

		end() // and started on a full disk
		have := len(org.Events())
		makeRoom := jetstest.Fill(t, dir)
		org.Add(oktatest.Event{Data: fmt.Appendf(nil, `{"uuid":"last","published":%q,"eventType":"t"}`, time.Now().UTC().Format(time.RFC3339))})
		s, _ = startOnDisk(t, dir, org)
		keepTrying(t, "what /readyz says after a start", func() error {
			if reasons := strings.Join(s.ready.Reasons(), "; "); !strings.Contains(reasons, "room") {
				return fmt.Errorf("it says %q", reasons)
			}
			return nil
		})
		makeRoom()
		keepTrying(t, "the events that waited for a start", stored(have+1))
	})
}

// onDisk is a service with an embedded store.
type onDisk struct{ *Service }

func startOnDisk(t *testing.T, dir string, org *oktatest.Org) (_ onDisk, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &Service{Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: org.Transport()}, Config: config.Config{
		Server: config.Server{DataDir: filepath.Join(dir, "data"), Listen: "127.0.0.1:0"},
		Stream: config.Stream{Replicas: 1, MaxAge: config.Duration(24 * time.Hour)},
		Process: config.Process{HTTPAddr: "127.0.0.1:0", Replica: "one", SessionTTL: config.Duration(10 * time.Second), RequestTimeout: config.Duration(10 * time.Second),
			MaxInFlight: 16, PageMemory: 64 << 20},
		Okta: config.Okta{Instance: "acme", BaseURL: "http://127.0.0.1:1", APIToken: pipeline.NewSecret("00token"), PollInterval: "1s", Since: "24h"},
	}}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("service: %v", err)
		}
	})
	end = func() { cancel(); wg.Wait() }
	t.Cleanup(end)
	return onDisk{s}, end
}

// bury publishes a large dead letter.
func (s onDisk) bury(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := s.nats.conn.Load().JS.Publish(ctx, jets.SubjectDeadLetter(kinds.Default.Name, "acme"), make([]byte, 100_000))
	return err
}

// stored counts the events of SIGNALS.
func (s onDisk) stored(ctx context.Context) (int, error) {
	conn := s.nats.conn.Load()
	if conn == nil {
		return 0, errors.New("there is no connection yet")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	stream, err := conn.JS.Stream(ctx, jets.StreamSignals)
	if err != nil {
		return 0, err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(jets.SubjectEvents(kinds.Default.Name, "acme")))
	if err != nil {
		return 0, err
	}
	return int(info.State.Subjects[jets.SubjectEvents(kinds.Default.Name, "acme")]), nil
}

// status is what STATUS says of the org.
func (s onDisk) status(ctx context.Context) string {
	conn := s.nats.conn.Load()
	if conn == nil {
		return ""
	}
	m, err := conn.Last(ctx, jets.BucketStream(jets.BucketStatus), jets.BucketSubject(jets.BucketStatus, jets.Key(kinds.Default.Name, "acme")))
	if err != nil {
		return err.Error()
	}
	return string(m.Data)
}

// keepTrying tries for a while.
func keepTrying(t *testing.T, what string, done func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = done(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}
