package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// browserToken is the API token that the org of the browser tests accepts.
const browserToken = "00goodTokenOfTheBrowserTests"

// browserApp is the org's service app, and browserKey the id of its key.
const (
	browserApp = "0oabrowsertests"
	browserKey = "browser-key"
)

// hostileEvent is an event whose every text would run as a script in a careless page.
const hostileEvent = `{"uuid":"bad0bad0-0000-4000-8000-000000000001","published":"PUBLISHED","eventType":"user.session.start","version":"0","severity":"INFO",` +
	`"displayMessage":"hostilemarker <img src=x onerror=\"window.owned=1\">",` +
	`"actor":{"id":"<img src=x onerror=window.owned=1>","type":"User","alternateId":"<script>window.owned=1</script>","displayName":"<img src=x onerror=window.owned=1>"},` +
	`"client":{"ipAddress":"\"><img src=x onerror=window.owned=1>","userAgent":{"rawUserAgent":"<svg onload=window.owned=1>"}},` +
	`"outcome":{"result":"<img src=x onerror=window.owned=1>","reason":"javascript:window.owned=1"},` +
	`"target":[{"id":"1","type":"User","alternateId":"</script><script>window.owned=1</script>","displayName":"<b onmouseover=window.owned=1>"}],` +
	`"transaction":{"id":"'\"><img src=x onerror=window.owned=1>"},"<img src=x onerror=window.owned=1>":"member"}`

// TestBrowser runs the scripts of console/browser in a real browser, against the built
// program, an embedded server and a simulated org. task test:browser installs what they
// need and names it in the environment.
func TestBrowser(t *testing.T) {
	chromium, modules := os.Getenv("CHROMIUM"), os.Getenv("BROWSER_MODULES")
	if chromium == "" || modules == "" {
		t.Skip("CHROMIUM and BROWSER_MODULES name no browser: task test:browser installs one")
	}
	org, key := browserOrg(t)
	console := runConsole(t)
	scripts, err := filepath.Glob("console/browser/*.test.mjs")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts %q: %v", scripts, err)
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"--test", "--test-concurrency=1", "--test-reporter=spec"}, scripts...)...)
	cmd.Env = append(os.Environ(), "CONSOLE_URL="+console, "ORG_URL="+org, "ORG_TOKEN="+browserToken, "ORG_CLIENT_ID="+browserApp, "ORG_KEY_ID="+browserKey, "ORG_KEY="+key)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// browserOrg serves an org in which events happen all the time, one of them hostile. It
// has a service app, whose private key is returned as a JWK.
func browserOrg(t *testing.T) (url, key string) {
	org := oktatest.New(oktatest.Config{Seed: 1, Tokens: []string{browserToken}, Rate: oktatest.Rate{PerMinute: 6000, Share: 1}})
	org.Generate(2000, 20*time.Hour)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := jose.JSONWebKey{Key: private, KeyID: browserKey}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	org.Register(oktatest.App{ClientID: browserApp, Keys: map[string]crypto.PublicKey{browserKey: private.Public()}, DPoP: true})
	at := time.Now().UTC().Add(-time.Minute)
	org.Add(oktatest.Event{UUID: "bad0bad0-0000-4000-8000-000000000001", Published: at,
		Data: []byte(strings.Replace(hostileEvent, "PUBLISHED", at.Format("2006-01-02T15:04:05.000Z"), 1))})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { org.Run(ctx, 120) })
	server := httptest.NewServer(org)
	t.Cleanup(func() { stop(); running.Wait(); server.Close() })
	return server.URL, string(jwk)
}

// runConsole runs the built program beside an embedded server until the test ends, and
// returns the console's address.
func runConsole(t *testing.T) (url string) {
	address := func() string {
		port, err := jetstest.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	dir, http := t.TempDir(), address()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(built(t), "run")
	cmd.Env = append(bare(), "SIGNAL_CLIENT_DATA_DIR="+filepath.Join(dir, "data"), "SIGNAL_CLIENT_HTTP_ADDR="+http, "SIGNAL_CLIENT_NATS_LISTEN="+address())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("run: %v", err)
		}
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("the program's log:\n%s", text[max(0, len(text)-8000):])
		}
		_ = log.Close()
	})
	return "http://" + http
}
