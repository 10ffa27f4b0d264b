package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

const (
	searchMessages  = 1_000_000
	searchInstances = 50
	searchDays      = 7
	searchDistinct  = 20_000 // events of the simulated org; the rest differ in time and id

	indexRate    = 20_000                 // events a second
	indexCPU     = 60.0                   // µs an event
	indexDisk    = 0.2                    // of the events' bytes
	indexMemory  = 450.0                  // MB
	searchTime   = 500 * time.Millisecond // to the first rows
	foundTime    = 2 * time.Second        // from a commit
	pageTime     = 500 * time.Millisecond // of a page beside searches
	searchRounds = 3
)

// TestSearchFigures prints how fast events are indexed and found. It fails when an event
// is not indexed or a search not answered, never because it was slow.
func TestSearchFigures(t *testing.T) {
	if os.Getenv(wantedEnv) == "" {
		t.Skip("task bench:search prints the figures")
	}
	var r report
	r.Plain("load average before: what else the machine does", loadAverage())
	b := newSearchBench(t)
	b.index(&r)
	b.searches(&r)
	b.found(&r)
	b.crowd(&r)
	r.Plain("load average after", loadAverage())
	r.Print(os.Stdout)
}

// searchBench is a stream, and a service that indexes it and polls nothing.
type searchBench struct {
	*testing.T
	events int
	bytes  int64
	js     jetstream.JetStream
	actor  string // somebody who did something

	turnedAway atomic.Int64 // searches that were not begun, since the index was busy

	service *exec.Cmd
	child   int // pid of the index's process
	dir     string
	console string
}

func newSearchBench(t *testing.T) *searchBench {
	b := &searchBench{T: t, events: number("SIGNAL_CLIENT_BENCH_MESSAGES", searchMessages), dir: t.TempDir()}
	binary := build(t)
	server := jetstest.Config{Dir: t.TempDir()}.Process(t)
	conn, err := jets.Connect(t.Context(), server.URL())
	b.ok(err)
	t.Cleanup(conn.Close)
	_, err = jets.Open(t.Context(), conn, jets.Config{Kinds: kinds.All.Plain()})
	b.ok(err)
	b.js, err = jetstream.New(conn.NATS, jetstream.WithPublishAsyncMaxPending(4000))
	b.ok(err)
	progress("search: storing %s events", thousands(float64(b.events)))
	b.fill()
	port, err := jetstest.FreePort()
	b.ok(err)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	b.console = "http://" + addr
	b.service = exec.Command(binary, "run")
	b.service.Dir = b.dir
	b.service.Env = append(plainEnviron(), "NATS_URL="+server.URL(), "SIGNAL_CLIENT_HTTP_ADDR="+addr, "SIGNAL_CLIENT_CONSOLE=on", "SIGNAL_CLIENT_SEARCH=embedded", "SIGNAL_CLIENT_LOG_LEVEL=warn")
	b.service.Stderr = os.Stderr
	return b
}

func (b *searchBench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// fill stores events of a week, those of an instance together as pollers store them.
func (b *searchBench) fill() {
	org := oktatest.New(oktatest.Config{Seed: 1})
	org.Generate(min(searchDistinct, b.events), searchDays*24*time.Hour)
	log := org.Events()
	begin, step := time.Now().Add(-searchDays*24*time.Hour), searchDays*24*time.Hour/time.Duration(b.events)
	for n := range b.events {
		e := log[n%len(log)]
		before, at := e.Published.UTC().Format("2006-01-02T15:04:05.000Z"), begin.Add(time.Duration(n)*step).UTC().Format("2006-01-02T15:04:05.000Z")
		data := bytes.Replace(e.Data, []byte(before), []byte(at), 1)
		data = bytes.Replace(data, []byte(e.UUID), fmt.Appendf(nil, "%08x-0000-4000-8000-000000000000", n), 1)
		b.bytes += int64(len(data))
		b.put(fmt.Sprintf("org-%02d", n/100%searchInstances), data, at)
	}
	b.actor = jsonText(b.T, log[len(log)/2].Data, "actor", "alternateId")
	select {
	case <-b.js.PublishAsyncComplete():
	case <-time.After(drainPatience):
		b.Fatal("the events are not stored")
	}
}

func (b *searchBench) put(instance string, data []byte, at string) {
	m := replayMessage(instance, 0, data)
	m.Header["ce-time"] = []string{at}
	_, err := b.js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute))
	b.ok(err)
}

// jsonText returns a member of an event.
func jsonText(t *testing.T, data []byte, path ...string) string {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	for _, name := range path {
		v = v.(map[string]any)[name]
	}
	return fmt.Sprint(v)
}

