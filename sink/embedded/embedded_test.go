package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// childEnv names the store of a server that this binary is to be.
const childEnv = "SIGNAL_CLIENT_EMBEDDED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// child runs a server until it is killed, or its parent is gone.
func child(dir string) int {
	s, err := Start(context.Background(), Config{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func js(t *testing.T, url string, opts ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// fromFile connects with the password in a store's directory.
func fromFile(t *testing.T, dir string) nats.Option {
	t.Helper()
	l, err := ReadLogin(dir)
	if err != nil {
		t.Fatal(err)
	}
	return nats.UserInfo(l.User, l.Password.Reveal())
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Config{Dir: dir, NoListen: true})
	if s.URL() != "" {
		t.Errorf("URL is %s", s.URL())
	}
	client := js(t, "", s.InProcess())
	if _, err := client.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Publish(t.Context(), "s", make([]byte, MaxPayload-1024)); err != nil {
		t.Errorf("a large message: %v", err)
	}
	s.Shutdown()
	s.Shutdown()
	again := start(t, Config{Dir: dir, NoListen: true})
	if _, err := js(t, "", again.InProcess()).Stream(t.Context(), "S"); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func TestOneServerPerDirectory(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Config{Dir: dir, NoListen: true})
	if _, err := Start(t.Context(), Config{Dir: dir, NoListen: true}); !errors.Is(err, ErrInUse) {
		t.Errorf("second server on one store: %v", err)
	}
	s.Shutdown()
	start(t, Config{Dir: dir, NoListen: true})
}

func TestPassword(t *testing.T) {
	s := start(t, Config{Listen: ":0", Password: "hunter2"})
	js(t, "", s.InProcess())
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	url := "nats://127.0.0.1:" + port
	js(t, url, nats.UserInfo("signal-client", "hunter2"))
	if _, err := nats.Connect(url); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without a password: %v", err)
	}
}

// On loopback the server demands a password of its own, which stays through restarts. The
// store of an earlier version, without one, gets it.
func TestOwnPassword(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Config{Dir: dir, NoListen: true, NoPassword: true})
	if _, err := js(t, "", s.InProcess()).CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
	if _, err := ReadLogin(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a login where nobody needs one: %v", err)
	}
	var logins []Login
	for range 2 {
		s := start(t, Config{Dir: dir, Listen: "127.0.0.1:0"})
		l, err := ReadLogin(dir)
		if err != nil || l.URL != s.URL() {
			t.Fatalf("%+v, %v; the server is at %s", l, err, s.URL())
		}
		logins = append(logins, l)
		for _, option := range []nats.Option{nats.UserInfo("", ""), nats.UserInfo(l.User, ""), nats.UserInfo(l.User, "guessed"), nats.Token(l.User)} {
			if _, err := nats.Connect(l.URL, option); !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("without the password: %v", err)
			}
		}
		for _, client := range []jetstream.JetStream{js(t, l.URL, fromFile(t, dir)), js(t, "", s.InProcess())} {
			if _, err := client.Stream(t.Context(), "S"); err != nil {
				t.Error(err)
			}
		}
		s.Shutdown()
	}
	if logins[0].Password != logins[1].Password || len(logins[0].Password.Reveal()) < 26 {
		t.Errorf("passwords of %d characters, the same: %v", len(logins[0].Password.Reveal()), logins[0].Password == logins[1].Password)
	}
	info, err := os.Stat(filepath.Join(dir, ContextName))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if all, err := filepath.Glob(filepath.Join(dir, ContextName+"*")); len(all) != 1 {
		t.Errorf("%q, %v", all, err)
	}
}

// No password is demanded where that was asked for; one in the configuration wins over the
// file's, which stays as it was. A file without a login is refused.
func TestOtherPasswords(t *testing.T) {
	dir := t.TempDir()
	start(t, Config{Dir: dir, Listen: "127.0.0.1:0"}).Shutdown()
	kept, _ := ReadLogin(dir)
	js(t, start(t, Config{Listen: "127.0.0.1:0", NoPassword: true}).URL())
	s := start(t, Config{Dir: dir, Listen: "127.0.0.1:0", User: "jane", Password: "hunter2"})
	js(t, s.URL(), nats.UserInfo("jane", "hunter2"))
	if _, err := nats.Connect(s.URL(), fromFile(t, dir)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with the file's password: %v", err)
	}
	s.Shutdown()
	if now, err := ReadLogin(dir); now != kept {
		t.Errorf("the file has changed: %v", err)
	}
	for _, text := range []string{"", "{}", "null", `{"user":"u"}`, `{"user":"u","password":7}`} {
		if err := os.WriteFile(filepath.Join(dir, ContextName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Start(t.Context(), Config{Dir: dir, Listen: "127.0.0.1:0"}); !errors.Is(err, ErrContext) {
			t.Errorf("%q: %v", text, err)
			if err == nil {
				s.Shutdown()
			}
		}
	}
}

func TestRefusedConfigs(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]Config{
		"needs a password":    {Listen: "0.0.0.0:0"},
		"so it needs":         {Listen: ":0"},
		"a password; set one": {Listen: "nats.example:0"},
		"host:port":           {Listen: "4222"},
		"is no port":          {Listen: "127.0.0.1:nats"},
		"is in use":           {Listen: taken.Addr().String()},
		"data directory":      {Dir: file},
	}
	for want, cfg := range cases {
		if cfg.Dir == "" {
			cfg.Dir = t.TempDir()
		}
		s, err := Start(t.Context(), cfg)
		if err == nil {
			s.Shutdown()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
}

// A start that fails leaves nothing running.
func TestStartGivenUp(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Config{Dir: dir, NoListen: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	start(t, Config{Dir: dir, NoListen: true})
}

// spawn starts a server as a child process and returns its address and a
// function that kills it.
func spawn(t *testing.T, dir string) (url string, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	stdout, err1 := cmd.StdoutPipe()
	stdin, err2 := cmd.StdinPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = stdin.Close()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if !strings.HasPrefix(line, "nats://") {
		t.Fatalf("server did not start: %q %v", line, err)
	}
	return strings.TrimSpace(line), kill
}

// Acknowledged messages survive a SIGKILL.
func TestStoreSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	acked := uint64(0)
	for round := range 3 {
		url, kill := spawn(t, dir)
		ctx, gone := context.WithTimeout(t.Context(), 2*time.Minute)
		defer gone()
		client := js(t, url, fromFile(t, dir), nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { gone() }))
		if round == 0 {
			if _, err := client.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
				t.Fatal(err)
			}
		}
		s, err := client.Stream(t.Context(), "S")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CachedInfo().State.LastSeq; got < acked || got > acked+1 {
			t.Errorf("round %d: %d stored, %d acked", round, got, acked)
		}
		for n := 0; ; n++ {
			if n == 50 {
				go kill() // amid the publishing
			}
			ack, err := client.Publish(ctx, "s", []byte(strings.Repeat("x", 2000)))
			if err != nil && n < 50 {
				t.Fatalf("round %d: publish %d: %v", round, n, err)
			}
			if err != nil {
				break
			}
			acked = ack.Sequence
		}
		kill()
	}
}
