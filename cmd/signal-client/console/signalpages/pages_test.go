package signalpages

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/console/page"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/sink/sinktest"
)

func TestMain(m *testing.M) { jetstest.Main(m) }

// site is the pages over a real stream.
type site struct {
	*sinktest.Fixture
	index view.Index
	pages http.Handler
}

func newSite(t *testing.T) *site {
	s := &site{Fixture: sinktest.New(t, jetstest.Config{}), index: view.Index{State: search.StateCurrent}}
	r, err := page.New(page.Config{Contents: []page.Content{Content()}, Search: true})
	s.OK(err)
	s.pages = New(Config{Store: s.Store, Index: func() view.Index { return s.index }, Render: r.Render})
	return s
}

// get returns the body of a page that must have a status.
func (s *site) get(url string, status int) string {
	s.Helper()
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	if w.Code != status {
		s.Fatalf("%s answered %d, want %d:\n%s", url, w.Code, status, w.Body)
	}
	return w.Body.String()
}

// event stores an event with headers of the program.
func (s *site) event(data string, headers ...string) uint64 {
	s.Helper()
	m := &nats.Msg{Subject: jets.SubjectEvents("okta", "acme"), Data: []byte(data), Header: nats.Header{}}
	for i := 0; i < len(headers); i += 2 {
		m.Header.Add(headers[i], headers[i+1])
	}
	ack, err := s.Store.Conn.JS.PublishMsg(s.Context(), m)
	s.OK(err)
	return ack.Sequence
}

// has reports what of the wanted texts a page lacks.
func (s *site) has(body string, wanted ...string) {
	s.Helper()
	for _, w := range wanted {
		if !strings.Contains(body, w) {
			s.Errorf("the page lacks %q:\n%s", w, body)
		}
	}
}

func (s *site) lacks(body string, unwanted ...string) {
	s.Helper()
	for _, w := range unwanted {
		if strings.Contains(body, w) {
			s.Errorf("the page has %q:\n%s", w, body)
		}
	}
}

// The search page has the names that people and programs look for, and takes what the
// browser must know from the kind of source.
func TestSearchPage(t *testing.T) {
	s := newSite(t)
	s.index = view.Index{State: search.StateIndexing, Stream: 1_000_000, Indexed: 812_000, Behind: 188_000}
	body := s.get("/signals/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", http.StatusOK)
	s.has(body, "<h1>Search</h1>", `<label for="query">Query</label>`, `<label for="range">Time range</label>`,
		`id="go">Search</button>`, `>Live tail</button>`, `aria-label="Events"`, `role="combobox"`, `>Last 15 minutes<`, `>Own range…<`, `value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"`)
	s.lacks(body, "<script>", "onclick=", "<style", "style=")

	found := regexp.MustCompile(`data-settings="([^"]*)"`).FindStringSubmatch(body)
	var got settings
	if err := json.Unmarshal([]byte(html.UnescapeString(found[1])), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Columns) < 4 || len(got.Facets) < 4 || got.Index.Indexed != 812_000 || got.Index.Behind != 188_000 {
		t.Errorf("settings %+v", got)
	}
	var index view.Index
	if err := json.Unmarshal([]byte(s.get("/signals/search/index", http.StatusOK)), &index); err != nil || index != s.index {
		t.Errorf("index %+v, %v", index, err)
	}
}

const login = `{"uuid":"5a3c","eventType":"user.session.start","published":"2026-11-28T10:00:00.123Z","displayMessage":"User login to Okta",
"actor":{"id":"00u1","type":"User","alternateId":"ana@example.com","displayName":"Ana Lee"},"client":{"ipAddress":"203.0.113.9","geographicalContext":{"city":"Oslo","country":"Norway"}},
"outcome":{"result":"FAILURE","reason":"INVALID_CREDENTIALS"},"target":[{"type":"AppInstance","alternateId":"Salesforce","displayName":"Salesforce","n":12345678901234567890}],
"authenticationContext":{"externalSessionId":"102x"},"transaction":{"id":"W1"},"null":null,"again":1,"again":2}`

func TestEventPage(t *testing.T) {
	s := newSite(t)
	seq := s.event(login, "ce-id", "5a3c", "ce-type", "com.okta.user.session.start", "ce-time", "2026-11-28T10:00:00.123Z", "Signal-Origin", "backfill")
	position := s.Write(jets.SubjectPosition("okta", "acme"), `{"why":"page","events":1,"complete_through":"2026-11-28T10:05:00Z"}`)
	next := s.event(`{"uuid":"b"}`)
	body := s.get(fmt.Sprint("/signals/events/", seq), http.StatusOK)

	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body[strings.Index(body, `<p class="story">`):strings.Index(body, `<p class="when">`)], "")
	if want := "Ana Lee (ana@example.com): User login to Okta, on Salesforce, from 203.0.113.9 (Oslo, Norway), with the result FAILURE (INVALID_CREDENTIALS)."; strings.TrimSpace(text) != want {
		t.Errorf("story %q", text)
	}
	s.has(body, "<h1>Event</h1>", "12345678901234567890", "signals.okta.acme", "backfill", "com.okta.user.session.start",
		fmt.Sprintf(`<a href="/signals/events/%d">%d</a> follows this event`, position, position),
		fmt.Sprintf(`href="/signals/events/%d">Next event of acme`, next),
		fmt.Sprintf(`data-url="/api/v1/signals/%d"`, seq), `datetime="2026-11-28T10:00:00.123Z"`)
	for name, query := range map[string]string{
		"Same session": `authenticationContext.externalSessionId:="102x"`, "Same transaction": `transaction.id:="W1"`, "Same actor": `actor.id:="00u1"`,
		"Same address": `client.ipAddress:="203.0.113.9"`, "Within an hour": `instance:="acme"`,
	} {
		s.has(body, html.EscapeString(fmt.Sprintf("/signals/search?from=2026-11-28T09%%3A00%%3A00Z&q=%s&to=2026-11-28T11%%3A00%%3A01Z", queryEscape(query)))+`">`+name)
	}
	s.has(body, queryEscape(`target.alternateId:json_array_contains_any("Salesforce")`))
	if n := strings.Count(body, `<bdi class="name">again</bdi>`); n != 2 {
		t.Errorf("a member that occurs twice is shown %d times", n)
	}
}

