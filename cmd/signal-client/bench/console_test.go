package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta"
)

const (
	consoleOrgs     = 500
	consoleEvents   = 100_000     // stored at the start, of all together
	consoleEvery    = time.Minute // between two polls of an org
	consoleTabs     = 50
	consoleSearches = 20
	consoleRounds   = 40 // of each page
	consoleWindow   = 20 * time.Second

	consoleOpen = time.Second            // until the list is there
	consolePage = 300 * time.Millisecond // of a page beside tabs and searches
)

// TestConsoleFigures prints what the console costs with many integrations, tabs and
// searches. It fails when a page is not answered, never because it was slow.
func TestConsoleFigures(t *testing.T) {
	if os.Getenv(wantedEnv) == "" {
		t.Skip("task bench:console prints the figures")
	}
	var r report
	r.Plain("load average before: what else the machine does", loadAverage())
	b := newConsoleBench(t, number("SIGNAL_CLIENT_BENCH_ORGS", consoleOrgs))
	b.pages(&r)
	b.tabs(&r)
	b.crowd(&r)
	b.asleep(&r)
	r.Plain("load average after", loadAverage())
	r.Print(os.Stdout)
}

// consoleBench is a process that polls orgs in which events happen, with console and index.
type consoleBench struct {
	*fleet
	orgs    int
	one     *replica
	console string
	alone   float64 // resident memory before anybody came, MB
}

// newConsoleBench starts a process, and waits until all of its orgs were polled. One of
// five is disabled.
func newConsoleBench(t *testing.T, orgs int) *consoleBench {
	b := &consoleBench{orgs: orgs, fleet: newFleet(t, build(t), hostGroup{Name: "tile", Hosts: orgs, Alike: true, Rate: 600, Events: max(1, consoleEvents/orgs), PerMinute: 5})}
	b.configure(0, consoleEvery, false)
	bucket, err := b.js.KeyValue(t.Context(), jets.BucketIntegrations)
	b.ok(err)
	for i := 0; i < orgs; i += 5 {
		value := fmt.Sprintf(`{"enabled":false,"settings":{"base_url":%q},"credentials":{"api_token":"bench"}}`, b.fleet.orgs.origin(0, i))
		_, err := bucket.Put(t.Context(), jets.Key(okta.Kind.Name, b.fleet.orgs.groups[0].instance(i)), []byte(value))
		b.ok(err)
	}
	progress("console: %d integrations: starting", orgs)
	b.one = b.start("one", "SIGNAL_CLIENT_CONSOLE=on", "SIGNAL_CLIENT_SEARCH=embedded")
	b.until("all orgs are polled", 5*time.Minute, func() bool { return b.polling() >= orgs-(orgs+4)/5 })
	b.pause(consoleWindow)
	b.alone, _ = b.one.memory()
	return b
}

func (b *consoleBench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// polling counts the integrations that are green.
func (b *consoleBench) polling() int {
	if b.console = b.one.url(); b.console == "" {
		return 0
	}
	answer, err := http.Get(b.console + "/api/v1/fleet")
	if err != nil || answer.StatusCode != http.StatusOK {
		return 0
	}
	defer answer.Body.Close()
	var fleet struct {
		States []struct {
			State string
			Count int
		}
	}
	b.ok(json.NewDecoder(answer.Body).Decode(&fleet))
	for _, s := range fleet.States {
		if s.State == "polling" {
			return s.Count
		}
	}
	return 0
}

// opened is how long a page took, and what was sent of it.
type opened struct {
	first, whole time.Duration
	sent         int // bytes
}

// open gets a page as a browser does.
func (b *consoleBench) open(path string) opened {
	b.Helper()
	began := time.Now()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.console+path, nil)
	b.ok(err)
	r.Header.Set("Accept-Encoding", "gzip") // it is not decoded then
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Error(err)
		return opened{}
	}
	defer answer.Body.Close()
	o := opened{first: time.Since(began)}
	body, err := io.ReadAll(answer.Body)
	o.whole, o.sent = time.Since(began), len(body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Errorf("%s: %s, %v", path, answer.Status, err)
	}
	return o
}

// paths are pages and what their scripts ask for.
func (b *consoleBench) paths() []string {
	instance := b.fleet.orgs.groups[0].instance(1)
	return []string{"/", "/admin/settings/integrations", "/admin/settings/integrations/" + instance, "/signals/search", "/api/v1/status", "/api/v1/integrations", "/api/v1/integrations/" + instance + "/history"}
}

