package main

import (
	"bufio"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// With topics.Permissions, the stage stores an org's events, through a restart, and
// the README's program reads them as the siem, each once. So does a replay. None asks
// for more.
func TestReadmeServer(t *testing.T) {
	natsd, errors := clitest.Server(t)
	org := oktatest.New(oktatest.Config{Seed: 1, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
	org.Generate(1200, time.Hour)
	okta := httptest.NewServer(org)
	t.Cleanup(okta.Close)
	stage := readmeStage(natsd, okta.URL)

	end := startStage(t, stage)
	next := startReadmeConsumer(t, natsd)
	seen := map[string]bool{}
	for range 1200 {
		seen[next()] = true
	}
	end()
	org.Add(make([]oktatest.Event, 5)...)
	end = startStage(t, stage)
	for range 5 {
		seen[next()] = true
	}
	end()
	for _, to := range []string{"", "signals-replay.acme"} {
		args := []string{"replay", "--limit", "3", "--dry-run=" + strconv.FormatBool(to == ""), "--to", to, "--nats-url", clitest.UserURL(natsd, "replay")}
		if code := execute(args); code != problem.OK {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
	if len(seen) != 1205 {
		t.Errorf("%d events read, 1205 expected", len(seen))
	}
	if got := errors.Take(); got != "" {
		t.Errorf("refused: %s", got)
	}
	for _, c := range []struct{ user, subject string }{
		{"stage", "$JS.API.STREAM.PURGE.SIGNALS"},
		{"stage", "$JS.API.STREAM.DELETE.SIGNALS"},
		{"stage", "$KV.INTEGRATIONS.okta.acme"},
		{"siem", "signals.okta.acme"},
		{"replay", "signals.okta.acme"},
		{"siem", "$JS.API.CONSUMER.CREATE.KV_INTEGRATIONS.x"},
	} {
		publish(t, natsd, c.user, c.subject)
		if got := errors.Take(); !strings.Contains(got, c.subject) {
			t.Errorf("%s may publish to %s: %q", c.user, c.subject, got)
		}
	}
}

func readmeStage(s *server.Server, okta string) config.Config {
	return stageOn(clitest.UserURL(s, "stage"), okta)
}

// stageOn is the configuration of a service that polls one org.
func stageOn(nats, okta string) config.Config {
	return config.Config{
		NATS:    config.NATS{URL: nats},
		Stream:  config.Stream{Replicas: 1, MaxAge: config.Duration(time.Hour)},
		Process: config.Process{HTTPAddr: "127.0.0.1:0", Replica: "readme", SessionTTL: config.Duration(10 * time.Second), RequestTimeout: config.Duration(10 * time.Second)},
		Okta: config.Okta{Instance: "acme", BaseURL: okta, APIToken: pipeline.NewSecret("right-token"),
			PollInterval: "1s", Since: "24h"},
	}
}

// startStage runs the service until end is called, and returns when its streams
// stand.
func startStage(t *testing.T, c config.Config) (end func()) { return startTraced(t, c, nil) }

// startTraced is startStage, with hooks.
func startTraced(t *testing.T, c config.Config, trace *pipeline.Trace) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan struct{})
	s := &run.Service{Config: c, Log: slog.New(slog.DiscardHandler), Trace: trace,
		Opened: func(context.Context, *jets.Store, *embedded.Server) error { close(opened); return nil }}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("service: %v", err)
		}
		cancel()
	})
	end = func() { cancel(); wg.Wait() }
	t.Cleanup(end)
	select {
	case <-opened:
	case <-ctx.Done():
	}
	return end
}

// startReadmeConsumer builds and runs the README's program. next returns what it
// says of the next event.
func startReadmeConsumer(t *testing.T, s *server.Server) (next func() string) {
	t.Helper()
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "consumer")
	if err := os.WriteFile(source, []byte(clitest.Fenced(t, "README.md", "go", "func main()")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), "NATS_URL="+clitest.UserURL(s, "siem"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	time.AfterFunc(2*clitest.Patience, cancel) // then it has no more lines
	lines := bufio.NewScanner(out)
	return func() string {
		if !lines.Scan() {
			t.Fatal("the consumer has no more events")
		}
		return lines.Text()
	}
}

// publish sends a message that the server has seen when it returns.
func publish(t *testing.T, s *server.Server, user, subject string) {
	t.Helper()
	conn, err := nats.Connect(clitest.UserURL(s, user), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Publish(subject, nil); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}
