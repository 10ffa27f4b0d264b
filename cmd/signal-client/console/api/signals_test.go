package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets"
)

// An event is answered with its headers and its exact bytes, or as the bytes alone.
func TestSignal(t *testing.T) {
	f := newFixture(t)
	const data = "{\"uuid\":\"u\",  \"displayMessage\":\"<img src=x onerror=alert(1)>\\u00e9\", \"n\":1.0}"
	store := func(data string) uint64 {
		t.Helper()
		m := &nats.Msg{Subject: jets.SubjectEvents("okta", "acme"), Header: nats.Header{"ce-id": {"u"}}, Data: []byte(data)}
		ack, err := f.store.Conn.JS.PublishMsg(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return ack.Sequence
	}
	at := fmt.Sprintf("/api/v1/signals/%d", store(data))
	r := f.want(200, "GET", at, "")
	if r.member("data") != data || r.member("instance") != "acme" || r.member("subject") != "signals.okta.acme" || !strings.Contains(string(r.body), `"headers":{"ce-id":["u"]}`) {
		t.Errorf("the document is %s", r.body)
	}
	for accept, bytes := range map[string]bool{
		"application/octet-stream": true, "application/json": false, "*/*": false, "": false,
		"application/json;q=0.5, application/octet-stream": true, "application/octet-stream;q=0.1, application/json": false,
	} {
		r := f.want(200, "GET", at, "", "Accept", accept)
		if (string(r.body) == data) != bytes || bytes != (r.Header.Get("Content-Type") == "application/octet-stream") {
			t.Errorf("Accept: %s: %s: %s", accept, r.Header.Get("Content-Type"), r.body)
		}
	}
	binary := "\xff\xfe{"
	at = fmt.Sprintf("/api/v1/signals/%d", store(binary))
	if r := f.want(200, "GET", at, ""); r.member("base64") != true || r.member("data") != "//57" {
		t.Errorf("what is no text: %s", r.body)
	}
	if r := f.want(200, "GET", at, "", "Accept", "application/octet-stream"); string(r.body) != binary {
		t.Errorf("its bytes: %q", r.body)
	}
	ack, err := f.store.Conn.JS.Publish(t.Context(), jets.SubjectPosition("okta", "acme"), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	f.want(404, "GET", fmt.Sprintf("/api/v1/signals/%d", ack.Sequence), "")
	f.want(404, "GET", "/api/v1/signals/18446744073709551615", "")
	f.want(400, "GET", "/api/v1/signals/0", "")
	f.want(400, "GET", "/api/v1/signals/x", "")
}

// Saved searches are listed, added within bounds, and removed.
func TestSearches(t *testing.T) {
	f := newFixture(t)
	r := f.want(201, "POST", "/api/v1/searches", `{"name":" Failed sign-ins ","query":"outcome.result:FAILURE \"<b>\"","range":"24h","columns":["actor.alternateId"],"author":"mallory"}`)
	if r.member("name") != "Failed sign-ins" || r.member("author") != "ann" || r.member("id") == "" {
		t.Errorf("saved: %s", r.body)
	}
	at := r.Header.Get("Location")
	if r := f.want(200, "GET", "/api/v1/searches", ""); !strings.Contains(string(r.body), "Failed sign-ins") {
		t.Errorf("listed: %s", r.body)
	}
	f.want(409, "POST", "/api/v1/searches", fmt.Sprintf(`{"id":%q,"name":"x","query":"y"}`, r.member("id")))
	for _, wrong := range []string{`{"query":"x"}`, `{"name":7}`, `{"name":"x","id":"../../x"}`, `{"name":"` + strings.Repeat("x", 300) + `"}`, `{"name":"x","query":"` + strings.Repeat("x", 20<<10) + `"}`} {
		f.want(422, "POST", "/api/v1/searches", wrong)
	}
	f.want(204, "DELETE", at, "")
	f.want(404, "DELETE", at, "")
	f.want(404, "DELETE", "/api/v1/searches/session.x", "")
}
