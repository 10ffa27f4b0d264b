package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

func TestMain(m *testing.M) { jetstest.Main(m) }

const patience = 30 * time.Second

// advisory returns the payload of an advisory.
func advisory(kind, instance, severity string) []byte {
	return fmt.Appendf(nil, `{"version":1,"kind":%q,"instance":%q,"severity":%q,"at":"2026-11-28T10:20:03Z","replica":"a","count":1,"message":"requests to %s are paused <&>"}`,
		kind, instance, severity, instance)
}

// receiver is a webhook that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string
	header http.Header
	echo   bool            // answer with the path and the header Authorization
	answer func(n int) int // status of the nth request, from 1; nil: 200
}

func receive(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got, r.header = append(r.got, string(body)), req.Header
		if r.answer != nil {
			w.WriteHeader(r.answer(len(r.got)))
		}
		if r.echo {
			fmt.Fprint(w, "cannot post to ", req.URL.Path, " with ", req.Header.Get("Authorization"))
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...)
}

// notifying starts notifiers over one server, as processes of a fleet.
func notifying(t *testing.T, n int, rules buckets.Rules) (*buckets.Notifications, []*Notifier) {
	t.Helper()
	f := sinktest.New(t, jetstest.Config{})
	stored := &buckets.Notifications{Store: f.Store}
	for _, c := range rules.Channels {
		f.OK(stored.PutChannel(t.Context(), c))
	}
	for _, r := range rules.Rules {
		f.OK(stored.PutRule(t.Context(), r))
	}
	var all []*Notifier
	for i := range n {
		one := New(stored, func() string { return fmt.Sprint("replica-", i) }, nil, slog.New(slog.DiscardHandler))
		one.pauses = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = one.Run(ctx) })
		t.Cleanup(func() { cancel(); running.Wait() })
		all = append(all, one)
	}
	return stored, all
}

// results waits until the records of notifications are these: result, rule, channel and
// instance. More may be skipped.
func results(t *testing.T, stored *buckets.Notifications, want ...string) []buckets.Notification {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		all, err := stored.Sent(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, n := range all {
			count[strings.Join([]string{n.Result, n.Rule, n.Channel, n.Instance}, " ")]++
			if err := schemas.Validate("notification", jets.Encode(n)); err != nil {
				t.Error(err)
			}
		}
		for _, w := range want {
			count[w]--
			if strings.HasPrefix(w, buckets.NotifySkipped) { // at least
				count[w] = min(count[w], 0)
			}
		}
		open := ""
		for what, n := range count {
			if n != 0 {
				open += fmt.Sprintf("%+d %s; ", n, what)
			}
		}
		if open == "" {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("records differ: %s", open)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Three processes make the same advisory: one sends it, to each channel of each rule that
// matches. Within the cooldown the next one is skipped, and the record says why.
func TestNotificationIsSentOnce(t *testing.T) {
	hook := receive(t)
	stored, all := notifying(t, 3, buckets.Rules{
		Channels: []buckets.Channel{
			{Name: "ops", Type: buckets.ChannelWebhook, URL: pipeline.NewSecret(hook.URL + "/ops")},
			{Name: "off", Type: buckets.ChannelWebhook, URL: pipeline.NewSecret(hook.URL + "/off"), Disabled: true},
			{Name: "chat", Type: buckets.ChannelSlack, URL: pipeline.NewSecret(hook.URL + "/chat")},
		},
		Rules: []buckets.Rule{
			{Name: "refused", Kinds: []string{"breaker_*"}, Instances: []string{"prod-*"}, Channels: []string{"ops", "off", "none"}},
			{Name: "worst", Severity: "critical", Channels: []string{"chat"}},
			{Name: "silent", Disabled: true, Channels: []string{"ops"}},
		},
	})
	for _, n := range all {
		n.Notify(advisory("breaker_opened", "prod-acme", "critical"))
		n.Notify(advisory("breaker_closed", "prod-acme", "info")) // below both rules' severity
		n.Notify(advisory("breaker_opened", "test-acme", "warning"))
	}
	for deadline := time.Now().Add(patience); len(hook.requests()) < 2 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	// One that loses the claim at the same moment leaves no record: the last one does.
	all[0].Notify(advisory("breaker_opened", "prod-acme", "critical"))
	results(t, stored, "sent refused ops prod-acme", "sent worst chat prod-acme", "skipped refused ops prod-acme", "skipped worst chat prod-acme")
	if got := hook.requests(); len(got) != 2 {
		t.Errorf("%d requests: %q", len(got), got)
	}
	for _, body := range hook.requests() {
		var slack struct{ Text, Kind string }
		if err := json.Unmarshal([]byte(body), &slack); err != nil {
			t.Fatal(err)
		}
		if want := "*[critical] prod-acme: breaker opened*\nrequests to prod-acme are paused &lt;&amp;&gt;"; slack.Kind == "" && slack.Text != want {
			t.Errorf("to Slack: %q, want %q", slack.Text, want)
		}
	}
}

// A channel that fails is tried again, is given up, and starts no cooldown; one that hangs
// delays no other.
func TestNotificationIsRetried(t *testing.T) {
	hook, broken := receive(t), receive(t)
	hook.answer = func(n int) int { return map[bool]int{true: 503, false: 204}[n <= 2] }
	broken.answer = func(int) int { return 404 }
	hanging := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hanging }))
	t.Cleanup(func() { close(hanging); hang.Close() })
	stored, all := notifying(t, 1, buckets.Rules{
		Channels: []buckets.Channel{
			{Name: "hangs", Type: buckets.ChannelWebhook, URL: pipeline.NewSecret(hang.URL)},
			{Name: "fails", Type: buckets.ChannelWebhook, URL: pipeline.NewSecret(broken.URL + "/s3cret-path")},
			{Name: "mends", Type: buckets.ChannelWebhook, URL: pipeline.NewSecret(hook.URL)},
		},
		Rules: []buckets.Rule{{Name: "all", Channels: []string{"hangs", "fails", "mends"}}},
	})
	all[0].Notify(advisory("silent", "acme", "warning"))
	got := results(t, stored, "sending all hangs acme", "failed all fails acme", "sent all mends acme")
	for _, n := range got {
		if strings.Contains(n.Why, "s3cret") || n.Result == buckets.NotifyFailed && (n.Tries != 4 || !strings.Contains(n.Why, "404")) ||
			n.Result == buckets.NotifySent && n.Tries != 3 {
			t.Errorf("record %+v", n)
		}
	}
	all[0].Notify(advisory("silent", "acme", "warning"))
	results(t, stored, "sending all hangs acme", "failed all fails acme", "failed all fails acme", "sent all mends acme", "skipped all mends acme")
}

