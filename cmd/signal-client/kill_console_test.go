package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/scan"
)

// TestKillConsole kills the service, with server, console and search index, or the
// index's process alone, while people follow the console's pages and search. Each event is
// once in the stream and once in the index; no process is left behind; and while the
// index's process is killed, polling goes on in the same process.
func TestKillConsole(t *testing.T) {
	t.Parallel()
	k := newKillFixture(t, "acme", "globex")
	data, listen, console := filepath.Join(jetstest.TempDir(t), "data"), k.address(), k.address()
	k.servers, k.data = "nats://"+listen, data
	one := k.service("one", "SIGNAL_CLIENT_DATA_DIR="+data, "SIGNAL_CLIENT_NATS_LISTEN="+listen, "SIGNAL_CLIENT_CONSOLE=on", "SIGNAL_CLIENT_SEARCH=embedded")
	one.env = append(one.env, "SIGNAL_CLIENT_HTTP_ADDR="+console)
	c := &killConsole{killFixture: k, one: one, url: "http://" + console}
	one.start()
	k.configure()
	leave := c.visit()
	for n := range k.kills {
		k.trouble()
		k.wait(0, 3*time.Second)
		if n%2 == 0 {
			c.killAll()
		} else {
			c.killIndex()
		}
	}
	k.settle()
	c.indexed()
	leave()
	c.compare()
	one.stop()
	c.ended("the end of its parent", c.indexes())
	k.audit(jetstest.Config{Dir: data}.Run(t).Option())
	k.Logf("%d kills, of these %d of the index's process alone; visitors got %d changes, %d pages, %d answers to searches",
		k.kills, c.alone, c.got.changes.Load(), c.got.pages.Load(), c.got.searches.Load())
}

// killConsole is a service with a console and an index that people use.
type killConsole struct {
	*killFixture
	one   *killed
	url   string // of the console
	alone int    // kills of the index's process, not of its parent
	got   struct{ changes, pages, searches atomic.Int64 }
}

// killAll kills the service, and starts it again at once: the index's process of before
// may still be about to end.
func (c *killConsole) killAll() {
	c.Helper()
	before := c.indexes()
	c.one.kill()
	c.one.start()
	c.ended("the kill of its parent", before)
}

// killIndex kills the process of the index. Events that happen afterwards are stored by
// the service, which is the same process still.
func (c *killConsole) killIndex() {
	c.Helper()
	var pids []int
	c.until("a process of the index runs", func() bool { pids = c.indexes(); return len(pids) > 0 })
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	c.alone++
	c.ended("its own kill", pids)
	c.goesOn("the kill of the index's process")
	c.one.signal(0) // fails if it has ended
}

