package sim

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/okta"
)

const (
	hostileBody    = 12 << 20 // most bytes of a body, inflated
	hostileTimeout = 10 * time.Second
)

// hostile is a far end that means harm: an element of a page between two good events, or an
// answer in place of a page, given twice.
type hostile struct {
	name    string
	element string
	answer  func(http.ResponseWriter)

	stored bool          // the element is stored, to the byte
	id     string        // its ce-id; empty: mid
	flaw   pipeline.Flaw // it becomes a dead letter
	said   string        // in the log, of an answer
}

func hostiles() []hostile {
	const at = `"published":"2026-11-22T08:00:00.000Z","eventType":"t"`
	event := func(rest string) string { return `{"uuid":"mid",` + at + `,"x":` + rest + `}` }
	nested := func(levels int) string {
		return event(strings.Repeat(`[{"a":`, levels/2) + "1" + strings.Repeat("}]", levels/2))
	}
	packed := func(text string, times int) []byte {
		data := []byte(text)
		for range times {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(data)
			_ = z.Close()
			data = b.Bytes()
		}
		return data
	}
	encoded := func(body []byte, encodings ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header()["Content-Encoding"] = encodings
			_, _ = w.Write(body)
		}
	}
	plain := func(text string) func(http.ResponseWriter) { return encoded([]byte(text)) }
	var deflated bytes.Buffer
	d, _ := flate.NewWriter(&deflated, 1)
	_, _ = io.WriteString(d, "[]")
	_ = d.Close()

	return []hostile{
		{name: "nested 9,000 deep", element: nested(9000), stored: true},
		{name: "nested 100,000 deep", element: nested(100_000), flaw: pipeline.FlawTooDeep},
		{name: "array nested 100,000 deep", element: strings.Repeat("[", 1e5) + strings.Repeat("]", 1e5), flaw: pipeline.FlawNotObject},
		{name: "nested and never closed", answer: plain(strings.Repeat(`[{"a":`, 1e5)), said: "JSON ends too early"},
		{name: "duplicate keys", element: event(`{"a":1,"a":2,"a":{"a":3,"a":4}}`), stored: true},
		{name: "duplicate uuid and published", element: `{"uuid":"first","published":"x","uuid":"last",` + at + `}`, stored: true, id: "last"},
		{name: "duplicate uuid, the last is none", element: `{"uuid":"first","uuid":7,` + at + `}`, flaw: pipeline.FlawNoUUID},
		{name: "numbers beyond 64 bits", element: event(`[18446744073709551616,-9223372036854775809,1e999999,0.` + strings.Repeat("1", 5000) + `]`), stored: true},
		{name: "invalid UTF-8", element: event("\"\xff\xfe\xc0\xaf\xed\xa0\x80\""), stored: true},
		{name: "invalid UTF-8 in a name", element: `{"uuid":"mid",` + at + ",\"\xff\":1}", stored: true},
		{name: "invalid UTF-8 in the uuid", element: "{\"uuid\":\"a\xff\"," + at + `}`, flaw: pipeline.FlawNoUUID},
		{name: "escaped NUL", element: `{"uuid":"mid","published":"2026-11-22T08:00:00.000Z","eventType":"a\u0000b","x":"\u0000"}`, stored: true},
		{name: "escaped NUL in the uuid", element: `{"uuid":"a\u0000b",` + at + `}`, flaw: pipeline.FlawNoUUID},
		{name: "bare NUL", answer: plain("[{\"uuid\":\"a\x00b\"}]"), said: `is '\\x00'`},
		{name: "event type of 2 MB", element: `{"uuid":"mid","eventType":"` + strings.Repeat("type", 5e5) + `"}`, stored: true},
		{name: "event type of 10 MB", element: `{"uuid":"mid","eventType":"` + strings.Repeat("type", 25e5) + `"}`, flaw: pipeline.FlawTooLarge},
		{name: "uuid of 10 MB", element: `{"uuid":"` + strings.Repeat("uuid", 25e5) + `"}`, flaw: pipeline.FlawTooLarge},

		{name: "slow drip", said: "while reading the answer", answer: func(w http.ResponseWriter) {
			for range 100 {
				if _, err := io.WriteString(w, "["); err != nil || http.NewResponseController(w).Flush() != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}},
		{name: "endless headers", said: "exceeded", answer: func(w http.ResponseWriter) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			for n := 0; err == nil; n++ {
				_, err = fmt.Fprintf(conn, "X-%d: %s\r\n", n, strings.Repeat("x", 1000))
			}
			_ = conn.Close()
		}},
		{name: "endless header line", said: "exceeded", answer: func(w http.ResponseWriter) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nX: ")
			for err == nil {
				_, err = io.WriteString(conn, strings.Repeat("x", 1000))
			}
			_ = conn.Close()
		}},
		{name: "gzip in gzip", answer: encoded(packed("[]", 2), "gzip"), said: "not the beginning of a JSON array"},
		{name: "a list of encodings", answer: encoded(packed("[]", 2), "gzip, gzip"), said: "was not asked for"},
		{name: "two headers of encodings", answer: encoded(packed("[]", 1), "gzip", "br"), said: "was not asked for"},
		{name: "deflate", answer: encoded(deflated.Bytes(), "deflate"), said: "was not asked for"},
		{name: "br", answer: encoded([]byte("\x0b\x01\x80[]\x03"), "br"), said: "was not asked for"},
		{name: "a bomb", answer: encoded(packed("["+strings.Repeat(" ", 13<<20), 1), "gzip"), said: "body too large"},
		{name: "a bomb of no bytes", answer: encoded(bytes.Repeat(packed("", 1), 5<<17), "gzip"), said: "body too large"},
		{name: "gzip cut short", answer: encoded(packed("[]", 1)[:15], "gzip"), said: "unexpected EOF"},
	}
}

