package main

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
	"github.com/witfoo/signal-client/pipeline"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{&problem{Op: "open x", Err: errors.New("gone"), Hint: "make it"}, exitFailed, "error: open x\ncause: gone\ntry: make it\n"},
		{errors.New("bare"), exitFailed, "error: bare\n"},
		{fmt.Errorf("poll prod: %w", errors.New("status 500: sorry")), exitFailed, "error: poll prod\ncause: status 500: sorry\n"},
		{fmt.Errorf("poll prod: %w", pipeline.ErrCredential), exitCredential, "error: poll prod\ncause: credential refused\ntry: make a new API token"},
		{fmt.Errorf("connect nats://h: %w", nats.ErrNoServers), exitUnreachable, "error: connect nats://h\ncause: nats: no servers available for connection\ntry: check NATS_URL"},
		{fmt.Errorf("ask: %w", syscall.ECONNREFUSED), exitUnreachable, "error: ask\ncause: connection refused\ntry: "},
		{fmt.Errorf("connect to nats at h: %w", io.EOF), exitUnreachable, "error: connect to nats at h\ncause: EOF\ntry: check the address"},
		{fmt.Errorf("ask: %w", context.DeadlineExceeded), exitUnreachable, "error: ask\n"},
		{errors.Join(wrong("A=1", "b", "A=2"), wrong("C=1", "d", "C=2")), exitUsage, "error: A=1\ncause: b\ntry: A=2\n\nerror: C=1\ncause: d\ntry: C=2\n"},
		{errors.Join(wrong("A=1", "b", "A=2"), errors.New("c")), exitUsage, "error: A=1\ncause: b\ntry: A=2\n\nerror: c\n"},
		{errors.New("evil\x1b[2J\nerror: forged"), exitFailed, `error: evil\x1b[2J\nerror` + "\ncause: forged\n"},
	} {
		var b bytes.Buffer
		if code := report(screen{Writer: &b}, c.err); code != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, code, c.code)
		}
		if got := b.String(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}

// An interrupt is no failure, and a failure in a process that goes on is no interrupt.
func TestInterrupted(t *testing.T) {
	var p program
	err := fmt.Errorf("wait: %w", context.Canceled)
	if code := p.Report(t.Context(), err); code != exitFailed {
		t.Errorf("uninterrupted: exit code %d, want %d", code, exitFailed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for err, want := range map[error]int{err: exitInterrupted, nil: exitOK, errors.New("disk full"): exitFailed} {
		if code := p.Report(ctx, err); code != want {
			t.Errorf("%v: exit code %d, want %d", err, code, want)
		}
	}
}

// Each code that a remedy has is explained.
func TestExitCodes(t *testing.T) {
	explained := map[int]bool{exitFound: true, exitInterrupted: true} // no remedy has these
	for _, c := range exitCodes {
		explained[c.Code] = c.Meaning != ""
	}
	for _, r := range remedies {
		if !explained[r.code] {
			t.Errorf("code %d of %v is not explained", r.code, r.err)
		}
	}
}

// Every sentinel of the domain has a remedy, so that no user is left alone with it.
func TestEverySentinelHasARemedy(t *testing.T) {
	known := map[string]bool{}
	for _, r := range remedies {
		known[r.err.Error()] = true
	}
	for _, dir := range []string{"pipeline", "pipeline/audit", "sink/jets", "sink/embedded"} {
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
		if got := nearest(word, flags); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}
