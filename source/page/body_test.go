package page

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

func respond(body io.Reader, encoding string) *http.Response {
	return &http.Response{Header: http.Header{"Content-Encoding": {encoding}}, Body: io.NopCloser(body), ContentLength: -1}
}

func zipped(body string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(body))
	_ = z.Close()
	return b.String()
}

// A body is decompressed, up to its largest permitted size.
func TestRead(t *testing.T) {
	large := "[" + strings.Repeat(`"0123456789",`, 1e5) + "1]"
	for _, text := range []string{"", "[]", "[1,2,3]", large} {
		for encoding, body := range map[string]string{"": text, "identity": text, "gzip": zipped(text), "X-GZIP": zipped(text)} {
			for _, before := range []int{0, len(text), 1 << 30} {
				got, err := Read(t.Context(), respond(strings.NewReader(body), encoding), before, &Reservation{Most: int64(len(text))})
				if err != nil || string(got) != text {
					t.Errorf("%d bytes of %q after %d: %d bytes, %v", len(text), encoding, before, len(got), err)
				}
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	whole := zipped(`[{"uuid":"a"}]`)
	for _, test := range []struct {
		name, body, encoding string
		want                 string
		large                bool
	}{
		{"gzip cut", whole[:len(whole)-5], "gzip", "unexpected EOF", false},
		{"gzip empty", "", "gzip", "unexpected EOF", false},
		{"gzip damaged", whole[:len(whole)-8] + "\x00\x00\x00\x00" + whole[len(whole)-4:], "gzip", "checksum", false},
		{"gzip and more", whole + "more", "gzip", "read body", false},
		{"no gzip", "[]", "gzip", "inflate body", false},
		{"other encoding", "[]", "br", `content encoding "br"`, false},
		{"bomb", zipped("[" + strings.Repeat(" ", 10<<20) + "]"), "gzip", "too large", true},
		{"empty blocks", whole[:10] + strings.Repeat("\x00\x00\x00\xff\xff", 1<<20), "gzip", "too large", true},
		{"large", strings.Repeat(" ", 1<<20+1), "", "too large", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Read(t.Context(), respond(strings.NewReader(test.body), test.encoding), 0, &Reservation{Most: 1 << 20})
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrTooLarge) != test.large {
				t.Error(err)
			}
		})
	}
}

// Memory is reserved before a byte is read into it.
func TestReadReservesFirst(t *testing.T) {
	gate := &pipeline.Gate{Capacity: 4 << 20, Spare: 2 << 20}
	memory := &Reservation{Most: 2 << 20, Gate: gate, Full: 1 << 20, Timeout: NewTimeout(time.Hour, func() {})}
	read := 0
	body := readerFunc(func(p []byte) (int, error) {
		if used := int(gate.Used()); used < read+len(p)-1 { // one tells that a body is too large
			t.Fatalf("%d bytes are read, up to %d follow, %d are reserved", read, len(p), used)
		}
		read += len(p)
		for i := range p {
			p[i] = ' '
		}
		return len(p), nil
	})
	if _, err := Read(t.Context(), respond(body, ""), 0, memory); !errors.Is(err, ErrTooLarge) || read != 2<<20+1 {
		t.Errorf("%d bytes are read: %v", read, err)
	}
	if memory.Release(); gate.Used() != 0 {
		t.Errorf("%d are in use after the release", gate.Used())
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A Timeout does not count the time during which it is paused.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var over time.Duration
		timeout := NewTimeout(time.Minute, func() { over = time.Since(began) })
		time.Sleep(20 * time.Second)
		timeout.Pause()
		time.Sleep(time.Hour)
		if timeout.Left() != 40*time.Second || over != 0 {
			t.Errorf("%v left, over after %v", timeout.Left(), over)
		}
		timeout.Resume()
		time.Sleep(time.Hour)
		synctest.Wait()
		if over != time.Hour+time.Minute {
			t.Errorf("over after %v", over)
		}
	})
}
