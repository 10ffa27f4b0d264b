package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// consoleAlone runs the command console's service on a NATS, and returns its address when
// it is ready.
func consoleAlone(t *testing.T, nats string) string {
	t.Helper()
	port, err := jetstest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s := &run.Service{Log: slog.New(slog.DiscardHandler), Idle: true, Config: config.Config{
		NATS:    config.NATS{URL: nats},
		Process: config.Process{HTTPAddr: addr, SessionTTL: config.Duration(10 * time.Second)},
		Console: config.Console{Serve: config.ConsoleOn}, Search: config.Search{Where: "off"},
	}}
	if err := s.Equip(newConsole); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("console: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	url := "http://" + addr
	for deadline := time.Now().Add(clitest.Patience); ; time.Sleep(20 * time.Millisecond) {
		if status, _ := send(t, "GET", url+"/", "", ""); status == http.StatusOK {
			return url
		}
		if time.Now().After(deadline) {
			t.Fatal("the console does not get ready")
		}
	}
}

// send sends a request and returns the answer's status and body; 0: there was none.
func send(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// With topics.Permissions the console shows everything, changes integrations and keeps
// searches and tokens, beside a service that polls; it asks for no more than they grant,
// and they grant it no event and no position.
func TestConsolePermissions(t *testing.T) {
	natsd, errors := clitest.Server(t)
	org := oktatest.New(oktatest.Config{Seed: 1, Tokens: []string{"right-token"}, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
	org.Generate(50, time.Hour)
	okta := httptest.NewServer(org)
	t.Cleanup(okta.Close)
	end := startStage(t, readmeStage(natsd, okta.URL))
	defer end()
	url := consoleAlone(t, clitest.UserURL(natsd, "console"))
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/", "", 200},
		{"GET", "/signals/search", "", 200},
		{"GET", "/admin/settings/integrations", "", 200},
		{"POST", "/api/v1/integrations", `{"instance":"globex","name":"Globex","enabled":false,"settings":{"base_url":"` + okta.URL + `"},"credentials":{"api_token":"right-token"}}`, 201},
		{"GET", "/admin/settings/integrations/globex", "", 200},
		{"PATCH", "/api/v1/integrations/globex", `{"name":"Globex Corporation"}`, 200},
		{"GET", "/api/v1/integrations/globex/changes", "", 200},
		{"GET", "/api/v1/integrations/globex/history", "", 200},
		{"DELETE", "/api/v1/integrations/globex", "", 204},
		{"GET", "/api/v1/fleet", "", 200},
		{"GET", "/api/v1/status", "", 200},
		{"POST", "/api/v1/searches", `{"name":"Failures","query":"outcome.result:FAILURE"}`, 201},
		{"GET", "/api/v1/searches", "", 200},
		{"PUT", "/api/v1/notifications/channels/ops", `{"type":"webhook","url":"` + okta.URL + `"}`, 201},
		{"PUT", "/api/v1/notifications/rules/refused", `{"channels":["ops"]}`, 201},
		{"POST", "/api/v1/notifications/channels/ops/test", "", 200},
		{"GET", "/api/v1/notifications/history", "", 200},
		{"GET", "/admin/settings/notifications", "", 200},
		{"DELETE", "/api/v1/notifications/rules/refused", "", 204},
	} {
		if status, body := send(t, c.method, url+c.path, "", c.body); status != c.want {
			t.Errorf("%s %s: %d, want %d: %.300s", c.method, c.path, status, c.want, body)
		}
	}
	if code := execute([]string{"console", "token", "new", "--name", "grafana", "--nats-url", clitest.UserURL(natsd, "console")}); code != problem.OK {
		t.Errorf("console token new: exit code %d", code)
	}
	if got := errors.Take(); got != "" {
		t.Errorf("refused: %s", got)
	}
	for _, subject := range []string{"signals.okta.acme", "signal-cursor.okta.acme", "$KV.LOCKS.okta.acme", "$KV.CURSORS.okta.acme", "$KV.NOTIFIED.sent.all.ops.silent.acme", "$JS.API.STREAM.PURGE.SIGNALS", "$JS.API.STREAM.DELETE.KV_CONSOLE", "$JS.API.STREAM.CREATE.SIGNALS"} {
		publish(t, natsd, "console", subject)
		if got := errors.Take(); !strings.Contains(got, subject) {
			t.Errorf("console may publish to %s: %q", subject, got)
		}
	}
}