// A webhook's URL and header may be in files, which are read for each attempt. Neither is
// shown by an error, and redirects are not followed.
func TestSendSecrets(t *testing.T) {
	hook := receive(t)
	hook.answer = func(n int) int { return []int{200, 302}[n-1] }
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hook.echo = true // as pages of errors do
	a := Advisory{Kind: "silent", Data: advisory("silent", "acme", "warning")}
	c := buckets.Channel{Name: "ops", Type: buckets.ChannelWebhook, URLFile: write("url", hook.URL+"/s3cret-path"), AuthorizationFile: write("auth", "Bearer s3cret-word")}
	client := New(nil, nil, nil, nil).http
	if _, err := Send(t.Context(), client, c, a); err != nil || hook.header.Get("Authorization") != "Bearer s3cret-word" {
		t.Errorf("sent with %q: %v", hook.header.Get("Authorization"), err)
	}
	if _, err := Send(t.Context(), client, c, a); err == nil || !strings.Contains(err.Error(), "302") || !strings.Contains(err.Error(), "cannot post to … with …") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a redirect: %v", err)
	}
	hook.Close()
	if _, err := Send(t.Context(), client, c, a); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("nobody listens: %v", err)
	}
	c.FilesDir = t.TempDir()
	if _, err := Send(t.Context(), client, c, a); !errors.Is(err, pipeline.ErrOutside) {
		t.Errorf("a file that is not below the directory of secrets: %v", err)
	}
	c.FilesDir = dir
	c.URLFile = filepath.Join(dir, "none")
	if _, err := Send(t.Context(), client, c, a); err == nil || !strings.Contains(err.Error(), "url_file") {
		t.Errorf("no file: %v", err)
	}
}

// An e-mail arrives with sender, recipients, subject and text.
func TestSendEmail(t *testing.T) {
	at, mails := smtpServer(t)
	c := buckets.Channel{Name: "mail", Type: buckets.ChannelEmail, SMTP: at, TLS: "none", From: "signal-client@example.com", To: []string{"ann@example.com", "bob@example.com"}}
	a := Advisory{Kind: "breaker_opened", Instance: "acme", Severity: "critical", Message: "requests to acme are paused", Data: []byte(`{"kind":"breaker_opened"}`)}
	if _, err := Send(t.Context(), nil, c, a); err != nil {
		t.Fatal(err)
	}
	got := <-mails
	for _, want := range []string{"MAIL FROM:<signal-client@example.com>", "RCPT TO:<ann@example.com>", "RCPT TO:<bob@example.com>",
		"Subject: signal-client [critical] acme: breaker opened", "requests to acme are paused"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	c.TLS = "" // STARTTLS is demanded, which this server does not have
	if _, err := Send(t.Context(), nil, c, a); err == nil {
		t.Error("sent without TLS")
	}
}

// smtpServer takes mails without TLS and hands over what was said.
func smtpServer(t *testing.T) (address string, mails <-chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 2)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			got <- smtpSession(conn)
		}
	})
	t.Cleanup(func() { ln.Close(); serving.Wait() })
	return ln.Addr().String(), got
}

func smtpSession(conn net.Conn) string {
	defer conn.Close()
	var said strings.Builder
	lines := bufio.NewScanner(conn)
	fmt.Fprint(conn, "220 test ESMTP\r\n")
	for data := false; lines.Scan(); {
		line := lines.Text()
		said.WriteString(line + "\n")
		switch {
		case data && line != ".":
		case data:
			data = false
			fmt.Fprint(conn, "250 kept\r\n")
		case line == "DATA":
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case line == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return said.String()
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
	return said.String()
}

// faulty panics at the first request.
type faulty struct {
	http.RoundTripper
	once sync.Once
}

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	f.once.Do(func() { panic("a fault in the program") })
	return f.RoundTripper.RoundTrip(r)
}

// A fault in the program loses one notification, and ends neither the process nor the channel.
func TestNotificationsSurviveAPanic(t *testing.T) {
	hook := receive(t)
	stored, all := notifying(t, 1, buckets.Rules{
		Channels: []buckets.Channel{{Name: "ops", Type: buckets.ChannelWebhook, URL: pipeline.NewSecret(hook.URL)}},
		Rules:    []buckets.Rule{{Name: "all", Channels: []string{"ops"}}},
	})
	before := pipeline.Panics()
	all[0].http = &http.Client{Transport: &faulty{RoundTripper: http.DefaultTransport}}
	all[0].Notify(advisory("silent", "acme", "warning"))
	all[0].Notify(advisory("silent", "globex", "warning"))
	results(t, stored, "sending all ops acme", "sent all ops globex")
	if n := pipeline.Panics() - before; n != 1 {
		t.Errorf("%d panics were contained", n)
	}
}
