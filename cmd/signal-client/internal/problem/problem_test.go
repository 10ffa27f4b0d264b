package problem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{&Error{Op: "open x", Err: errors.New("gone"), Hint: "make it"}, Failed, "error: open x\ncause: gone\ntry: make it\n"},
		{errors.New("bare"), Failed, "error: bare\n"},
		{fmt.Errorf("poll prod: %w", errors.New("status 500: sorry")), Failed, "error: poll prod\ncause: status 500: sorry\n"},
		{fmt.Errorf("poll prod: %w", pipeline.ErrCredential), BadCredential, "error: poll prod\ncause: credential refused\ntry: give it a credential"},
		{fmt.Errorf("poll prod: %w", okta.Source.Mark(&okta.Error{Status: 401, Code: "E0000011", Kind: pipeline.ErrCredential})), BadCredential, "error: poll prod\ncause: status 401 E0000011: Unauthorized\ntry: create a new token in Okta"},
		{fmt.Errorf("poll prod: %w", okta.Source.Mark(&okta.Error{Status: 403, Code: "E0000006", Kind: pipeline.ErrCredential})), BadCredential, "error: poll prod\ncause: status 403 E0000006: Forbidden\ntry: give the admin who owns the token a role that may read the System Log, such as Read-only Administrator\n"},
		{fmt.Errorf("connect nats://h: %w", nats.ErrNoServers), Unreachable, "error: connect nats://h\ncause: nats: no servers available for connection\ntry: check NATS_URL"},
		{fmt.Errorf("ask: %w", syscall.ECONNREFUSED), Unreachable, "error: ask\ncause: connection refused\ntry: "},
		{fmt.Errorf("connect to nats at h: %w", io.EOF), Unreachable, "error: connect to nats at h\ncause: EOF\ntry: check the address"},
		{fmt.Errorf("ask: %w", context.DeadlineExceeded), Unreachable, "error: ask\n"},
		{errors.Join(Usage("A=1", "b", "A=2"), Usage("C=1", "d", "C=2")), BadUsage, "error: A=1\ncause: b\ntry: A=2\n\nerror: C=1\ncause: d\ntry: C=2\n"},
		{errors.Join(Usage("A=1", "b", "A=2"), errors.New("c")), BadUsage, "error: A=1\ncause: b\ntry: A=2\n\nerror: c\n"},
		{errors.New("evil\x1b[2J\nerror: forged"), Failed, `error: evil\x1b[2J\nerror` + "\ncause: forged\n"},
	} {
		var b bytes.Buffer
		if code := Report(term.Screen{Writer: &b}, c.err); code != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, code, c.code)
		}
		if got := b.String(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}

// Each code that a remedy has is documented.
func TestExitCodes(t *testing.T) {
	explained := map[int]bool{Found: true, Interrupted: true} // no remedy has these
	for _, c := range ExitCodes {
		explained[c.Code] = c.Meaning != ""
	}
	for _, r := range remedies {
		if !explained[r.code] {
			t.Errorf("code %d of %v is not explained", r.code, r.err)
		}
	}
}

// Every sentinel of the domain has a remedy.
func TestEverySentinelHasARemedy(t *testing.T) {
	known := map[string]bool{}
	for _, r := range remedies {
		known[r.err.Error()] = true
	}
	for _, dir := range []string{"pipeline", "pipeline/audit", "sink/jets", "sink/signals", "sink/deadletters", "sink/scan", "sink/republish", "sink/embedded"} {
		for name, text := range sentinels(t, filepath.Join(clitest.Root(t), dir)) {
			if !known[text] {
				t.Errorf("%s: %s (%q) has no remedy", dir, name, text)
			}
		}
	}
}

// sentinels are the exported errors.New("…") of a package.
func sentinels(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && spec.Names[0].IsExported() {
				if text, ok := newError(spec.Values[0]); ok {
					found[spec.Names[0].Name] = text
				}
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatalf("no sentinels in %s", dir)
	}
	return found
}

// newError is the text of an errors.New call.
func newError(e ast.Expr) (string, bool) {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return "", false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || fun.Sel.Name != "New" {
		return "", false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	return strings.Trim(lit.Value, `"`), true
}

func TestNearest(t *testing.T) {
	flags := []string{"data-dir", "http-addr", "log-level"}
	for word, want := range map[string]string{"data-dirr": "data-dir", "http": "", "loglevel": "log-level", "x": "", "zzzzzzzzzzz": ""} {
		if got := Nearest(word, flags); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}