// index starts the service, and measures until the index holds the stream.
func (b *searchBench) index(r *report) {
	began := time.Now()
	b.ok(b.service.Start())
	b.Cleanup(func() {
		_ = b.service.Process.Kill()
		_ = b.service.Wait()
	})
	var first time.Time // row in the index
	for {
		indexed, state := b.progress()
		if first.IsZero() && indexed > 0 {
			first = time.Now()
		}
		if state == "current" && indexed >= b.events {
			break
		}
		if time.Since(began) > drainPatience {
			b.Fatalf("%d of %d events are indexed", indexed, b.events)
		}
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(began)
	b.child = childOf(b.T, b.service.Process.Pid)
	service, child := cpuOf(b, b.service.Process.Pid), cpuOf(b, b.child)
	progress("search: indexed in %s", took.Round(time.Millisecond))
	rate := float64(b.events) / took.Seconds()
	cpu := float64((service + child).Microseconds()) / float64(b.events)
	r.Part(fmt.Sprintf("Search index: %s events of %.2f kB, %d days, %d instances", thousands(float64(b.events)), float64(b.bytes)/float64(b.events)/1000, searchDays, searchInstances))
	r.Target("indexed, events a second, the start of both processes included", thousands(rate), "≥ "+thousands(indexRate), rate >= indexRate)
	r.Target(fmt.Sprintf("CPU an event, µs (service %.1f, index %.1f)", float64(service.Microseconds())/float64(b.events), float64(child.Microseconds())/float64(b.events)),
		fmt.Sprintf("%.1f", cpu), fmt.Sprintf("≤ %.0f", indexCPU), cpu <= indexCPU)
	share := float64(b.settledSize()) / float64(b.bytes)
	r.Target("on disk, of the events' bytes", fmt.Sprintf("%.1f %%", share*100), fmt.Sprintf("≤ %.0f %%", indexDisk*100), share <= indexDisk)
}

// progress returns how far the index is.
func (b *searchBench) progress() (indexed int, state string) {
	answer, err := http.Get(b.console + "/api/v1/fleet")
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	var fleet struct {
		Index struct {
			State   string
			Indexed int
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&fleet); err != nil {
		return 0, err.Error()
	}
	return fleet.Index.Indexed, fleet.Index.State
}

// settledSize is the size of the index when it has not changed for a while: VictoriaLogs
// writes what it has in memory after some seconds, and merges it.
func (b *searchBench) settledSize() (size int64) {
	for same := 0; same < 12; time.Sleep(time.Second) {
		before := size
		size = b.size()
		if same++; size != before || size < b.bytes/100 {
			same = 0
		}
	}
	return size
}

func (b *searchBench) size() (size int64) {
	_ = filepath.WalkDir(filepath.Join(b.dir, "data", "search"), func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}

// childOf returns the pid of a process's only child.
func childOf(t *testing.T, pid int) int {
	said, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, task := range threads(pid) {
		if more, err := os.ReadFile(task); err == nil {
			said = append(said, more...)
		}
	}
	fields := strings.Fields(string(said))
	if len(fields) == 0 {
		t.Fatalf("no process of the index: %v", err)
	}
	child, _ := strconv.Atoi(fields[0])
	return child
}

func threads(pid int) []string {
	found, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	return found
}

// pageFacets counts the values of the fields that the page lists beside its rows.
var pageFacets = " | fields instance, " + strings.Join(okta.Kind.Reading.Facets, ", ") + " | facets 8 max_values_per_field 50000 max_value_len 1000 keep_const_fields"

// searches measures twelve searches, the histogram and the facets.
func (b *searchBench) searches(r *report) {
	r.Part(fmt.Sprintf("Searches, until the first row; the newest 50; the slowest of %d", searchRounds))
	for _, s := range []struct{ name, query string }{
		{"everything", `*`},
		{"an address typed alone", b.actor},
		{"a user by exact name", `actor.alternateId:="` + b.actor + `"`},
		{"failed sign-ins", `eventType:user.session.start outcome.result:FAILURE`},
		{"a client's address", `client.ipAddress:198.51.100.26`},
		{"a network", `client.ipAddress:ipv4_range(198.51.100.0/24)`},
		{"one instance", `{instance="org-07"} eventType:user.authentication.sso`},
		{"a target", `target.alternateId:"` + b.actor + `"`},
		{"an administrator's changes", `eventType:(user.lifecycle* or group.user_membership* or policy.lifecycle*)`},
		{"a session", `authenticationContext.externalSessionId:idx*`},
		{"a phrase of the message", `_msg:"sign-on policy"`},
		{"what is nowhere", `nobody@nowhere.example`},
	} {
		b.time(r, fmt.Sprintf("%s: %s", s.name, s.query), "query", url.Values{"query": {s.query}, "limit": {"50"}}, s.name != "what is nowhere")
	}
	week := url.Values{"query": {"outcome.result:FAILURE"}, "step": {"1h"}, "start": {"8d"}}
	b.time(r, "histogram by hour of outcome.result:FAILURE", "hits", week, true)
	b.time(r, "values beside the rows, as the page asks for them: of outcome.result:FAILURE", "query", url.Values{"query": {"outcome.result:FAILURE" + pageFacets}}, true)
	b.time(r, "the same of everything", "query", url.Values{"query": {"*" + pageFacets}}, true)
	b.time(r, "facets of all fields, of outcome.result:FAILURE", "facets", url.Values{"query": {"outcome.result:FAILURE"}}, true)
	rss := statusMB(b.child, "VmRSS:")
	r.Target("resident memory of the index, MB; at most "+fmt.Sprintf("%.0f", statusMB(b.child, "VmHWM:")), fmt.Sprintf("%.0f", rss), fmt.Sprintf("≤ %.0f", indexMemory), rss <= indexMemory)
	r.Plain("resident memory of the service, MB", fmt.Sprintf("%.0f", statusMB(b.service.Process.Pid, "VmRSS:")))
}

// time measures one request, until its first byte.
func (b *searchBench) time(r *report, name, path string, q url.Values, rows bool) {
	var slowest time.Duration
	for range searchRounds {
		took, n := b.ask(path, q)
		if slowest = max(slowest, took); (n > 0) != rows {
			b.Errorf("%s: %d bytes", name, n)
		}
	}
	r.Target(name, slowest.Round(time.Millisecond).String(), "≤ "+searchTime.String(), slowest <= searchTime)
}

// ask returns the time to the first byte of an answer, and its length.
func (b *searchBench) ask(path string, q url.Values) (first time.Duration, length int64) {
	began := time.Now()
	answer, err := http.PostForm(b.console+"/select/logsql/"+path, q)
	if err != nil {
		b.Error(err)
		return 0, 0
	}
	defer answer.Body.Close()
	body := bufio.NewReader(answer.Body)
	_, _ = body.Peek(1)
	first = time.Since(began)
	if answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "" {
		b.turnedAway.Add(1)
		return first, 0
	}
	length, err = io.Copy(io.Discard, body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Errorf("%s %v: %s, %v", path, q, answer.Status, err)
	}
	return first, length
}

// found measures the time from a commit until a search finds the event.
func (b *searchBench) found(r *report) {
	var times []float64
	for i := range 5 {
		word := fmt.Sprintf("found%d", i)
		at := time.Now()
		data := fmt.Appendf(nil, `{"uuid":%q,"published":%q,"eventType":"user.session.start","displayMessage":"m","debugContext":{"debugData":{"requestId":%q}}}`, word, at.UTC().Format(time.RFC3339Nano), word)
		_, err := b.js.PublishMsg(b.Context(), &nats.Msg{Subject: jets.SubjectEvents(okta.Kind.Name, "org-00"), Data: data})
		b.ok(err)
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			if _, n := b.ask("query", url.Values{"query": {"debugContext.debugData.requestId:=" + word}, "start": {"1h"}}); n > 0 {
				times = append(times, time.Since(began).Seconds())
				break
			}
			if time.Since(began) > time.Minute {
				b.Fatal("an event is not found")
			}
		}
	}
	worst := slices.Max(times)
	r.Part("Beside each other")
	r.Target("from the commit of an event until a search finds it, the slowest of 5", fmt.Sprintf("%.1fs", worst), "≤ "+foundTime.String(), worst <= foundTime.Seconds())
}

// crowd measures pages while 20 searches run and 50 tabs are open.
func (b *searchBench) crowd(r *report) {
	ctx, stop := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.console+"/api/v1/status/stream", nil)
			if err != nil {
				return
			}
			if answer, err := http.DefaultClient.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
	}
	queries := []string{b.actor, "outcome.result:FAILURE", "client.ipAddress:198.51.100.26", "* | stats by (eventType) count() as n"}
	for i := range 20 {
		wg.Go(func() {
			for ctx.Err() == nil {
				b.ask("query", url.Values{"query": {queries[i%len(queries)]}, "limit": {"200"}})
			}
		})
	}
	var times []time.Duration
	for range 100 {
		for _, page := range []string{"/", "/signals/search"} {
			began := time.Now()
			answer, err := http.Get(b.console + page)
			b.ok(err)
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				b.Errorf("%s: %s", page, answer.Status)
			}
			times = append(times, time.Since(began))
		}
	}
	stop()
	wg.Wait()
	slices.Sort(times)
	p95 := times[len(times)*95/100]
	r.Plain("searches of these that were turned away, since the index was busy", fmt.Sprint(b.turnedAway.Load()))
	r.Target("a page, beside 20 searches without a pause and 50 open tabs, 95 of 100", p95.Round(time.Millisecond).String(), "≤ "+pageTime.String(), p95 <= pageTime)
}
