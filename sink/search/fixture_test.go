package search_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// fixture is a stream, and a service that indexes it.
type fixture struct {
	*sinktest.Fixture
	config search.Config
	log    *jetstest.Buffer
	n      int // events laid

	service *search.Service
	end     func()
}

func newFixture(t *testing.T) *fixture {
	t.Parallel()
	f := &fixture{Fixture: sinktest.New(t, jetstest.Config{}), log: new(jetstest.Buffer)}
	program, err := os.Executable()
	f.OK(err)
	f.config = search.Config{
		Mode: search.Embedded, Dir: filepath.Join(t.TempDir(), "search"), Command: []string{program, childArgument}, Memory: 64 << 20, WriteEvery: time.Second,
		Restart: pipeline.Backoff{Min: 10 * time.Millisecond, Max: 100 * time.Millisecond},
	}
	return f
}

// start starts a service; stop ends it.
func (f *fixture) start() *search.Service {
	f.Helper()
	log := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := search.New(f.config, log)
	ctx, cancel := context.WithCancel(f.Context())
	done, store := make(chan struct{}), f.Store
	go func() {
		defer close(done)
		_ = s.Run(ctx, store)
	}()
	f.service, f.end = s, func() { cancel(); <-done }
	f.Cleanup(f.end)
	return s
}

// event makes an event that happened at a time.
func event(n int, at time.Time) pipeline.Event {
	text := at.UTC().Format("2006-01-02T15:04:05.000Z")
	e := pipeline.Event{UUID: fmt.Sprintf("id-%06d", n), Type: "user.session.start", Published: at, Time: text}
	e.Data = fmt.Appendf(nil, `{"uuid":%q,"published":%q,"eventType":"user.session.start","displayMessage":"User login %d","actor":{"alternateId":"user%d@example.com","type":"User"},"outcome":{"result":"SUCCESS"}}`,
		e.UUID, text, n, n%1000)
	return e
}

// lay stores events of ten instances, each so long ago that all fit in the retention.
func (f *fixture) lay(n int) {
	f.Helper()
	now := time.Now()
	for range n {
		f.put(sinktest.EventMessage(fmt.Sprintf("org-%d", f.n%10), event(f.n, now.Add(-time.Duration(f.n%1000)*time.Minute))))
		f.n++
		if f.n%100 == 0 {
			f.put(&nats.Msg{Subject: jets.SubjectPosition(sinktest.Kind.Name, "org-1"), Data: []byte(`{}`)})
		}
	}
	<-f.Store.Conn.JS.PublishAsyncComplete()
}

func (f *fixture) put(m *nats.Msg) {
	f.Helper()
	_, err := f.Store.Conn.JS.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute))
	f.OK(err)
}

// await waits until a condition holds.
func (f *fixture) await(what string, holds func() bool) {
	f.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("%s: not within two minutes: %+v\n%s", what, f.service.Progress(), f.log)
		}
	}
}

// current waits until the index has all that the stream holds.
func (f *fixture) current() {
	f.Helper()
	last := f.lastEvent()
	f.await("current", func() bool {
		p := f.service.Progress()
		return p.State == search.StateCurrent && p.Seq >= last
	})
}

// lastEvent returns the sequence of the newest event.
func (f *fixture) lastEvent() uint64 {
	m, err := f.Store.Conn.Last(f.Context(), jets.StreamSignals, jets.SubjectEvents(sinktest.Kind.Name, "*"))
	f.OK(err)
	return m.Seq
}

// wantSame compares the index with the stream: each event once.
func (f *fixture) wantSame() {
	f.Helper()
	f.current()
	stream := map[uint64]int{}
	for e, err := range scan.Events(f.Context(), f.Store.Conn, scan.Range{Kind: sinktest.Kind}) {
		f.OK(err)
		stream[e.Seq]++
	}
	f.await("rows are visible", func() bool { return len(f.rows("*")) >= len(stream) })
	got := f.rows("*")
	for seq, n := range got {
		if stream[seq] != n {
			f.Errorf("the index has %d rows of sequence %d, the stream %d", n, seq, stream[seq])
		}
	}
	for seq := range stream {
		if got[seq] == 0 {
			f.Errorf("the index lacks sequence %d", seq)
		}
	}
	if f.Failed() {
		f.Fatalf("%d rows, %d events\n%s", len(got), len(stream), f.log)
	}
}

// rows counts the rows of each sequence that a query finds.
func (f *fixture) rows(query string) map[uint64]int {
	f.Helper()
	index, err := f.service.Index()
	if err != nil {
		return nil
	}
	answer, err := index.Get(f.Context(), "/select/logsql/query", url.Values{"query": {query + " | fields seq"}})
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	found := map[uint64]int{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		var row struct {
			Seq uint64 `json:"seq,string"`
		}
		f.OK(json.Unmarshal(lines.Bytes(), &row))
		found[row.Seq]++
	}
	return found
}

// seqs returns the sequences of rows, in order.
func seqs(rows map[uint64]int) []uint64 {
	var all []uint64
	for seq := range rows {
		all = append(all, seq)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}

var started = regexp.MustCompile(`process is starting" pid=(\d+)`)

// pid returns the process of the index.
func (f *fixture) pid() int {
	f.Helper()
	all := started.FindAllStringSubmatch(f.log.String(), -1)
	pid, err := strconv.Atoi(all[len(all)-1][1])
	f.OK(err)
	return pid
}

// kill waits until the index has written a part of its rows, and kills its process some
// time later.
func (f *fixture) kill(later time.Duration) {
	f.Helper()
	f.await("it answers", func() bool { _, err := f.service.Index(); return err == nil })
	began := time.Now()
	f.await("it writes", func() bool {
		parts, _ := filepath.Glob(filepath.Join(f.config.Dir, "partitions", "*", "datadb", "*", "metadata.json"))
		return slices.ContainsFunc(parts, func(part string) bool {
			info, err := os.Stat(part)
			return err == nil && info.ModTime().After(began)
		})
	})
	began = time.Now()
	f.await("its time has come", func() bool { return time.Since(began) >= later })
	p, err := os.FindProcess(f.pid())
	f.OK(err)
	_ = p.Kill()
	f.await("it is gone", func() bool { _, err := f.service.Index(); return err != nil })
}

// saved waits until the checkpoint has come to the newest event.
func (f *fixture) saved() {
	f.Helper()
	last := fmt.Sprintf(`"seq":%d,`, f.lastEvent())
	f.await("the checkpoint", func() bool {
		data, _ := os.ReadFile(filepath.Join(f.config.Dir, "checkpoint.json"))
		return strings.Contains(string(data), last)
	})
}

// remove removes the index's directory, into which somebody may write meanwhile.
func (f *fixture) remove() {
	f.Helper()
	f.await("the directory is removed", func() bool { return os.RemoveAll(f.config.Dir) == nil })
}
