package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/source/okta"
)

const (
	replayMessages  = 1_000_000
	replayInstances = 50
	replayRounds    = 3
	replayTarget    = 60_000 // events a second, where they lie as a poller that catches up stores them
)

// TestReplayFigures prints how fast one instance of fifty comes out of a million
// messages, beside a plain consumer that filters on it and beside what the server
// allows: it unpacks each block of its store that holds an event of the instance, so
// the less they stand together the more it computes for one. It fails when an event
// is missing, never because it was slow.
func TestReplayFigures(t *testing.T) {
	if os.Getenv(wantedEnv) == "" {
		t.Skip("task bench:replay prints the figures")
	}
	var r report
	r.Plain("load average before: what else the machine does", loadAverage())
	binary := build(t)
	org := startOrg(t, orgTask{5000, 2000, okta.DefaultLimit})
	for _, layout := range []replayLayout{
		{"pages of up to 999 events, as pollers that catch up store them", okta.DefaultLimit, 1},
		{"pages of up to 99 events, as pollers of busy orgs store them", 99, 1},
		{"event by event in turn, as no poller stores them", 1, 2},
	} {
		t.Run(layout.name, func(t *testing.T) { layout.measure(t, &r, binary, org) })
	}
	r.Plain("load average after", loadAverage())
	r.Print(os.Stdout)
}

// replayLayout is how the instances' events lie in the stream.
type replayLayout struct {
	name    string
	longest int // events of a page
	turns   int // 2: the instances take turns, and there are no positions
}

// measure reads the instance in both ways, in turn.
func (l replayLayout) measure(t *testing.T, r *report, binary, org string) {
	progress("replay: storing %s messages, %s", thousands(float64(number("SIGNAL_CLIENT_BENCH_MESSAGES", replayMessages))), l.name)
	server := jetstest.Config{Dir: t.TempDir()}.Process(t)
	conn, err := jets.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	store, err := jets.Open(t.Context(), conn, jets.Config{Kinds: kinds.All.Plain()})
	if err != nil {
		t.Fatal(err)
	}
	want := l.fill(t, conn, replayEvents(t, org))
	var plain, engine, command, computed []float64
	for i := range number("SIGNAL_CLIENT_BENCH_PAIRS", replayRounds) {
		ways := []func(){
			func() {
				plain = append(plain, rateOf(t, want, func() (int, error) { return consumeOne(t.Context(), conn) }))
			},
			func() {
				before := cpuOf(t, server.PID())
				engine = append(engine, rateOf(t, want, func() (int, error) { return readOne(t.Context(), store) }))
				computed = append(computed, (cpuOf(t, server.PID()) - before).Seconds())
			},
			func() {
				command = append(command, rateOf(t, want, func() (int, error) { return replayOne(t.Context(), binary, server.URL()) }))
			},
		}
		for k := range ways {
			ways[(k+i)%len(ways)]()
		}
		progress("replay: round %d: plain consumer %s, read %s, command %s events/s", i+1, thousands(plain[i]), thousands(engine[i]), thousands(command[i]))
	}
	r.Part(fmt.Sprintf("Replay of 1 instance of %d; %s; %s events; medians of %d", replayInstances, l.name, thousands(float64(want)), len(engine)))
	r.Plain("plain consumer with a filter, events a second", thousands(median(plain)))
	rate, name := median(engine), "read by parts, events a second ("+spread(engine, "%.0f")+")"
	if l.longest == okta.DefaultLimit {
		r.Target(name, thousands(rate), "≥ "+thousands(replayTarget), rate >= replayTarget)
	} else {
		r.Plain(name, thousands(rate))
	}
	r.Plain("CPU of nats-server for that, seconds", fmt.Sprintf("%.2f", median(computed)))
	r.Plain("events a second that it allows when it has all cores", thousands(float64(want)/median(computed)*float64(runtime.NumCPU())))
	r.Plain("signal-client replay > file, its start included", thousands(median(command)))
}

const replayInstance = "org-07"