// pages measures each page when nobody else is there.
func (b *consoleBench) pages(r *report) {
	r.Part(fmt.Sprintf("Console: %s integrations, one of five disabled, each polled every %s; a page without other visitors, 95 of 100", thousands(float64(b.orgs)), consoleEvery))
	for _, path := range b.paths() {
		var first, whole []time.Duration
		var last opened
		for range consoleRounds {
			last = b.open(path)
			first, whole = append(first, last.first), append(whole, last.whole)
		}
		r.Target(fmt.Sprintf("%s: first byte %s; %.0f kB are sent", path, most(first), float64(last.sent)/1000),
			most(whole).String(), "≤ "+consoleOpen.String(), most(whole) <= consoleOpen)
	}
}

// most is what 95 of 100 are at most.
func most(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)*95/100].Round(100 * time.Microsecond)
}

// tabs measures what open tabs cost in which nobody does anything.
func (b *consoleBench) tabs(r *report) {
	share, _ := b.rest()
	r.Part(fmt.Sprintf("Tabs, over %s", consoleWindow))
	r.Plain("without a tab: CPU, of one core; resident MB", fmt.Sprintf("%.1f %%; %.0f", share, b.alone))
	ctx, leave := context.WithCancel(b.Context())
	received := b.follow(ctx, consoleTabs)
	b.pause(2 * time.Second) // each gets the whole picture at first
	share, resident := b.rest()
	leave()
	r.Plain(fmt.Sprintf("%d tabs: CPU, of one core; resident MB", consoleTabs), fmt.Sprintf("%.1f %%; %.0f", share, resident))
	r.Plain("received by each, kB", fmt.Sprintf("%.0f", float64(received())/consoleTabs/1000))
}

// rest measures the process for a while.
func (b *consoleBench) rest() (percent, resident float64) {
	began, before := time.Now(), b.one.cpu()
	b.pause(consoleWindow)
	percent = 100 * (b.one.cpu() - before).Seconds() / time.Since(began).Seconds()
	resident, _ = b.one.memory()
	return percent, resident
}

// follow opens tabs until ctx ends. What it returns waits for their end, and counts the
// bytes that came.
func (b *consoleBench) follow(ctx context.Context, tabs int) (received func() int64) {
	var all sync.WaitGroup
	counts := make([]int64, tabs)
	for n := range tabs {
		all.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.console+"/api/v1/status/stream", nil)
			if err != nil {
				return
			}
			if answer, err := http.DefaultClient.Do(r); err == nil {
				counts[n], _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
	}
	return func() (sum int64) {
		all.Wait()
		for _, n := range counts {
			sum += n
		}
		return sum
	}
}

// crowd measures pages beside tabs and searches.
func (b *consoleBench) crowd(r *report) {
	ctx, leave := context.WithCancel(b.Context())
	received := b.follow(ctx, consoleTabs)
	var searching sync.WaitGroup
	queries := []string{"outcome.result:FAILURE", "user.session.start", "*", "* | stats by (eventType) count() n"}
	searches := make([]int, consoleSearches)
	for n := range consoleSearches {
		searching.Go(func() {
			for query := queries[n%len(queries)]; ctx.Err() == nil; searches[n]++ {
				answer, err := http.PostForm(b.console+"/select/logsql/query", url.Values{"query": {query}, "limit": {"200"}})
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
	}
	b.beside(r, fmt.Sprintf("Pages beside %d tabs and %d searches without a pause", consoleTabs, consoleSearches))
	leave()
	searching.Wait()
	received()
	done := 0
	for _, n := range searches {
		done += n
	}
	r.Plain("searches meanwhile", thousands(float64(done)))
}

// beside measures all pages in turn, and the process's memory.
func (b *consoleBench) beside(r *report, what string) {
	r.Part(what)
	var all []time.Duration
	for _, path := range b.paths() {
		var times []time.Duration
		for range consoleRounds {
			times = append(times, b.open(path).whole)
		}
		all = append(all, times...)
		r.Plain(path+", 95 of 100", most(times).String())
	}
	r.Target("all of these, 95 of 100", most(all).String(), "≤ "+consolePage.String(), most(all) <= consolePage)
	now, peak := b.one.memory()
	r.Plain("resident; at most since the start; before anybody came, MB", fmt.Sprintf("%.0f; %.0f; %.0f", now, peak, b.alone))
}

// asleep measures pages beside tabs that read nothing of what they are sent.
func (b *consoleBench) asleep(r *report) {
	host := strings.TrimPrefix(b.console, "http://")
	for range consoleTabs {
		conn, err := net.Dial("tcp", host)
		b.ok(err)
		b.Cleanup(func() { _ = conn.Close() })
		_ = conn.(*net.TCPConn).SetReadBuffer(4096)
		_, err = fmt.Fprintf(conn, "GET /api/v1/status/stream HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		b.ok(err)
	}
	b.beside(r, fmt.Sprintf("Pages beside %d tabs that do not read", consoleTabs))
}
