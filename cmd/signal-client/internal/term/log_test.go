package term

import (
	"bytes"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

var timeAtEnd = regexp.MustCompile(` time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$`)

// logged is what one record looks like, its time checked and cut off.
func logged(t *testing.T, do func(*slog.Logger)) string {
	t.Helper()
	var b bytes.Buffer
	do(slog.New(NewConsoleHandler(Screen{Writer: &b}, slog.LevelDebug)))
	line := b.String()
	if strings.Count(line, "\n") != 1 || !timeAtEnd.MatchString(line) {
		t.Fatalf("not one line with its time at the end: %q", line)
	}
	return timeAtEnd.ReplaceAllString(line, "")
}

func TestConsoleLog(t *testing.T) {
	for want, do := range map[string]func(*slog.Logger){
		"[INFO] okta: fetched 12 events instance=prod stored=12": func(l *slog.Logger) {
			l.Info("okta: fetched 12 events", "instance", "prod", "stored", 12)
		},
		`[WARN] x err="poll prod: no route" empty="" took=1.5s`: func(l *slog.Logger) {
			l.Warn("x", "err", errors.New("poll prod: no route"), "empty", "", "took", 1500*time.Millisecond)
		},
		"[ERROR] x instance=prod page.size=3 page.link.path=/api/v1/logs": func(l *slog.Logger) {
			l.With("instance", "prod").WithGroup("page").With("size", 3).Error("x", slog.Group("link", "path", "/api/v1/logs"))
		},
		"[DEBUG] x at=2026-11-22T09:45:00Z token=[redacted] inline=1": func(l *slog.Logger) {
			l.Debug("x", "at", time.Date(2026, 11, 22, 9, 45, 0, 0, time.UTC), "token", pipeline.NewSecret("s3cret"), slog.Group("", "inline", 1), slog.Attr{})
		},
		`[INFO] x link="/api/v1/logs?limit=999" path="C:\\x" quote="a \"b\""`: func(l *slog.Logger) {
			l.Info("x", "link", "/api/v1/logs?limit=999", "path", `C:\x`, "quote", `a "b"`)
		},
		"[INFO] x a.b.c=1 a.b.d=2": func(l *slog.Logger) { l.WithGroup("a").WithGroup("b").With("c", 1).Info("x", "d", 2) },
		"[INFO] x a=1 b=2": func(l *slog.Logger) {
			parent := l.With("a", 1)
			child := parent.With("b", 2)
			parent.With("c", 3) // writes nothing over the other child
			child.Info("x")
		},
		"[INFO+2] x": func(l *slog.Logger) { l.Log(t.Context(), slog.LevelInfo+2, "x") },
	} {
		if got := logged(t, do); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Foreign text can neither begin a line of its own nor control the terminal.
func TestConsoleLogInjection(t *testing.T) {
	for _, evil := range []string{"a\n[INFO] forged", "\x1b[2J", "\r", "\u202e", "\u2028", "\x00", "\x9b31m", "a b=c", `"`, "\xff\xfe"} {
		line := logged(t, func(l *slog.Logger) { l.With(evil, evil).Info("m "+evil, "k", evil, evil, 1) })
		if strings.ContainsFunc(line, steers) || !strings.HasPrefix(line, "[INFO] m ") {
			t.Errorf("%q shows as %q", evil, line)
		}
	}
}

func TestConsoleLogColor(t *testing.T) {
	var b bytes.Buffer
	slog.New(NewConsoleHandler(Screen{Writer: &b, Color: true}, slog.LevelInfo)).Info("x", "k", "v")
	if !strings.HasPrefix(b.String(), "\x1b[32m[INFO]\x1b[0m x ") {
		t.Errorf("got %q", b.String())
	}
}

func TestConsoleLogConcurrent(t *testing.T) {
	var b bytes.Buffer
	l := slog.New(NewConsoleHandler(Screen{Writer: &b}, slog.LevelInfo))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				l.With("a", 1).Info("x")
			}
		})
	}
	wg.Wait()
	if got := strings.Count(b.String(), "[INFO] x a=1 time="); got != 800 {
		t.Errorf("%d whole lines, want 800", got)
	}
}
