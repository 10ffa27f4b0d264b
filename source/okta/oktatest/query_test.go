package oktatest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestBadRequests(t *testing.T) {
	o := New(Config{})
	for _, c := range []struct{ query, code, naming string }{
		{"since=yesterday", "E0000001", "'since'"},
		{"until=2026-13-01", "E0000001", "'until'"},
		{"limit=1001", "E0000001", "'limit'"},
		{"limit=-1", "E0000001", "'limit'"},
		{"limit=many", "E0000001", "'limit'"},
		{"sortOrder=UP", "E0000001", "'sortOrder'"},
		{"q=" + strings.Repeat("x", 41), "E0000001", "'q'"},
		{"filter=" + url.QueryEscape(`eventType eqq "x"`), "E0000053", "'eqq' at position 10"},
		{"filter=" + url.QueryEscape(`eventType eq`), "E0000053", "Missing value"},
		{"filter=" + url.QueryEscape(`(eventType eq "x"`), "E0000053", "parenthesis"},
		{"filter=" + url.QueryEscape(`some_invalid_field eq "x"`), "E0000053", "some_invalid_field"},
		{"filter=" + url.QueryEscape(`published gt "2026-01-01T00:00:00Z"`), "E0000053", "published"},
		{"filter=" + url.QueryEscape(`debugContext.debugData.requestUri co "x"`), "E0000031", "requestUri"},
	} {
		refusal(t, ask(t, o, LogsPath+"?"+c.query), 400, c.code, c.naming)
	}
}

func TestWrongPathAndMethod(t *testing.T) {
	o := New(Config{})
	refusal(t, ask(t, o, "/api/v1/log"), 404, "E0000008", "")
	c := &http.Client{Transport: o.Transport()}
	resp, err := c.Post("https://tidewater.okta.example"+LogsPath, "application/json", strings.NewReader("{}"))
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%v %v", resp, err)
	}
	resp.Body.Close()
	if a := ask(t, o, "/.well-known/okta-organization"); !strings.HasPrefix(string(a.body), "{") || a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestTokens(t *testing.T) {
	o := New(Config{Tokens: []string{"00test"}})
	status := func() int { return ask(t, o, LogsPath).StatusCode }
	if status() != 200 {
		t.Error("the token is refused")
	}
	o.Revoke("00test")
	refusal(t, ask(t, o, LogsPath), 401, "E0000011", "Invalid token")
	o.Restore("00test")
	o.Forbid(true)
	refusal(t, ask(t, o, LogsPath), 403, "E0000006", "permission")
	o.Forbid(false)
	if status() != 200 {
		t.Error("the token is refused for good")
	}
	if s := o.Stats(); s.Refused != 2 {
		t.Errorf("%d refusals counted, want 2", s.Refused)
	}
	resp, err := (&http.Client{Transport: o.Transport()}).Get("https://tidewater.okta.example" + LogsPath)
	if err != nil || resp.StatusCode != 401 {
		t.Errorf("without a credential: %v %v", resp, err)
	}
	resp.Body.Close()
	all := o.Requests()
	if last := all[len(all)-1]; len(all) != 5 || last.Credential || last.Status != 401 || last.Link != LogsPath || last.Host != "tidewater.okta.example" {
		t.Errorf("%d requests, the last: %+v", len(all), last)
	}
}

func TestRequestsKeepsTheNewest(t *testing.T) {
	o := New(Config{Requests: 3, Rate: Rate{PerMinute: -1}})
	for range 7 {
		ask(t, o, LogsPath)
	}
	got := o.Requests()
	if len(got) != 3 || got[0].N != 5 || got[2].N != 7 {
		t.Errorf("%+v", got)
	}
}

// matches applies a filter to an event.
func matches(t *testing.T, filter string, e Event) bool {
	t.Helper()
	m, err := parseFilter(filter)
	if err != nil {
		t.Fatalf("%s: %s", filter, err.summary)
	}
	return m(&record{Event: e})
}

func TestFilter(t *testing.T) {
	e := Event{Data: []byte(`{"uuid":"u","eventType":"user.session.start","severity":"WARN","outcome":{"result":"FAILURE"},"actor":{"id":"00u1"},"target":[{"id":"a"},{"id":"b"}],"securityContext":{"isProxy":true,"asNumber":64496}}`)}
	for filter, want := range map[string]bool{
		`eventType eq "user.session.start"`:                                        true,
		`eventType sw "user.authentication"`:                                       false,
		`eventType co "session" and severity eq "WARN"`:                            true,
		`severity eq "INFO" or outcome.result eq "FAILURE"`:                        true,
		`severity eq "INFO" or outcome.result eq "FAILURE" and actor.id eq "00u2"`: false,
		`not (severity eq "WARN")`:                                                 false,
		`(severity eq "INFO" or severity eq "WARN") and eventType ew ".start"`:     true,
		`target.id eq "b"`:                  true,
		`securityContext.isProxy eq true`:   true,
		`securityContext.asNumber eq 64496`: true,
		`legacyEventType pr`:                false,
		`outcome pr or outcome.result pr`:   true,
		`actor.id ne "00u1"`:                false,
	} {
		if got := matches(t, filter, e); got != want {
			t.Errorf("%s: %v", filter, got)
		}
	}
}

func TestFilterIsKeptThroughThePages(t *testing.T) {
	o := New(Config{Seed: 6})
	o.Generate(400, time.Hour)
	link := LogsPath + "?limit=20&filter=" + url.QueryEscape(`eventType eq "user.authentication.sso" and actor.type eq "User"`)
	n := 0
	for {
		a := ask(t, o, link)
		for _, e := range a.elements {
			if !strings.Contains(string(e), "user.authentication.sso") {
				t.Fatalf("%s", e)
			}
		}
		if n += len(a.elements); len(a.elements) < 20 {
			break
		}
		link = next(t, a)
	}
	if n < 40 {
		t.Errorf("%d events, too few", n)
	}
	if a := ask(t, o, LogsPath+"?q=policy.evaluate_sign_on+DENY"); len(a.elements) == 0 {
		t.Error("q finds nothing")
	}
}

func TestALimitOfNothingMovesNothing(t *testing.T) {
	for _, empty := range []Empty{EmptySame, EmptyAdvanced} {
		o := New(Config{Seed: 6, Links: Links{Empty: empty}})
		o.Generate(5, time.Hour)
		a := ask(t, o, LogsPath+"?limit=0")
		if string(a.body) != "[]" {
			t.Fatalf("%s", a.body)
		}
		if a := ask(t, o, strings.Replace(next(t, a), "limit=0", "limit=9", 1)); len(a.elements) != 5 {
			t.Errorf("%d events behind it, want 5", len(a.elements))
		}
	}
}

func TestShortPagesLoseNothing(t *testing.T) {
	o := New(Config{Seed: 6, ShortPages: 0.9, Rate: Rate{PerMinute: -1}})
	o.Generate(300, time.Hour)
	link, n, short, empty, row := LogsPath+"?limit=50", 0, 0, 0, 0
	for {
		a := ask(t, o, link)
		if len(a.elements) > 0 {
			row = 0
		} else if row++; next(t, a) == link {
			break // nothing waits
		} else if empty++; row > 2 {
			t.Fatalf("%d empty pages in a row while more waits", row)
		}
		if n += len(a.elements); len(a.elements) < 50 {
			short++
		}
		link = next(t, a)
	}
	if n != 300 || short < 3 || empty == 0 {
		t.Errorf("%d events, %d short pages, %d of them empty", n, short, empty)
	}
}
