// Package clitest holds what tests of the command's packages share: a NATS server with
// the documented permissions, and the project's documents. It is not part of the program.
package clitest

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/topics"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Patience is how long a test waits for something, on a busy machine.
const Patience = 2 * time.Minute

// Root returns the module's directory.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

var (
	title       = regexp.MustCompile(`(?m)^#+ (.+)$`)
	block       = regexp.MustCompile("(?ms)^ *```(\\w*)\n(.*?)^ *```$")
	notInAnchor = regexp.MustCompile(`[^\pL\pN _-]`)
)

// Documents returns all Markdown files, by path in the project.
func Documents(t *testing.T) map[string]string {
	t.Helper()
	root := Root(t)
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, path))
		all[path] = string(data)
		return err
	})
	if err != nil || all["README.md"] == "" {
		t.Fatalf("documents %q: %v", slices.Collect(maps.Keys(all)), err)
	}
	return all
}

// Anchors returns the headings as links name them.
func Anchors(text string) []string {
	var all []string
	for _, m := range title.FindAllStringSubmatch(text, -1) {
		anchor := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

// WithoutBlocks returns a document without its code blocks.
func WithoutBlocks(text string) string { return block.ReplaceAllString(text, "") }

// Fenced returns a document's only block in a language that contains a text.
func Fenced(t *testing.T, document, language, holds string) string {
	t.Helper()
	var found []string
	for _, m := range block.FindAllStringSubmatch(Documents(t)[document], -1) {
		if m[1] == language && strings.Contains(m[2], holds) {
			found = append(found, m[2])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s: %d blocks %q hold %q, want 1", document, len(found), language, holds)
	}
	return found[0]
}

// Refusals collects the errors that a server logs.
type Refusals struct {
	mu   sync.Mutex
	text string
}

func (e *Refusals) Noticef(string, ...any) {}
func (e *Refusals) Warnf(string, ...any)   {}
func (e *Refusals) Fatalf(string, ...any)  {}
func (e *Refusals) Debugf(string, ...any)  {}
func (e *Refusals) Tracef(string, ...any)  {}
func (e *Refusals) Errorf(format string, v ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.text += fmt.Sprintf(format, v...) + "\n"
}

// Take returns what was logged since the last Take.
func (e *Refusals) Take() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := e.text
	e.text = ""
	return text
}

// Server runs a server with topics.Permissions, on another port and directory, and with
// changed options.
func Server(t *testing.T, changes ...func(*server.Options)) (*server.Server, *Refusals) {
	t.Helper()
	jetstest.ForgetTimers()
	for _, variable := range []string{"STAGE_PASSWORD", "SIEM_PASSWORD", "REPLAY_PASSWORD", "CONSOLE_PASSWORD", "ADMIN_PASSWORD"} {
		t.Setenv(variable, "pw")
	}
	conf := strings.NewReplacer("127.0.0.1:4222", "127.0.0.1:-1", "/var/lib/nats", jetstest.TempDir(t)).
		Replace(topics.Permissions)
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs = true
	for _, change := range changes {
		change(opts)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	errors := new(Refusals)
	s.SetLoggerV2(errors, false, false, false)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(Patience) {
		t.Fatal("server not ready")
	}
	return s, errors
}

// UserURL returns a server's address for one of the users of topics.Permissions.
func UserURL(s *server.Server, user string) string {
	return strings.Replace(s.ClientURL(), "://", "://"+user+":pw@", 1)
}

// Gather sends requests on a subject until the given number of replicas has answered.
func Gather(t *testing.T, nc *nats.Conn, subject, data string, most int) []*nats.Msg {
	t.Helper()
	for deadline := time.Now().Add(Patience); ; {
		answers := ask(t, nc, subject, data, most)
		if len(answers) == most {
			return answers
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d answers on %s, want %d", len(answers), subject, most)
		}
		time.Sleep(20 * time.Millisecond) // between two requests
	}
}

// ask sends one request. Each has its own inbox: otherwise a late answer would be counted
// for the next request.
func ask(t *testing.T, nc *nats.Conn, subject, data string, most int) (answers []*nats.Msg) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	_ = nc.PublishRequest(subject, inbox, []byte(data)) // fails while the server is away
	for len(answers) < most {
		m, err := sub.NextMsg(time.Second)
		if err != nil {
			break
		}
		answers = append(answers, m)
	}
	return answers
}