func queryEscape(text string) string {
	return strings.NewReplacer(":", "%3A", "=", "%3D", `"`, "%22", "(", "%28", ")", "%29", " ", "+").Replace(text)
}

// Markup in any member, in a header or in the bytes of an event is text.
func TestEventPageEscapes(t *testing.T) {
	s := newSite(t)
	const evil = `<img src=x onerror=alert(1)>\"'</script>{{.}}`
	data := strings.NewReplacer(`"5a3c"`, `"`+evil+`"`, "User login to Okta", evil, "Ana Lee", evil, "ana@example.com", evil, "203.0.113.9", evil, "Oslo", evil,
		"FAILURE", evil, "INVALID_CREDENTIALS", evil, "Salesforce", evil, "102x", evil, "W1", evil, "00u1", evil, `"null"`, `"`+evil+`"`, "user.session.start", evil).Replace(login)
	if !json.Valid([]byte(data)) {
		t.Fatal("the test's event is no JSON")
	}
	seq := s.event(data, "X-Evil", "<img src=x onerror=alert(1)>", "ce-type", "com.okta.<img src=x>", "Signal-Origin", "<img src=x>")
	body := s.get(fmt.Sprint("/signals/events/", seq), http.StatusOK)
	s.lacks(body, "<img", "onerror=alert(1)>", "</script>{{")
	s.has(body, "&lt;img src=x onerror=alert(1)&gt;")
	if strings.Contains(body, "javascript:") {
		t.Error("a link runs a script")
	}
}

// What is no JSON, or can't be seen, is shown all the same, with its bytes.
func TestEventPageOfAnything(t *testing.T) {
	s := newSite(t)
	for data, want := range map[string]string{
		"": "it is not JSON", "\x00\xff\u202e<b>": `<span class="escaped">\x00</span><span class="escaped">\xff</span><span class="escaped">\u{202e}</span>&lt;b&gt;`,
		`{"a":1}{}`: "something follows the value", `[1,[]]`: `[ 2 ]`, `"x"`: "x", "null": "null", `{"":{"":""}}`: "{ 1 }",
		strings.Repeat("[", 9000) + strings.Repeat("]", 9000): "more in the exact bytes",
		"[" + strings.Repeat("1,", 50_000) + "1]":             "more in the exact bytes",
		`{"a":"` + strings.Repeat("x", 200_000) + `"}`:        "The rest is not shown",
	} {
		body := s.get(fmt.Sprint("/signals/events/", s.event(data)), http.StatusOK)
		s.has(body, want)
		if len(body) > 3<<20 {
			t.Errorf("the page of %.20q has %d bytes", data, len(body))
		}
	}
}

// A sequence without an event has a page that says why, and ways to go on.
func TestAbsentEvents(t *testing.T) {
	s := newSite(t)
	old, removed := s.event(`{}`), uint64(0)
	position := s.Write(jets.SubjectPosition("okta", "acme"), `{"why":"<b>","events":7,"complete_through":"2026-11-28T10:05:00Z"}`)
	foreign := s.Write("signals.auth0.x<b>", `{}`)
	removed = s.event(`{}`)
	last := s.event(`{}`)
	s.Delete(old)
	s.Delete(removed)
	for at, want := range map[string][]string{
		fmt.Sprint(last + 1):                {"Not stored yet", fmt.Sprintf(`href="/signals/events/%d"`, last)},
		fmt.Sprint(old):                     {"No longer kept", fmt.Sprintf(`href="/signals/events/%d"`, position)},
		fmt.Sprint(removed):                 {"Deleted"},
		fmt.Sprint(position):                {"A position", "&lt;b&gt;", "/admin/settings/integrations/acme"},
		fmt.Sprint(foreign):                 {"Not an event", "signals.auth0.x&lt;b&gt;"},
		"0":                                 {"No longer kept"},
		"18446744073709551615":              {"Not stored yet"},
		"18446744073709551616":              {"No such page"},
		"-1":                                {"No such page"},
		"%3Cimg%20src=x%20onerror=alert(1)": {"No such page", "&lt;img src=x"},
	} {
		body := s.get("/signals/events/"+at, http.StatusNotFound)
		s.has(body, append(want, "<h1>Event</h1>", `href="/signals/search"`)...)
		s.lacks(body, "<img", "<b>")
	}
	s.get("/signals/nowhere", http.StatusNotFound)
	s.get("/signals/", http.StatusFound)
}

// While NATS does not answer, an event's page says so.
func TestEventPageWithoutNATS(t *testing.T) {
	s := newSite(t)
	seq := s.event(`{}`)
	s.Server.Stop()
	s.has(s.get(fmt.Sprint("/signals/events/", seq), http.StatusServiceUnavailable), "The stream can&#39;t be read", "signal-client doctor")
}