// fill stores the messages and returns how many are the instance's.
func (l replayLayout) fill(t *testing.T, conn *jets.Conn, events []json.RawMessage) (wanted int) {
	js, err := jetstream.New(conn.NATS, jetstream.WithPublishAsyncMaxPending(4000))
	if err != nil {
		t.Fatal(err)
	}
	put := func(m *nats.Msg) {
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for n, total := 0, number("SIGNAL_CLIENT_BENCH_MESSAGES", replayMessages); n < total; {
		i, page := rnd.IntN(replayInstances), 1+rnd.IntN(l.longest)
		if l.turns > 1 {
			i, page = n%replayInstances, 1
		}
		instance := fmt.Sprintf("org-%02d", i)
		for range min(page, total-n) {
			put(replayMessage(instance, n, events[rnd.IntN(len(events))]))
			if n++; instance == replayInstance {
				wanted++
			}
		}
		if l.turns == 1 {
			put(&nats.Msg{Subject: jets.SubjectPosition(okta.Kind.Name, instance), Data: []byte(`{}`)})
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(drainPatience):
		t.Fatal("the messages are not stored")
	}
	return wanted
}

// replayMessage is an event with the headers that the service writes, those of a
// batch among them: they are kept, under another name here, since they would
// begin one.
func replayMessage(instance string, n int, data []byte) *nats.Msg {
	return &nats.Msg{Subject: jets.SubjectEvents(okta.Kind.Name, instance), Data: data, Header: nats.Header{
		"ce-specversion": {"1.0"}, "ce-id": {fmt.Sprintf("%08x-0000-4000-8000-000000000000", n)}, "ce-source": {"https://acme.okta.com"},
		"ce-type": {"com.okta.user.session.start"}, "ce-time": {"2026-11-22T08:00:00.000Z"}, "ce-datacontenttype": {"application/json"},
		"Else-Batch-Id": {"7XlT6UVZcOjEByGXpsuotz"}, "Else-Batch-Sequence": {fmt.Sprint(n % 999)},
	}}
}

// replayEvents are different events of 2 KB or a little more.
func replayEvents(t *testing.T, org string) []json.RawMessage {
	body, _, err := fetch(org + string(okta.Start("", okta.DefaultLimit, time.Now().Add(-drainSince))))
	if err != nil {
		t.Fatal(err)
	}
	var events []json.RawMessage
	if err := json.Unmarshal(body, &events); err != nil || len(events) == 0 {
		t.Fatalf("%d events: %v", len(events), err)
	}
	return events
}

// rateOf is how many events a second one way of reading brings.
func rateOf(t *testing.T, want int, read func() (int, error)) float64 {
	t.Helper()
	began := time.Now()
	n, err := read()
	took := time.Since(began)
	if err != nil || n != want {
		t.Fatalf("%d events of %d: %v", n, want, err)
	}
	return float64(n) / took.Seconds()
}

// consumeOne reads the instance with a plain ordered consumer.
func consumeOne(ctx context.Context, conn *jets.Conn) (int, error) {
	consumer, err := conn.JS.OrderedConsumer(ctx, jets.StreamSignals, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{jets.SubjectEvents(okta.Kind.Name, replayInstance)},
	})
	if err != nil {
		return 0, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(5000))
	if err != nil {
		return 0, err
	}
	defer messages.Stop()
	for n := 1; ; n++ {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return n, err
		}
		if meta, err := m.Metadata(); err != nil || meta.NumPending == 0 {
			return n, err
		}
	}
}

func readOne(ctx context.Context, store *jets.Store) (n int, err error) {
	for _, err := range scan.Events(ctx, store.Conn, scan.Range{Kind: okta.Kind, Instances: []string{replayInstance}}) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// replayOne runs the built command and counts its lines.
func replayOne(ctx context.Context, binary, url string) (int, error) {
	cmd := exec.CommandContext(ctx, binary, "replay", "--instance", replayInstance)
	cmd.Env = append(os.Environ(), "NATS_URL="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	n, err := countLines(out)
	return n, errors.Join(err, cmd.Wait())
}

func countLines(r io.Reader) (n int, err error) {
	for buf := make([]byte, 1<<18); ; {
		k, err := r.Read(buf)
		for _, c := range buf[:k] {
			if c == '\n' {
				n++
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
