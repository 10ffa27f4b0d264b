package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta"
)

const (
	drainEvents   = 300_000
	drainSize     = 2000
	drainPairs    = 5
	drainInstance = "bench"
	// drainSince reaches back beyond the first event.
	drainSince = 48 * time.Hour
	// drainPatience ends what does not get on.
	drainPatience = 3 * time.Minute
)

// drained is what one run gave.
type drained struct {
	rate     float64 // events a second, by the server's clock
	cpu      float64 // microseconds an event, the process from start to end
	resident float64 // MB at most
}

// drains runs the service and the bare publisher in turn, on one server.
type drains struct {
	binary, nats, org string
	server            *jetstest.Process
}

// drain measures the service against a bare publisher: which of a pair goes
// first alternates, and each begins with a new stream.
func drain(t *testing.T, r *report, binary string) {
	progress("drain: making an org of %s events", thousands(drainEvents))
	d := &drains{binary: binary, server: jetstest.Config{Dir: t.TempDir()}.Process(t)}
	d.nats = d.server.URL()
	d.org = startOrg(t, orgTask{drainEvents, drainSize, okta.DefaultLimit})
	var rates, bares, ratios, cpu, resident []float64
	for i := range number("SIGNAL_CLIENT_BENCH_PAIRS", drainPairs) {
		var service, bare drained
		if i%2 == 0 {
			service, bare = d.service(t), d.bare(t)
		} else {
			bare, service = d.bare(t), d.service(t)
		}
		rates, bares, ratios = append(rates, service.rate), append(bares, bare.rate), append(ratios, service.rate/bare.rate)
		cpu, resident = append(cpu, service.cpu), append(resident, service.resident)
		progress("drain: pair %d: %s events/s, bare %s, ratio %.2f; %.1f µs of CPU an event (bare %.1f), %.0f MB",
			i+1, thousands(service.rate), thousands(bare.rate), service.rate/bare.rate, service.cpu, bare.cpu, service.resident)
	}
	r.Part(fmt.Sprintf("Drain of %s events of 2 KB, no rate limit; medians of %d pairs", thousands(drainEvents), len(rates)))
	r.Plain("events a second", thousands(median(rates)))
	r.Plain("bare publisher of the same batches", thousands(median(bares)))
	r.Target("ratio of a pair ("+spread(ratios, "%.2f")+")", fmt.Sprintf("%.2f", median(ratios)), "≥ 0.90", median(ratios) >= 0.9)
	r.Target("CPU an event, whole process", fmt.Sprintf("%.1f µs", median(cpu)), "< 20 µs", median(cpu) < 20)
	r.Target("resident at most", fmt.Sprintf("%.0f MB", median(resident)), "< 96 MB", median(resident) < 96)
}

// service drains the org with the built binary.
func (d *drains) service(t *testing.T) drained {
	js := d.afresh(t)
	logged := filepath.Join(t.TempDir(), "log")
	out, err := os.Create(logged)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.CommandContext(t.Context(), d.binary, "run")
	cmd.Env = append(os.Environ(), "NATS_URL="+d.nats, "SIGNAL_CLIENT_HTTP_ADDR=127.0.0.1:0",
		"OKTA_INSTANCE="+drainInstance, "OKTA_BASE_URL="+d.org, "OKTA_API_TOKEN=bench", "OKTA_SINCE="+drainSince.String())
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err = await(t.Context(), js)
	peak := peakMemory(cmd.Process.Pid)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		said, _ := os.ReadFile(logged)
		t.Fatalf("drain: %v\n%s", err, said)
	}
	return drained{rate: rate(t, js), cpu: cpuPerEvent(cmd.ProcessState), resident: peak}
}

// bare publishes as much with the bare publisher.
func (d *drains) bare(t *testing.T) drained {
	js := d.afresh(t)
	conn, err := jets.Connect(t.Context(), d.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := jets.Open(t.Context(), conn, jets.Config{Kinds: kinds.All.Plain()}); err != nil {
		t.Fatal(err)
	}
	cmd, stdin := child(t, "bare", bareTask{d.nats, d.org, drainInstance, drainEvents, okta.DefaultLimit})
	defer stdin.Close()
	if err := cmd.Run(); err != nil {
		t.Fatalf("bare publisher: %v", err)
	}
	if err := await(t.Context(), js); err != nil {
		t.Fatal(err)
	}
	return drained{rate: rate(t, js), cpu: cpuPerEvent(cmd.ProcessState)}
}

// afresh deletes what a former run has stored.
func (d *drains) afresh(t *testing.T) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(d.server.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	for name := range js.StreamNames(t.Context()).Name() {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return js
}

// await waits until all events are stored.
func await(ctx context.Context, js jetstream.JetStream) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	subject := jets.SubjectEvents(okta.Kind.Name, drainInstance)
	for {
		stored := uint64(0)
		if stream, err := js.Stream(ctx, jets.StreamSignals); err == nil {
			info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject))
			if err == nil {
				stored = info.State.Subjects[subject]
			}
		}
		switch {
		case stored == drainEvents:
			return nil
		case stored > drainEvents:
			return fmt.Errorf("%d events are stored, there are only %d", stored, drainEvents)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d events are stored of %d: %w", stored, drainEvents, ctx.Err())
		}
	}
}

// rate is how fast the events came, from the commit of the first page to that
// of the last, by the server's clock: so a start costs nobody anything.
func rate(t *testing.T, js jetstream.JetStream) float64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), jets.StreamSignals)
	if err != nil {
		t.Fatal(err)
	}
	subject := jets.SubjectEvents(okta.Kind.Name, drainInstance)
	first, err := stream.GetMsg(t.Context(), 1, jetstream.WithGetMsgSubject(subject))
	if err != nil {
		t.Fatal(err)
	}
	last, err := stream.GetLastMsgForSubject(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return float64(drainEvents-okta.DefaultLimit) / last.Time.Sub(first.Time).Seconds()
}

func cpuPerEvent(p *os.ProcessState) float64 {
	return float64((p.UserTime() + p.SystemTime()).Microseconds()) / drainEvents
}

// peakMemory is how much memory a process has had resident at most, in MB; 0
// where the system does not say. Its usage at the end would not do: on
// Linux that counts what the process that started it had.
func peakMemory(pid int) float64 { return statusMB(pid, "VmHWM:") }

// statusMB reads a line of /proc/<pid>/status, in MB; 0 where there is none.
func statusMB(pid int, line string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), line)
	kb, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	n, _ := strconv.ParseFloat(kb, 64)
	return n * 1024 / 1e6
}

// number is an override from the environment.
func number(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil && n > 0 {
		return n
	}
	return otherwise
}
