package oktatest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A bubble fails its test when a goroutine is left in it.

func TestASlowBodyTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if a := ask(t, faulty(Fault{Wait: 3 * time.Second, Slow: 40 * time.Second}), LogsPath); a.err != nil || len(a.elements) != 60 {
			t.Fatalf("%d elements, %v", len(a.elements), a.err)
		}
		if took := time.Since(start); took != 43*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestAContextEndsARequest(t *testing.T) {
	for name, f := range map[string]Fault{"before the answer": {Wait: time.Hour}, "in the body": {Slow: time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			resp, err := faulty(f).Transport().RoundTrip(authorized(t).WithContext(ctx))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestAClientsTimeoutEndsARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &http.Client{Transport: faulty(Fault{Slow: time.Hour}).Transport(), Timeout: time.Minute}
		resp, err := c.Do(authorized(t))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var timeout interface{ Timeout() bool }
		if _, err := io.ReadAll(resp.Body); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%v", err)
		}
	})
}

func TestABodyClosedEarlyLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := faulty(Fault{Slow: time.Hour})
		resp, err := (&http.Client{Transport: o.Transport()}).Do(authorized(t))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = resp.Body.Read(make([]byte, 10))
		resp.Body.Close()
		if got := o.Requests(); len(got) != 1 {
			t.Errorf("%d requests have ended, want 1", len(got))
		}
	})
}

func TestConnectionErrors(t *testing.T) {
	if a := ask(t, faulty(Fault{Disconnect: true}), LogsPath); a.err == nil || a.Response != nil {
		t.Errorf("%v %v", a.Response, a.err)
	}
	for _, f := range []Fault{{Cut: 0.5}, {Length: 100}, {Length: -100}} {
		if a := ask(t, faulty(f), LogsPath); !errors.Is(a.err, io.ErrUnexpectedEOF) {
			t.Errorf("%+v: %v", f, a.err)
		}
	}
}

func TestCompressionThatWasAskedForIsLeftOn(t *testing.T) {
	req := authorized(t)
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := faulty(Fault{}).Transport().RoundTrip(req)
	if err != nil || resp.Uncompressed || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%+v %v", resp, err)
	}
	resp.Body.Close()
}