// indexes are the processes of the index: children of this binary by their command line,
// whoever is their parent now.
func (c *killConsole) indexes() (pids []int) {
	c.Helper()
	if runtime.GOOS != "linux" {
		c.Skip("processes are found in /proc")
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		c.Fatal(err)
	}
	for _, line := range lines {
		said, _ := os.ReadFile(line) // it may have ended
		args := strings.Split(string(said), "\x00")
		if len(args) > 1 && args[0] == c.binary && args[1] == "search-index" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(line)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// ended waits until processes of the index have ended.
func (c *killConsole) ended(after string, pids []int) {
	c.Helper()
	c.until(fmt.Sprintf("the index's processes %v end after %s", pids, after), func() bool {
		for _, pid := range pids {
			if syscall.Kill(pid, 0) == nil {
				return false
			}
		}
		return true
	})
}

// visit lets people follow the console, open pages and search until leave is called, and
// fails if one of these was never answered.
func (c *killConsole) visit() (leave func()) {
	ctx, cancel := context.WithCancel(c.Context())
	var people sync.WaitGroup
	visitor := func(path string, answers *atomic.Int64) {
		people.Go(func() {
			for ctx.Err() == nil {
				c.look(ctx, path, answers)
				_ = pipeline.Sleep(ctx, 100*time.Millisecond)
			}
		})
	}
	for range 5 {
		visitor("/api/v1/status/stream", &c.got.changes)
	}
	visitor("/admin/settings/integrations", &c.got.pages)
	visitor("/select/logsql/query?"+url.Values{"query": {"outcome.result:FAILURE"}, "limit": {"100"}}.Encode(), &c.got.searches)
	visitor("/select/logsql/tail?query=*", &c.got.searches)
	stop := func() { cancel(); people.Wait() }
	c.Cleanup(stop)
	return func() {
		stop()
		if c.got.changes.Load() == 0 || c.got.pages.Load() == 0 || c.got.searches.Load() == 0 {
			c.Errorf("seed %d: visitors got %d changes, %d pages, %d answers to searches", c.seed, c.got.changes.Load(), c.got.pages.Load(), c.got.searches.Load())
		}
	}
}

// look reads an answer as far as it comes, and counts its parts; a service that is being
// killed gives none.
func (c *killConsole) look(ctx context.Context, path string, answers *atomic.Int64) {
	answer, err := c.get(ctx, path)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	for buffer := make([]byte, 64<<10); ; {
		n, err := answer.Body.Read(buffer)
		if n > 0 {
			answers.Add(1)
		}
		if err != nil {
			return
		}
	}
}

// get returns an answer that is good.
func (c *killConsole) get(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err == nil && answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return answer, err
}

// indexed waits until the index says that it holds the whole stream.
func (c *killConsole) indexed() {
	c.Helper()
	events := uint64(0)
	for _, n := range c.stored() {
		events += n
	}
	c.until(fmt.Sprintf("the index holds %d events", events), func() bool {
		answer, err := c.get(c.Context(), "/api/v1/fleet")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		var fleet struct {
			Index struct {
				State           string
				Indexed, Behind uint64
			}
		}
		err = json.NewDecoder(answer.Body).Decode(&fleet)
		return err == nil && fleet.Index.State == "current" && fleet.Index.Behind == 0 && fleet.Index.Indexed >= events
	})
}

// compare holds the index against the stream, event by event. A row is found up to a
// second after it was taken.
func (c *killConsole) compare() {
	c.Helper()
	stored := c.stored()
	for _, org := range c.orgs {
		var times map[uint64]int
		c.until(org.instance+"'s events are found", func() bool {
			times = c.rows(org.instance)
			return uint64(len(times)) >= stored[jets.SubjectEvents(kinds.Default.Name, org.instance)]
		})
		events := 0
		for e, err := range scan.Events(c.Context(), c.conn, scan.Range{Kind: kinds.Default, Instances: []string{org.instance}}) {
			if err != nil {
				c.Fatal(err)
			}
			events++
			if n := times[e.Seq]; n != 1 {
				c.Errorf("seed %d: %s: event %d is in the index %d times", c.seed, org.instance, e.Seq, n)
			}
			delete(times, e.Seq)
		}
		if len(times) > 0 {
			c.Errorf("seed %d: %s: the index holds events that the stream does not: %v", c.seed, org.instance, times)
		}
		if events == 0 {
			c.Errorf("seed %d: %s has no event", c.seed, org.instance)
		}
	}
}

// rows is how often the index holds each sequence of an instance.
func (c *killConsole) rows(instance string) map[uint64]int {
	c.Helper()
	query := fmt.Sprintf(`{instance=%q} | fields seq`, instance)
	answer, err := c.get(c.Context(), "/select/logsql/query?"+url.Values{"query": {query}}.Encode())
	if err != nil {
		c.Fatal(err)
	}
	defer answer.Body.Close()
	times := map[uint64]int{}
	for rows := json.NewDecoder(answer.Body); ; {
		var row struct {
			Seq uint64 `json:"seq,string"`
		}
		if err := rows.Decode(&row); err == io.EOF {
			return times
		} else if err != nil {
			c.Fatal(err)
		}
		times[row.Seq]++
	}
}
