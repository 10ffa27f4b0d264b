package api

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/search/searchtest"
)

// Queries reach the index as users type them, and nothing else does.
func TestSelect(t *testing.T) {
	f := newFixture(t)
	f.want(503, "GET", "/select/logsql/query?query=x", "")
	asked := make(chan string, 100)
	f.logs = func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked <- r.Method + " " + r.URL.RequestURI() + " " + r.PostForm.Get("query") + " limit=" + r.PostForm.Get("limit") + r.Header.Get("AccountID") + r.Header.Get("Cookie")
		w.Header().Set("Content-Type", "application/stream+json")
		w.Header().Set("Set-Cookie", "evil=1")
		_, _ = io.WriteString(w, "{\"_msg\":\"x\"}\n")
	}
	got := func() string {
		select {
		case line := <-asked:
			return line
		default:
			return ""
		}
	}
	r := f.want(200, "GET", "/select/logsql/query?query=error&limit=7", "", "AccountID", "7", "Cookie", "s=1")
	if line := got(); line != "POST /select/logsql/query *:error limit=7" || string(r.body) != "{\"_msg\":\"x\"}\n" || r.Header.Get("Set-Cookie") != "" {
		t.Errorf("asked %q, answered %q", line, r.body)
	}
	f.want(200, "POST", "/select/logsql/hits", url.Values{"query": {"alice@example.com"}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if line := got(); !strings.Contains(line, `/select/logsql/hits *:"alice@example.com"`) {
		t.Errorf("asked %q", line)
	}
	for _, name := range []string{"tail", "facets", "field_names", "field_values", "stats_query", "stats_query_range", "streams"} {
		f.want(200, "GET", "/select/logsql/"+name+"?query=*", "")
		if line := got(); !strings.HasPrefix(line, "POST /select/logsql/"+name+" ") {
			t.Errorf("asked %q", line)
		}
	}
	f.want(200, "GET", "/select/vmui/", "")
	if line := got(); !strings.HasPrefix(line, "GET /select/vmui/ ") {
		t.Errorf("asked %q", line)
	}
	for _, path := range []string{
		"/insert/jsonline", "/delete/run_task", "/internal/force_flush", "/select/logsql/", "/select/logsql/unheard", "/select/vmalert/api/v1/rules", "/metrics", "/internal/delete/run_task",
		"/select/../insert/jsonline", "/select/..%2finsert/jsonline", "/select//logsql/query", "//insert/jsonline", "/select/logsql/..%2f..%2finternal%2fforce_flush", "/select/logsql/query/../../../insert",
		"/select/vmui/../../internal/force_flush", "/select/vmui/%2e%2e/%2e%2e/internal/force_flush", "/select/vmui/..%5c..%5cinternal", "/select/logsql/query/", "/select/vmui//../internal/x", "/select/logsql/query%2f..%2f..",
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			if r := f.ask(method, path, ""); r.StatusCode < 300 || got() != "" {
				t.Errorf("%s %s: %d", method, path, r.StatusCode)
			}
		}
	}
	f.want(405, "DELETE", "/select/logsql/query", "")
	f.want(405, "POST", "/select/vmui/", "x")
	f.want(413, "POST", "/select/logsql/query", "query=x&extra_filters="+strings.Repeat("(", mostArgument+1), "Content-Type", "application/x-www-form-urlencoded")
	f.want(413, "POST", "/select/logsql/query", "query="+strings.Repeat("x", mostBody+1), "Content-Type", "application/x-www-form-urlencoded")
	if line := got(); line != "" {
		t.Errorf("asked %q", line)
	}
}

// A wrong query is answered with the place where it is wrong.
func TestSelectRefused(t *testing.T) {
	f := newFixture(t)
	f.logs = func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, `cannot parse `+"`query`"+` arg [a:(b]: missing ')'; got ""; context: [a:(b]`, http.StatusBadRequest)
	}
	r := f.want(400, "GET", "/select/logsql/query?query="+url.QueryEscape("a:(b"), "")
	if r.member("field") != "query" || r.member("offset") == nil || r.member("cause") == "" {
		t.Errorf("refused with %s", r.body)
	}
	f.logs = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	f.want(502, "GET", "/select/logsql/query?query=x", "")
}

// A search that the index has no time for is told so, and when to try again.
func TestSelectBusy(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		said       string
		status     int
		title      string
		retryAfter string
	}{
		{"couldn't start executing the request in 30.000 seconds, since -search.maxConcurrentRequests=8 concurrent requests are executed", 503, "The search index is busy", "5"},
		{"the request couldn't be executed in 60.000 seconds; possible solutions: to increase -search.maxQueryDuration=1m0s", 504, "The search takes too long", ""},
	} {
		f.logs = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, test.said, http.StatusServiceUnavailable) }
		r := f.want(test.status, "GET", "/select/logsql/query?query=x", "")
		if r.member("title") != test.title || r.member("remedy") == "" || r.Header.Get("Retry-After") != test.retryAfter || strings.Contains(string(r.body), "-search.") {
			t.Errorf("%s: answered %s", test.said, r.body)
		}
	}
}

