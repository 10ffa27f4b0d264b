package notificationpages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/page"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

func TestMain(m *testing.M) { jetstest.Main(m) }

// site is the pages over real buckets.
type site struct {
	*sinktest.Fixture
	stored *buckets.Notifications
	pages  http.Handler
	role   access.Role
}

func newSite(t *testing.T) *site {
	s := &site{Fixture: sinktest.New(t, jetstest.Config{}), role: access.RoleAdmin}
	s.stored = &buckets.Notifications{Store: s.Store}
	r, err := page.New(page.Config{Contents: []page.Content{Content()}})
	s.OK(err)
	s.pages = New(Config{Stored: s.stored, Page: r})
	return s
}

// get returns the body of a page that must have a status.
func (s *site) get(url string, status int) string {
	s.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, url, nil)
	s.pages.ServeHTTP(w, r.WithContext(access.WithUser(r.Context(), access.User{Name: "ann", Role: s.role})))
	if w.Code != status {
		s.Fatalf("%s answered %d, want %d:\n%s", url, w.Code, status, w.Body)
	}
	for _, never := range []string{"s3cret", "<script>alert", "style="} {
		if strings.Contains(w.Body.String(), never) {
			s.Errorf("%s has %q:\n%s", url, never, w.Body)
		}
	}
	return w.Body.String()
}

func (s *site) has(body string, wanted ...string) {
	s.Helper()
	for _, w := range wanted {
		if !strings.Contains(body, w) {
			s.Errorf("the page lacks %q:\n%s", w, body)
		}
	}
}

// The list shows channels with the state of their last notification, rules with channels
// that do not exist, and the history; no page shows a URL, and viewers see nothing to press.
func TestPages(t *testing.T) {
	s := newSite(t)
	s.has(s.get(Path, 200), "There is no channel yet", "There is no rule yet", "Nothing was sent", ">Add channel</a>")
	s.OK(s.stored.PutChannel(t.Context(), buckets.Channel{Name: "ops", Type: buckets.ChannelSlack, URL: pipeline.NewSecret("https://hooks.example/s3cret")}))
	s.OK(s.stored.PutChannel(t.Context(), buckets.Channel{Name: "lone", Type: buckets.ChannelWebhook, URLFile: "/etc/x.url"}))
	s.OK(s.stored.PutRule(t.Context(), buckets.Rule{Name: "refused", Kinds: []string{"breaker_opened", "x_*"}, Channels: []string{"ops", "gone"}}))
	s.OK(notify.RecordTest(t.Context(), s.stored, notify.Tested{Channel: "ops", Why: "hooks.example answers <script>alert(1)</script>"}, "ann"))

	list := s.get(Path, 200)
	s.has(list, "<h1>Notifications</h1>", `data-test="ops"`, "failed", "hooks.example answers &lt;script&gt;", "URL in /etc/x.url", "No rule sends to it",
		"(does not exist)", "nothing sent yet", `href="/admin/settings/notifications/channels/ops"`, `href="/admin/settings/notifications/rules/refused"`, "a test by ann", `aria-current="page"`)
	s.has(s.get(Path+"/channels/ops", 200), "A URL is <strong>set</strong>", "It can't be deleted while rules send to it")
	s.has(s.get(Path+"/new-channel", 200), ">Add channel</h1>", `<label for="url">URL</label>`, "Send a test")
	s.has(s.get(Path+"/rules/refused", 200), `value="breaker_opened" checked`, `value="x_*"`, `value="gone" checked`, "does not exist", `value="ops" checked`, `value="silent_over">`)
	s.has(s.get(Path+"/new-rule", 200), ">Add rule</h1>")
	s.get(Path+"/channels/nobody", 404)
	s.get(Path+"/rules/nobody", 404)
	s.get(Path+"/nothing", 404)

	s.role = access.RoleViewer
	list = s.get(Path, 200)
	s.has(list, "ops", "failed", "refused")
	for _, button := range []string{"<button type", "/new-channel", "/channels/ops", "/rules/refused"} {
		if strings.Contains(list, button) {
			t.Errorf("a viewer sees %s", button)
		}
	}
	for _, path := range []string{"/new-channel", "/new-rule", "/channels/ops", "/rules/refused"} {
		s.get(Path+path, 403)
	}
}

// An attempt that began long ago was interrupted; only a short history is shown.
func TestShown(t *testing.T) {
	now := time.Now()
	var sent []buckets.Notification
	for i := range historyShown + 1 {
		sent = append(sent, buckets.Notification{Channel: fmt.Sprint("c", i), Result: buckets.NotifySending, At: now.Add(-time.Duration(i) * abandonedAfter)})
	}
	l := shown(notify.Document{Channels: []notify.ChannelDocument{notify.Describe(buckets.Channel{Name: "c1"}, sent), notify.Describe(buckets.Channel{Name: "c0"}, sent),
		notify.Describe(buckets.Channel{Name: "c2", Disabled: true}, sent)}}, sent, now)
	if !l.More || len(l.History) != historyShown || l.Channels[0].State.Word != "interrupted" || l.Channels[1].State.Word != "sending" || l.Channels[2].State.Word != "disabled" {
		t.Errorf("%+v", l)
	}
}
