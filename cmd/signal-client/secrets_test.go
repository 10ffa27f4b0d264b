package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// leaks is a run of the program with secrets, and everything that it said.
type leaks struct {
	*testing.T
	dir, program string
	env          []string

	mu      sync.Mutex
	secrets map[string]string // by what it is
	outputs map[string][]byte // by where it was said
}

// secret makes a secret that each encoding changes.
func (l *leaks) secret(what string) string {
	s := fmt.Sprintf(`00%s/+"<&>%%%s`, strings.NewReplacer(" ", "", "-", "").Replace(what), rand.Text())
	l.know(what, s)
	return s
}

// know adds a secret that somebody else made.
func (l *leaks) know(what, secret string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secrets[what] = secret
}

// file writes a file and returns its path.
func (l *leaks) file(name, text string) string {
	l.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
	return path
}

func (l *leaks) said(where string, what []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outputs[where] = append(l.outputs[where], what...)
}

// forget drops what was shown once, on purpose.
func (l *leaks) forget(where string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.outputs, where)
}

// Write makes it fit to be the output of a command.
type saying struct {
	*leaks
	where string
}

func (s saying) Write(p []byte) (int, error) { s.said(s.where, p); return len(p), nil }

// command runs a command of the program; env are further variables.
func (l *leaks) command(in string, env []string, args ...string) []byte {
	l.Helper()
	cmd := exec.CommandContext(l.Context(), l.program, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = l.dir, append(slices.Clone(l.env), env...), strings.NewReader(in)
	out, err := cmd.Output()
	where := "signal-client " + strings.Join(args, " ")
	if exit, failed := err.(*exec.ExitError); failed {
		l.said(where+" stderr", exit.Stderr)
	} else if err != nil {
		l.Fatal(err)
	}
	l.said(where, out)
	return out
}

// forms are a secret as encodings write it; in base64 it may begin at any of three places.
func forms(secret string) map[string]string {
	all := map[string]string{"raw": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret), "hex": hex.EncodeToString([]byte(secret)), "Go": strings.Trim(fmt.Sprintf("%q", secret), `"`)}
	all["HTML"] = html.EscapeString(secret)
	all["template"] = strings.ReplaceAll(html.EscapeString(secret), "+", "&#43;")
	for _, escape := range []bool{false, true} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escape)
		_ = e.Encode(secret)
		all[fmt.Sprintf("JSON %v", escape)] = strings.Trim(b.String(), "\"\n")
	}
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 {
			text := encoding.EncodeToString(append(make([]byte, shift), secret...))
			all[fmt.Sprintf("%s+%d", name, shift)] = text[min(2*shift, 4) : len(text)-2]
		}
	}
	return all
}

// find returns where a secret is, and in which form.
func find(outputs map[string][]byte, secret string) []string {
	var found []string
	for name, form := range forms(secret) {
		for where, text := range outputs {
			if at := bytes.Index(text, []byte(form)); at >= 0 {
				found = append(found, fmt.Sprintf("%s as %s: …%q…", where, name, text[max(0, at-60):min(len(text), at+20)]))
			}
		}
	}
	slices.Sort(found)
	return found
}

// Each form of a secret is found.
func TestSecretsAreFound(t *testing.T) {
	const secret = `00a/+"<&>%b-c_d`
	for name, form := range forms(secret) {
		if got := find(map[string][]byte{"here": []byte("x " + form + " y")}, secret); len(got) == 0 {
			t.Errorf("%s, %q, is not found", name, form)
		}
	}
	for n := range 5 {
		text := strings.Repeat("x", n) + secret + "xyz"
		for _, encoded := range []string{base64.StdEncoding.EncodeToString([]byte(text)), base64.URLEncoding.EncodeToString([]byte(text)), fmt.Sprintf("%x", text), url.Values{"a": {text}}.Encode()} {
			if got := find(map[string][]byte{"here": []byte(encoded)}, secret); len(got) == 0 {
				t.Errorf("%d letters before: not found in %s", n, encoded)
			}
		}
	}
}

// overhear keeps each credential that an org is sent.
func (l *leaks) overhear(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
			l.know("credential sent "+token[:min(len(token), 12)], token)
		}
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if form, err := url.ParseQuery(string(body)); err == nil && form.Get("client_assertion") != "" {
				l.know("client assertion "+form.Get("client_assertion")[:12], form.Get("client_assertion"))
			}
		}
		h.ServeHTTP(w, r)
	})
}

