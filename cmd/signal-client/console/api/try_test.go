package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// checks runs the test of a connection and returns its lines as "check: result".
func (f *fixture) checks(body string) (lines []string, details string) {
	f.Helper()
	r := f.want(200, "POST", "/api/v1/integrations/test", body)
	if kind := r.Header.Get("Content-Type"); kind != "application/x-ndjson" {
		f.Errorf("content type %s", kind)
	}
	for s := bufio.NewScanner(bytes.NewReader(r.body)); s.Scan(); {
		var line struct{ Check, Result, Detail, Remedy string }
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			f.Fatal(err)
		}
		if line.Result != "ok" && line.Remedy == "" {
			f.Errorf("%s has no remedy: %s", line.Check, s.Bytes())
		}
		lines = append(lines, line.Check+": "+line.Result)
		details += line.Detail + "\n"
	}
	return lines, details
}

// The test of a connection says step by step what works; it stores nothing.
func TestTestOfAConnection(t *testing.T) {
	f := newFixture(t)
	all := "name resolves: ok, TLS: ok, token accepted: ok, may read the log: ok, newest event: ok, rate limit: ok"
	is := func(body, want string, detail string) {
		t.Helper()
		lines, details := f.checks(body)
		if got := strings.Join(lines, ", "); got != want || !strings.Contains(details, detail) {
			t.Errorf("%s: got %s (%s), want %s (%s)", body, got, details, want, detail)
		}
	}
	is(f.acme("right"), all, " ago")
	is(f.acme("wrong"), "name resolves: ok, TLS: ok, token accepted: wrong", "E0000011")
	f.want(404, "GET", "/api/v1/integrations/acme", "")

	f.want(201, "POST", "/api/v1/integrations", f.acme("right"))
	is(`{"instance":"acme"}`, all, "")
	is(strings.Replace(f.acme("right"), `"right"`, `""`, 1), all, "")
	is(f.acme("wrong"), "name resolves: ok, TLS: ok, token accepted: wrong", "")
	f.org.Forbid(true)
	is(`{"instance":"acme"}`, "name resolves: ok, TLS: ok, token accepted: ok, may read the log: wrong", "E0000006")
	f.org.Forbid(false)
	is(`{"settings":{"base_url":"http://127.0.0.1:1"},"credentials":{"api_token":"t"}}`, "name resolves: ok, TLS: wrong", "refused")
	is(`{"settings":{"fqdn":"nowhere.invalid"},"credentials":{"api_token":"t"}}`, "name resolves: wrong", "nowhere.invalid")
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer page.Close()
	is(`{"settings":{"base_url":"`+page.URL+`"},"credentials":{"api_token":"t"}}`, "name resolves: ok, TLS: ok, may read the log: wrong", "")
	untrusted := httptest.NewTLSServer(f.org)
	defer untrusted.Close()
	is(`{"settings":{"base_url":"`+untrusted.URL+`"},"credentials":{"api_token":"other"}}`, "name resolves: ok, TLS: wrong", "certificate")

	f.want(404, "POST", "/api/v1/integrations/test", `{"instance":"nobody"}`)
	if r := f.want(422, "POST", "/api/v1/integrations/test", `{"settings":{"fqdn":"acme"}}`); r.member("field") != "credentials.api_token" {
		t.Errorf("without a token: %s", r.body)
	}
}

// An org that does not answer ends the test within 3 s.
func TestTestOfASilentOrg(t *testing.T) {
	f := newFixture(t)
	stuck := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
	defer silent.Close()
	defer close(stuck)
	began := time.Now()
	lines, _ := f.checks(`{"settings":{"base_url":"` + silent.URL + `"},"credentials":{"api_token":"t"}}`)
	if got := strings.Join(lines, ", "); got != "name resolves: ok, TLS: ok, may read the log: wrong" || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %s", time.Since(began), got)
	}
}