// A tail is passed on line by line, and ends at the index when the client goes.
func TestSelectStreams(t *testing.T) {
	f := newFixture(t)
	more, ended := make(chan string), make(chan struct{})
	f.logs = func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_, _ = io.Copy(io.Discard, r.Body)
		for {
			select {
			case line := <-more:
				_, _ = io.WriteString(w, line)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
	go func() { more <- "{\"n\":1}\n" }()
	answer, err := http.Get(f.server.URL + "/select/logsql/tail?query=*")
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 8)
	for _, want := range []string{"{\"n\":1}\n", "{\"n\":2}\n"} {
		if _, err := io.ReadFull(answer.Body, line); err != nil || string(line) != want {
			t.Fatalf("read %q, %v", line, err)
		}
		if want == "{\"n\":1}\n" {
			more <- "{\"n\":2}\n"
		}
	}
	_ = answer.Body.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the index still works for a client that has gone")
	}
}

// What VictoriaLogs serves is served alike: each endpoint, its own page, and where a query
// is wrong.
func TestSelectOfVictoriaLogs(t *testing.T) {
	f := newFixture(t)
	server, err := searchtest.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	f.index = &server.Index
	var events []*scan.Stored
	for n, e := range f.org.Events() {
		events = append(events, &scan.Stored{Kind: f.store.Kind, Instance: "acme", Seq: uint64(n + 1), At: time.Now(), Header: nats.Header{}, Data: e.Data})
	}
	if err := server.Insert(t.Context(), f.store.Kind, events); err != nil {
		t.Fatal(err)
	}
	form := func(path, parameters string) reply {
		t.Helper()
		return f.want(200, "POST", path, parameters, "Content-Type", "application/x-www-form-urlencoded")
	}
	rows := form("/select/logsql/query", "query=instance:acme&limit=1000")
	if n := bytes.Count(rows.body, []byte("\n")); n != len(events) || !bytes.Contains(rows.body, []byte(`"seq":"1"`)) {
		t.Errorf("%d rows of %d", n, len(events))
	}
	for path, contains := range map[string]string{
		"hits?query=*&step=1h": `"hits"`, "facets?query=*": `"facets"`, "field_names?query=*": `"eventType"`, "field_values?query=*&field=instance": `"acme"`,
		"stats_query?query=" + url.QueryEscape("* | stats count() n"): `"result"`, "stats_query_range?step=1h&query=" + url.QueryEscape("* | stats count() n"): `"result"`,
		"streams?query=*": "acme", "stream_ids?query=*": `"values"`, "stream_field_names?query=*": "instance", "stream_field_values?query=*&field=instance": "acme",
	} {
		if r := f.want(200, "GET", "/select/logsql/"+path, ""); !bytes.Contains(r.body, []byte(contains)) {
			t.Errorf("%s: %.300s", path, r.body)
		}
	}
	r := f.want(400, "GET", "/select/logsql/query?query="+url.QueryEscape(`eventType:(a or`), "")
	if offset, _ := r.member("offset").(float64); offset < 10 || r.member("cause") == "" {
		t.Errorf("a wrong query: %s", r.body)
	}
	r = f.want(422, "GET", "/select/logsql/stats_query?query=error", "")
	if cause, _ := r.member("cause").(string); r.member("field") != "query" || !strings.HasPrefix(cause, "missing `| stats ...` pipe") {
		t.Errorf("a query without stats: %s", r.body)
	}
	r = f.want(400, "GET", "/select/logsql/query?query=error&limit=few", "")
	if cause, _ := r.member("cause").(string); r.member("field") != nil || r.member("offset") != nil || !strings.Contains(cause, "limit") {
		t.Errorf("a wrong limit: %s", r.body)
	}
	page := f.want(200, "GET", "/select/vmui/", "")
	script := regexp.MustCompile(`src="\./(assets/[^"]+\.js)"`).FindSubmatch(page.body)
	if script == nil {
		t.Fatalf("its page is %.500s", page.body)
	}
	if r := f.want(200, "GET", "/select/vmui/"+string(script[1]), ""); len(r.body) < 100_000 || !strings.Contains(r.Header.Get("Content-Type"), "javascript") {
		t.Errorf("its script: %d bytes of %s", len(r.body), r.Header.Get("Content-Type"))
	}
	f.want(200, "GET", "/select/buildinfo", "")
	f.want(200, "GET", "/health", "")
	f.want(200, "POST", "/select/logsql/query?query="+url.QueryEscape("instance:acme")+"&limit=1", "") // as Grafana's data source asks
}