// echo is an org that refuses each request with what it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(map[string]any{"errorCode": "E0000011", "errorId": "x", "error": "invalid_client", "error_description": string(body),
		"errorSummary": "Invalid token provided: " + r.Header.Get("Authorization") + " " + string(body)})
}

func (l *leaks) serve(h http.Handler) string {
	server := httptest.NewServer(l.overhear(h))
	l.Cleanup(server.Close)
	return server.URL
}

// start runs the service until the returned function ends it by a signal.
func (l *leaks) start(format string) (end func(os.Signal)) {
	l.Helper()
	cmd := exec.Command(l.program, "run", "--log-level", "debug", "--log-format", format, "--replica", "canary-"+format)
	cmd.Dir, cmd.Env = l.dir, append(slices.Clone(l.env), "NATS_URL=", "NATS_USER=", "NATS_PASSWORD=")
	cmd.Stdout, cmd.Stderr = saying{l, "log " + format}, saying{l, "stderr " + format}
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	l.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	return func(s os.Signal) { _ = cmd.Process.Signal(s); <-ended }
}

// until runs a command until it says all of these.
func (l *leaks) until(args []string, want ...string) {
	l.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		out := string(l.command("", nil, args...))
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return strings.Contains(out, w) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			delete(l.outputs, "signal-client status --json stderr")
			l.Fatalf("%q: %q is missing in:\n%s\n%s", args, missing, out, slices.Concat(l.outputs["log console"], l.outputs["stderr console"], l.outputs["signal-client "+strings.Join(args, " ")+" stderr"]))
		}
	}
}

