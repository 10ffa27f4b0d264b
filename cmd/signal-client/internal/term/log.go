package term

import (
	"bytes"
	"context"
	"encoding"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// consoleHandler writes a record as one line for people:
//
//	[INFO] okta: fetched 12 events instance=prod stored=12 time=2026-11-22T09:45:00.123Z
//
// The level comes first and the time last, so that the message is at the left edge.
// Whatever a record contains, it stays one line and can't imitate another.
type consoleHandler struct {
	to     Screen
	mu     *sync.Mutex // one Write at a time, shared with derived handlers
	level  slog.Leveler
	prefix string // of keys: the open groups
	attrs  []byte // of WithAttrs, formatted
}

var _ slog.Handler = (*consoleHandler)(nil)

// NewConsoleHandler returns a handler of records of that level and above.
func NewConsoleHandler(to Screen, level slog.Leveler) slog.Handler {
	return &consoleHandler{to: to, mu: new(sync.Mutex), level: level}
}

// Enabled reports whether the level is logged.
func (h *consoleHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle writes one line.
func (h *consoleHandler) Handle(_ context.Context, r slog.Record) error {
	var b bytes.Buffer
	b.WriteString(h.to.Paint(levelColor(r.Level), "["+r.Level.String()+"]") + " ")
	b.WriteString(Printable(r.Message))
	b.Write(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		h.attr(&b, h.prefix, a)
		return true
	})
	if !r.Time.IsZero() {
		h.pair(&b, "time", r.Time.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.to.Write(b.Bytes())
	return err
}

// WithAttrs formats the attributes once, for all later lines.
func (h *consoleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	b := bytes.NewBuffer(bytes.Clone(h.attrs))
	for _, a := range attrs {
		h.attr(b, h.prefix, a)
	}
	derived := *h
	derived.attrs = b.Bytes()
	return &derived
}

// WithGroup opens a group; its name prefixes the keys.
func (h *consoleHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	derived := *h
	derived.prefix += name + "."
	return &derived
}

func (h *consoleHandler) attr(b *bytes.Buffer, prefix string, a slog.Attr) {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return
	}
	if a.Value.Kind() != slog.KindGroup {
		h.pair(b, prefix+a.Key, valueText(a.Value))
		return
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range a.Value.Group() {
		h.attr(b, prefix, member)
	}
}

func (h *consoleHandler) pair(b *bytes.Buffer, key, value string) {
	b.WriteString(" " + h.to.Paint(Dim, quoted(key)+"=") + quoted(value))
}

// valueText formats a value as slog's text handler does.
func valueText(v slog.Value) string {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().UTC().Format(time.RFC3339Nano)
	case slog.KindDuration:
		return v.Duration().String()
	case slog.KindAny:
		return anyText(v.Any())
	}
	return v.String()
}

func anyText(v any) string {
	switch v := v.(type) {
	case error:
		return fmt.Sprint(v) // not Error(): a nil pointer inside must not crash the process
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		if err != nil {
			return "!ERROR:" + err.Error()
		}
		return string(text)
	case []byte:
		return string(v)
	}
	return fmt.Sprintf("%+v", v)
}

// quoted quotes a text that would not read as one word.
func quoted(text string) string {
	if text == "" || !utf8.ValidString(text) || strings.ContainsAny(text, " =\"\\") || strings.ContainsFunc(text, steers) {
		return strconv.Quote(text)
	}
	return text
}

func levelColor(level slog.Level) Color {
	switch {
	case level >= slog.LevelError:
		return Red
	case level >= slog.LevelWarn:
		return Yellow
	case level >= slog.LevelInfo:
		return Green
	}
	return Dim
}
