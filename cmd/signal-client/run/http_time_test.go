package run

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.made:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.made <- server
	return client
}

// inBubble serves a handler as the service does, with a fake clock.
func inBubble(t *testing.T, handler http.HandlerFunc, client func(t *testing.T, dial func() net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		ln := &pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- serveHTTP(ctx, site{Listener: ln, handler: handler}, slog.New(slog.DiscardHandler)) }()
		client(t, ln.dial)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// An answer may last for hours, with pauses, as long as the client takes each piece.
func TestAnswersMayLast(t *testing.T) {
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		for range 60 {
			_, _ = io.WriteString(w, "data: x\n\n")
			if err := http.NewResponseController(w).Flush(); err != nil || r.Context().Err() != nil {
				t.Errorf("%v, %v", err, r.Context().Err())
			}
			time.Sleep(time.Minute)
		}
	}, func(t *testing.T, dial func() net.Conn) {
		conn := dial()
		defer conn.Close()
		go func() { _, _ = io.WriteString(conn, request) }()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || strings.Count(string(body), "data") != 60 {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	})
}

// A client that takes nothing is ended, and one that takes a large answer slowly is not.
func TestSlowReaders(t *testing.T) {
	var wrote error
	handler := func(w http.ResponseWriter, _ *http.Request) {
		_, wrote = w.Write(make([]byte, 1<<20))
	}
	inBubble(t, handler, func(t *testing.T, dial func() net.Conn) {
		conn := dial()
		defer conn.Close()
		began := time.Now()
		_, _ = io.WriteString(conn, request)
		time.Sleep(2 * pieceTime)
		_, err := io.ReadAll(conn)
		synctest.Wait()
		if err != nil || !errors.Is(wrote, os.ErrDeadlineExceeded) {
			t.Errorf("after %v: %v, %v", time.Since(began), err, wrote)
		}
	})
	inBubble(t, handler, func(t *testing.T, dial func() net.Conn) {
		conn := dial()
		defer conn.Close()
		_, _ = io.WriteString(conn, request)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for piece := make([]byte, 32<<10); err == nil; {
			var n int
			n, err = resp.Body.Read(piece)
			total += n
			time.Sleep(pieceTime / 20)
		}
		synctest.Wait()
		if total != 1<<20 || err != io.EOF || wrote != nil {
			t.Errorf("%d bytes, %v, %v", total, err, wrote)
		}
	})
}

// A client that sends its request slowly is ended: headers after 5 s, a body after 30 s.
// One that has sent it all may wait for an answer that takes longer.
func TestSlowSenders(t *testing.T) {
	var read, left error
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, read = io.ReadAll(r.Body)
		time.Sleep(3 * bodyTime)
		left = r.Context().Err()
	}
	post := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
	for name, c := range map[string]struct {
		sends string
		after time.Duration // the connection ends, or the answer comes
		read  error
	}{
		"headers": {"GET / HTTP/1.1\r\nHost: x\r\nX-", 5 * time.Second, nil},
		"body":    {post + "a", bodyTime + 3*bodyTime, os.ErrDeadlineExceeded},
		"whole":   {post + "abc", 3 * bodyTime, nil},
	} {
		read, left = nil, nil
		inBubble(t, handler, func(t *testing.T, dial func() net.Conn) {
			conn := dial()
			defer conn.Close()
			began := time.Now()
			_, _ = io.WriteString(conn, c.sends)
			_, _ = conn.Read(make([]byte, 1))
			synctest.Wait()
			if took := time.Since(began); took != c.after || !errors.Is(read, c.read) || name == "whole" && left != nil {
				t.Errorf("%s: after %v, read %v, left %v", name, took, read, left)
			}
		})
	}
}

// Headers and bodies have bounds.
func TestRequestsAreBounded(t *testing.T) {
	var read error
	handler := func(w http.ResponseWriter, r *http.Request) { _, read = io.Copy(io.Discard, r.Body) }
	inBubble(t, handler, func(t *testing.T, dial func() net.Conn) {
		for name, c := range map[string]struct {
			sends io.Reader
			want  int
		}{
			"headers": {strings.NewReader("GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n"), http.StatusRequestHeaderFieldsTooLarge},
			"body":    {io.MultiReader(strings.NewReader("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"), io.LimitReader(zeros{}, 100_000_000)), 200},
		} {
			conn := dial()
			go func() { _, _ = io.Copy(conn, c.sends) }()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != c.want {
				t.Errorf("%s: %v, %v", name, resp, err)
			}
			conn.Close()
		}
		synctest.Wait()
		if _, ok := errors.AsType[*http.MaxBytesError](read); !ok {
			t.Errorf("a body of 100 MB: %v", read)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