// With every secret that the program takes, nothing shows one, in any form: no log at level
// debug, page, metric, answer, error, trace, notification, advisory, dump of all goroutines,
// or message of any stream, apart from the fields that hold it.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	l := &leaks{T: t, dir: t.TempDir(), secrets: map[string]string{}, outputs: map[string][]byte{}}
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l.program = filepath.Join(l.dir, "signal-client")
	if err := os.Symlink(test, l.program); err != nil {
		t.Fatal(err)
	}

	token, next, inFile, inEnv, refused := l.secret("token"), l.secret("next"), l.secret("file"), l.secret("environment"), l.secret("refused")
	org := oktatest.New(oktatest.Config{Seed: 1, Even: true, Tokens: []string{token, next, inFile, inEnv}, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
	org.Generate(20, time.Hour)
	orgURL, echoURL := l.serve(org), l.serve(http.HandlerFunc(echo))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	org.Register(oktatest.App{ClientID: "0oaApp", Keys: map[string]crypto.PublicKey{"k1": key.Public()}, DPoP: true})
	private, _ := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k1"})
	var jwk struct{ D string }
	_ = json.Unmarshal(private, &jwk)
	l.know("private key", jwk.D)

	hookPath, authorization := l.secret("webhook"), l.secret("webhook-authorization")
	smtp, console, oidc, proxy, natsPassword := l.secret("smtp"), l.secret("console"), l.secret("oidc"), l.secret("proxy"), l.secret("nats")
	user, _ := nkeys.CreateUser()
	seed, _ := user.Seed()
	l.know("seed of NATS credentials", string(seed))
	const canary = `canary/+"<&>%x` // is shown everywhere: it proves the search

	traces := l.serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.said("traces", body)
	}))
	hooks := l.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // its path and header hold secrets, its body does not
		body, _ := io.ReadAll(r.Body)
		l.said("notification", body)
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, "bad path ", r.URL.Path, " ", r.Header.Get("Authorization"))
	}))
	addresses := make([]string, 2)
	for n := range addresses {
		port, err := jetstest.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		addresses[n] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	proxyURL := (&url.URL{Scheme: "http", User: url.UserPassword("svc", proxy), Host: "127.0.0.1:1"}).String()
	l.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "GORACE=atexit_sleep_ms=0", "GOTRACEBACK=all",
		"SIGNAL_CLIENT_NATS_LISTEN=" + addresses[0], "SIGNAL_CLIENT_NATS_USER=stage", "SIGNAL_CLIENT_NATS_PASSWORD=" + natsPassword, "SIGNAL_CLIENT_NATS_SYNC=1m",
		"SIGNAL_CLIENT_HTTP_ADDR=" + addresses[1], "SIGNAL_CLIENT_SESSION_TTL=10s",
		"NATS_URL=nats://" + addresses[0], "NATS_USER=stage", "NATS_PASSWORD=" + natsPassword,
		"OKTA_INSTANCE=env", "OKTA_BASE_URL=" + orgURL, "OKTA_API_TOKEN=" + inEnv, "OKTA_POLL_INTERVAL=1s",
		"SIGNAL_CLIENT_OIDC_ISSUER=" + echoURL, "SIGNAL_CLIENT_OIDC_CLIENT_ID=console", "SIGNAL_CLIENT_OIDC_CLIENT_SECRET_FILE=" + l.file("oidc", oidc), "SIGNAL_CLIENT_OIDC_ADMIN_GROUP=admins",
		"SIGNAL_CLIENT_CONSOLE_URL=http://" + addresses[1],
		"HTTPS_PROXY=" + proxyURL, "OTEL_EXPORTER_OTLP_ENDPOINT=" + traces, "OTEL_BSP_SCHEDULE_DELAY=200", "OTEL_EXPORTER_OTLP_HEADERS=api-key=" + url.QueryEscape(l.secret("traces")),
	}
	users := l.command(console, nil, "console", "hash-password", "--user", "ana", "--role", "admin")
	l.env = append(l.env, "SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE="+l.file("users", string(users)))

	end := l.start("console")
	l.until([]string{"status", "--json"}, `"env"`)
	sealing, err := os.ReadFile(filepath.Join(l.dir, "data", "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Fields(string(sealing)) {
		l.know(fmt.Sprint("key that seals credentials, word ", n), line)
	}
	nc, err := nats.Connect("nats://"+addresses[0], nats.UserInfo("stage", natsPassword))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Subscribe("signal-client.>", func(m *nats.Msg) { l.said("advisory", m.Data) }); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	put := func(bucket, key string, value any) {
		t.Helper()
		kv, err := js.KeyValue(t.Context(), bucket)
		data, _ := json.Marshal(value)
		if err == nil {
			_, err = kv.Put(t.Context(), key, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	type object map[string]any
	hook := hooks + "/" + url.PathEscape(hookPath)
	l.command("", nil, "notifications", "channel", "add", "webhook", "hook", "--url-from", l.file("hook", hook), "--authorization-file", l.file("authorization", authorization))
	l.command(hook, nil, "notifications", "channel", "add", "slack", "chat", "--url-from", "-")
	l.command("", nil, "notifications", "channel", "add", "email", "mail", "--smtp", "127.0.0.1:1", "--from", "a@example.com", "--to", "b@example.com", "--user", "svc", "--password-file", l.file("smtp", smtp))
	l.command("", nil, "notifications", "rule", "add", "all", "--severity", "info", "--channel", "hook,chat,mail", "--cooldown", "0s")
	instance := func(name, base string, credentials object) {
		put(jets.BucketIntegrations, "okta."+name, object{"name": canary, "poll_interval": "1s", "settings": object{"base_url": base}, "credentials": credentials})
	}
	instance("app", orgURL, object{"client_id": "0oaApp", "key_id": "k1", "private_key": string(private)})
	instance("file", orgURL, object{"api_token_file": l.file("token", inFile)})
	instance("refused", orgURL, object{"api_token": refused, "api_token_next": l.secret("next-refused")})
	instance("echo", echoURL, object{"api_token": l.secret("echoed"), "api_token_next": l.secret("next-echoed")})
	instance("echo-app", echoURL, object{"client_id": "0oaApp", "key_id": "k1", "private_key": string(private)})
	instance("rotates", orgURL, object{"api_token": token, "api_token_next": next})
	put(jets.BucketIntegrations, "okta.proxied", object{"settings": object{"fqdn": "acme.okta.com"}, "credentials": object{"api_token": l.secret("proxied")}})
	put(jets.BucketIntegrations, "okta.invalid", object{"settings": object{"fqdn": "user:" + l.secret("host") + "@acme.okta.com"}, "credentials": object{"api_token": "SSWS " + l.secret("invalid"), "private_key": l.secret("no-key")}})
	l.until([]string{"status", "app", "--json"}, `"polling"`)
	l.until([]string{"status", "file", "--json"}, `"polling"`)
	l.until([]string{"status", "echo", "--json"}, `"credential refused"`, `next_credential`)
	l.until([]string{"status", "echo-app", "--json"}, `"credential refused"`)
	l.until([]string{"status", "refused", "--json"}, `"credential refused"`, `next_credential`)
	l.until([]string{"integrations", "history", "rotates", "--json"}, `rotation`)
	l.until([]string{"status", "rotates", "--json"}, `"polling"`)
	l.until([]string{"status", "proxied", "--json"}, `"last_error"`)

	admin := strings.TrimSpace(string(l.command("", nil, "console", "token", "new", "--role", "admin", "--name", "test")))
	l.know("token of the console", admin)
	l.forget("signal-client console token new --role admin --name test")
	l.commands(echoURL, natsPassword, string(seed))
	l.pages("http://"+addresses[1], admin, console, token)
	l.streams(js)
	end(syscall.SIGTERM)
	end = l.start("json")
	l.until([]string{"status", "app", "--json"}, `"holder": "canary-json"`)
	l.pages("http://"+addresses[1], admin, console, token)
	l.streams(js)
	end(syscall.SIGQUIT) // a dump of all goroutines, as after a panic

	l.mu.Lock()
	defer l.mu.Unlock()
	for _, where := range []string{"signal-client integrations list --json", "GET /admin/settings/integrations", "GET /api/v1/integrations", "stream KV_INTEGRATIONS"} {
		if len(find(map[string][]byte{where: l.outputs[where]}, canary)) == 0 {
			t.Errorf("what is shown is not found in %s: %.300q", where, l.outputs[where])
		}
	}
	for where, what := range map[string]string{"log console": "canary-console", "log json": "canary-json", "stderr json": "goroutine ", "traces": "signal-client", "advisory": "refused", "notification": "refused", "GET /metrics": "signal_client_ready"} {
		if !bytes.Contains(l.outputs[where], []byte(what)) {
			t.Errorf("%s does not hold %s: %.300q", where, what, l.outputs[where])
		}
	}
	if len(l.secrets) < 25 {
		t.Errorf("only %d secrets: %v", len(l.secrets), slices.Sorted(maps.Keys(l.secrets)))
	}
	for what, secret := range l.secrets {
		for _, found := range find(l.outputs, secret) {
			t.Errorf("the %s is shown by %s", what, found)
		}
	}
}

// commands runs commands that work, and some that fail.
func (l *leaks) commands(echoURL, natsPassword, seed string) {
	for _, args := range [][]string{
		{"status", "--json"}, {"status", "--replicas"}, {"integrations", "list", "--json"}, {"integrations", "show", "rotates", "--json"}, {"integrations", "export"},
		{"integrations", "history", "echo", "--json"}, {"integrations", "test", "echo"}, {"integrations", "test", "echo-app"}, {"integrations", "test", "proxied"},
		{"doctor"}, {"doctor", "--json"}, {"notifications", "list"}, {"notifications", "test", "hook"}, {"notifications", "test", "mail"}, {"notifications", "test", "chat"}, {"notifications", "history", "--json"},
		{"console", "token", "list"}, {"cursor", "history", "rotates"}, {"deadletter", "list"}, {"audit", "--instance", "echo", "--since", "1h"},
	} {
		l.command("", nil, args...)
	}
	l.command("", []string{"NATS_PASSWORD=" + l.secret("wrong-nats")}, "status")
	l.command("", []string{"NATS_USER=", "NATS_PASSWORD=", "NATS_URL=nats://u:" + url.QueryEscape(l.secret("nats-url")) + "@127.0.0.1:1"}, "status")
	l.command("", []string{"NATS_USER=", "NATS_PASSWORD=", "NATS_TOKEN=" + l.secret("nats-token")}, "status")
	l.command("", []string{"NATS_USER=", "NATS_PASSWORD=", "NATS_CREDS=" + l.file("creds", "-----BEGIN NATS USER JWT-----\nx.y.z\n------END NATS USER JWT------\n-----BEGIN USER NKEY SEED-----\n"+seed+"\n------END USER NKEY SEED------\n")}, "doctor")
	l.command("", []string{"NATS_USER=", "NATS_PASSWORD=", "NATS_NKEY=" + l.file("nkey", seed)}, "status")
	l.command("SSWS "+l.secret("typed"), nil, "integrations", "set", "rotates", "--token-next-from", "-")
	l.command(l.secret("typed with a space")+" x", nil, "integrations", "add", "okta", "new", "--base-url", echoURL, "--token-from", "-")
	key := l.file("key", "-----BEGIN PRIVATE KEY-----\n"+l.secret("broken-key")+"\n-----END PRIVATE KEY-----\n")
	l.command("", nil, "integrations", "add", "okta", "new", "--base-url", echoURL, "--client-id", "x", "--private-key-file", key)
	l.command("", nil, "integrations", "test", "new")
}

// pages reads everything that the process serves, and has it refuse things.
func (l *leaks) pages(base, admin, password, token string) {
	l.Helper()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	ask := func(method, path, body string, header ...string) {
		l.Helper()
		ctx, cancel := context.WithTimeout(l.Context(), patience)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
		if err != nil {
			l.Fatal(err)
		}
		for n := 0; n < len(header); n += 2 {
			r.Header.Set(header[n], header[n+1])
		}
		resp, err := browser.Do(r)
		if err != nil {
			l.said(method+" "+path, []byte(err.Error()))
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
		for _, c := range resp.Cookies() {
			l.know("session", c.Value)
		}
		resp.Header.Del("Set-Cookie")
		l.said(method+" "+path, fmt.Append(nil, resp.Status, resp.Header, string(text)))
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/login", "/login/oidc"} {
		ask("GET", path, "")
	}
	ask("POST", "/login", url.Values{"user": {"ana"}, "password": {l.secret("wrong-password")}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	ask("POST", "/login", url.Values{"user": {"ana"}, "password": {password}}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	for _, path := range []string{"/", "/admin/settings/integrations", "/admin/settings/integrations/rotates", "/admin/settings/integrations/app", "/admin/settings/integrations/echo", "/admin/settings/integrations/env", "/admin/settings/integrations/invalid",
		"/admin/settings/notifications", "/admin/settings/notifications/channels/chat", "/signals/search"} {
		ask("GET", path, "")
	}
	bearer := []string{"Authorization", "Bearer " + admin, "Content-Type", "application/json"}
	for _, path := range []string{"/integrations", "/integrations/rotates", "/integrations/refused", "/integrations/app", "/integrations/invalid", "/integrations/rotates/changes", "/integrations/rotates/history", "/status", "/fleet", "/searches",
		"/notifications", "/notifications/history", "/notifications/channels/hook", "/nothing"} {
		ask("GET", "/api/v1"+path, "", bearer...)
	}
	ask("GET", "/api/v1/integrations", "", "Authorization", "Bearer sct_"+l.secret("wrong-bearer"))
	test := func(body string) { ask("POST", "/api/v1/integrations/test", body, bearer...) }
	for _, instance := range []string{"echo", "echo-app", "proxied", "invalid"} {
		test(fmt.Sprintf(`{"instance":%q}`, instance))
	}
	quoted, _ := json.Marshal(l.secret("tried") + " with a space")
	test(`{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":` + string(quoted) + `}}`)
	test(`{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":` + string(quoted))
	ask("PUT", "/api/v1/integrations/rotates", `{"settings":{"fqdn":"elsewhere.okta.com"}}`, bearer...)
	ask("PATCH", "/api/v1/integrations/rotates", `{"poll_interval":`+string(quoted)+`,"credentials":{"api_token_next":`+string(quoted)+`}}`, bearer...)
}

// streams reads every message of every stream, without the fields that hold secrets.
func (l *leaks) streams(js jetstream.JetStream) {
	l.Helper()
	l.until([]string{"status", "--json"}, "[")
	if _, err := js.AccountInfo(l.Context()); err != nil {
		l.Fatal(err)
	}
	names := js.ListStreams(l.Context())
	for info := range names.Info() {
		stream, err := js.Stream(l.Context(), info.Config.Name)
		if err != nil {
			l.Fatal(err)
		}
		for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
			m, err := stream.GetMsg(l.Context(), seq)
			if err != nil {
				continue // deleted
			}
			l.said("stream "+info.Config.Name, fmt.Appendf(nil, "%s %v %s\n", m.Subject, m.Header, withoutHeld(info.Config.Name, m.Data)))
		}
	}
	if err := names.Err(); err != nil {
		l.Fatal(err)
	}
}

// withoutHeld returns a value of a bucket without the fields that hold secrets.
func withoutHeld(stream string, data []byte) []byte {
	var value map[string]any
	if json.Unmarshal(data, &value) != nil {
		return data
	}
	switch stream {
	case "KV_INTEGRATIONS":
		credentials, _ := value["credentials"].(map[string]any)
		for _, name := range []string{"api_token", "api_token_next", "private_key"} {
			delete(credentials, name)
		}
		if settings, _ := value["settings"].(map[string]any); strings.Contains(fmt.Sprint(settings["fqdn"]), "@") {
			delete(settings, "fqdn") // the invalid one
		}
	case "KV_NOTIFICATIONS":
		delete(value, "url")
	default:
		return data
	}
	left, _ := json.Marshal(value)
	return left
}
