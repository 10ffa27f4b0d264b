package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/sink/buckets"
)

// Channels and rules are added, tested, changed and removed. A URL is never shown, and
// leaving it out keeps it; each answer is held against openapi.json, and against the secret.
func TestNotifications(t *testing.T) {
	f := newFixture(t)
	var status, posts atomic.Int32
	status.Store(200)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		w.WriteHeader(int(status.Load()))
		fmt.Fprint(w, "took ", r.URL.Path)
	}))
	t.Cleanup(hook.Close)
	const at = "/api/v1/notifications"
	f.want(200, "GET", at, "")
	f.want(404, "POST", at+"/channels/ops/test", "")
	body := fmt.Sprintf(`{"type":"webhook","url":%q}`, hook.URL+"/s3cret-path")
	if r := f.want(200, "POST", at+"/channels/ops/test", body); r.member("sent") != true || r.member("answer") == nil {
		t.Errorf("a test of what is not saved: %s", r.body)
	}
	f.want(201, "PUT", at+"/channels/ops", body)
	if r := f.want(200, "PUT", at+"/channels/ops", `{"type":"webhook","url":{"set":true}}`); r.member("url.set") != true {
		t.Errorf("changed: %s", r.body)
	}
	all, err := (&buckets.Notifications{Store: f.store}).Read(t.Context())
	if err != nil || all.Channels[0].URL.Reveal() != hook.URL+"/s3cret-path" {
		t.Errorf("stored: %v, %v", all, err)
	}
	f.want(201, "PUT", at+"/rules/refused", `{"kinds":["breaker_*"],"channels":["ops"],"severity":"critical"}`)
	f.want(200, "PUT", at+"/rules/refused", `{"kinds":["breaker_*"],"channels":["ops"]}`)
	status.Store(500)
	if r := f.want(200, "POST", at+"/channels/ops/test", ""); r.member("sent") != false || r.member("why") == nil || posts.Load() != 2 {
		t.Errorf("a test that fails, after %d posts: %s", posts.Load(), r.body)
	}
	list := f.want(200, "GET", at, "")
	if last := list.member("channels").([]any)[0].(map[string]any)["last"].(map[string]any); last["result"] != "failed" {
		t.Errorf("the last of a channel: %s", list.body)
	}
	if r := f.want(200, "GET", at+"/history?limit=5", ""); len(r.body) < 10 {
		t.Errorf("history: %s", r.body)
	}
	f.want(409, "DELETE", at+"/channels/ops", "")
	f.want(204, "DELETE", at+"/rules/refused", "")
	f.want(204, "DELETE", at+"/channels/ops", "")
	for _, path := range []string{"/channels/ops", "/rules/refused"} {
		f.want(404, "DELETE", at+path, "")
	}
}

// What is wrong is refused with its field, its cause and what to do.
func TestWrongNotifications(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		path, body string
		status     int
		field      string
	}{
		{"/channels/ops", `[]`, 422, ""},
		{"/channels/ops", `{`, 400, ""},
		{"/channels/ops", `{"type":"pager"}`, 422, "type"},
		{"/channels/ops", `{"type":"slack"}`, 422, "url"},
		{"/channels/Ops", `{"type":"slack","url":"https://h.example/x"}`, 422, "name"},
		{"/channels/ops", `{"type":"slack","url":"https://h.example/x","pasword_file":"x"}`, 422, "pasword_file"},
		{"/channels/ops", `{"type":"email","smtp":"mail:25","from":"a@b.example","to":["x"]}`, 422, "to[0]"},
		{"/rules/all", `{}`, 422, "channels"},
		{"/rules/all", `{"channels":["ops"]}`, 422, "channels[0]"},
	} {
		r := f.want(c.status, "PUT", "/api/v1/notifications"+c.path, c.body)
		if field, _ := r.member("field").(string); field != c.field || r.member("cause") == nil || r.member("remedy") == nil {
			t.Errorf("%s %s: %s", c.path, c.body, r.body)
		}
	}
	f.want(422, "GET", "/api/v1/notifications/history?limit=0", "")
	f.user.Role = access.RoleViewer
	f.want(200, "GET", "/api/v1/notifications", "")
	f.want(403, "PUT", "/api/v1/notifications/channels/ops", `{"type":"slack","url":"https://h.example/x"}`)
	f.want(403, "DELETE", "/api/v1/notifications/rules/all", "")
	f.want(403, "POST", "/api/v1/notifications/channels/ops/test", "")
}