// TestHostileAnswers has each polled by a client over HTTP and stored in a real server.
// The good events are stored once, whatever comes between or before them; an element is
// stored to the byte or becomes a dead letter; a bad answer is told and asked for again.
// Nothing holds memory at the end.
func TestHostileAnswers(t *testing.T) {
	for _, h := range hostiles() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, h.run)
		})
	}
}

func (h hostile) run(t *testing.T) {
	t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
	st := sinktest.New(t, jetstest.Config{})
	client, end := overPipes(h.handler())
	defer end()
	var said lockedBuffer
	var dead []pipeline.Flaw
	memory := &pipeline.Gate{Capacity: 2 * hostileBody}
	w := &world{T: t, asks: asks{origin: simOrigin, limit: 999}, history: history{since: time.Now().Add(-12 * time.Hour)}}
	trace := &pipeline.Trace{DeadLetter: func(_ string, flaw pipeline.Flaw) { dead = append(dead, flaw) }}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	st.OK((&pipeline.Runner{
		Kind: "okta", Instance: "prod", Trace: trace, Log: slog.New(slog.NewTextHandler(&said, nil)),
		Source: &okta.Client{Instance: "prod", Origin: simOrigin, Credential: pipeline.NewSecret("00secret"), Limit: 999,
			HTTP: client, Timeout: hostileTimeout, MaxBody: hostileBody, Memory: memory},
		Sink: signals.New(st.Store, "prod", w.query(), trace, nil),
	}).Run(ctx))

	var ids []string
	for m := range st.Messages(jets.StreamSignals) {
		if m.Subject != jets.SubjectEvents(sinktest.Kind.Name, "prod") {
			continue
		}
		id := m.Header.Get(jets.HeaderID)
		if ids = append(ids, id); id != "good-1" && id != "good-2" && string(m.Data) != h.element {
			t.Errorf("%.60q is stored as %.60q", h.element, m.Data)
		}
	}
	want := []string{"good-1", "good-2"}
	if h.stored {
		want = []string{"good-1", "mid", "good-2"}
		if h.id != "" {
			want[1] = h.id
		}
	}
	if !slices.Equal(ids, want) {
		t.Errorf("%.200q are stored, want %q", ids, want)
	}
	var letters []pipeline.Flaw
	for m := range st.Messages(jets.StreamDeadLetter) {
		letters = append(letters, pipeline.Flaw(m.Header.Get("Signal-Reason")))
		if !strings.HasPrefix(h.element, string(m.Data)) || h.flaw != pipeline.FlawTooLarge && len(m.Data) < len(h.element) {
			t.Errorf("the dead letter is %.60q", m.Data)
		}
	}
	if want := slices.DeleteFunc([]pipeline.Flaw{h.flaw}, func(f pipeline.Flaw) bool { return f == "" }); !slices.Equal(letters, want) || !slices.Equal(dead, want) {
		t.Errorf("dead letters %q, told %q, want %q", letters, dead, want)
	}
	if text := said.String(); !strings.Contains(text, h.said) {
		t.Errorf("the log says %.500s, want %s", text, h.said)
	}
	if memory.Used() != 0 {
		t.Errorf("%d bytes are held at the end", memory.Used())
	}
}

// handler serves the bad answer twice, then the page with its element, then the head.
func (h hostile) handler() http.Handler {
	var mu sync.Mutex
	asked := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		bad := h.answer != nil && asked <= 2
		mu.Unlock()
		if bad {
			h.answer(w)
			return
		}
		if r.URL.Query().Get("after") == "" {
			w.Header().Set("Link", `<`+simOrigin+`/api/v1/logs?after=1&limit=999>; rel="next"`)
			good := func(n int) string {
				return fmt.Sprintf(`{"uuid":"good-%d","published":"2026-11-22T08:00:00.000Z","eventType":"t"}`, n)
			}
			elements := slices.DeleteFunc([]string{good(1), h.element, good(2)}, func(e string) bool { return e == "" })
			_, _ = io.WriteString(w, "["+strings.Join(elements, ",")+"]")
			return
		}
		_, _ = io.WriteString(w, "[]")
	})
}

// overPipes returns the client that the program has, of a handler that it reaches by pipes.
func overPipes(handler http.Handler) (client *http.Client, end func()) {
	calls := pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(calls) })
	client = source.NewHTTPClient()
	transport := client.Transport.(*http.Transport)
	transport.Proxy = nil
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case calls.made <- there:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	transport.DialContext = dial
	if strings.HasPrefix(simOrigin, "https:") {
		transport.DialTLSContext = dial // the handshake is another test's
	}
	return client, func() {
		client.CloseIdleConnections()
		_ = server.Close()
		wg.Wait()
	}
}

// pipes is a listener.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.made:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
