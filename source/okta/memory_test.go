package okta

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
)

// full is a gate with nothing left, until give is called.
func full(t *testing.T) (gate *pipeline.Gate, give func()) {
	t.Helper()
	gate = &pipeline.Gate{Capacity: 1}
	grant, err := gate.Take(t.Context(), 1, false)
	if err != nil {
		t.Fatal(err)
	}
	return gate, grant.Release
}

// Time that a request spends waiting for memory of this process is not held against the
// org: the org does not fail by it, and its duration does not include it.
func TestWaitingForOthersIsNoFaultOfTheOrg(t *testing.T) {
	for name, set := range map[string]func(*Client, *pipeline.Gate){
		"requests": func(c *Client, g *pipeline.Gate) { c.InFlight = g },
		"memory":   func(c *Client, g *pipeline.Gate) { c.Memory = g },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(func(*http.Request) (*http.Response, error) {
					time.Sleep(50 * time.Second)
					resp := respond(200, "")
					resp.Body = io.NopCloser(io.MultiReader(slow(9*time.Second), strings.NewReader("[]")))
					return resp, nil
				})
				var took time.Duration
				c.Trace = &pipeline.Trace{Requested: func(_, _ string, d time.Duration) { took = d }}
				gate, give := full(t)
				set(c, gate)
				time.AfterFunc(time.Hour, give)
				page, err := c.Poll(t.Context(), "/api/v1/logs")
				if err != nil || took != 59*time.Second {
					t.Errorf("%v, within %v", err, took)
				}
				page.Memory.Release()
				if gate.Used() != 0 {
					t.Errorf("%d are in use at the end", gate.Used())
				}
			})
		})
	}
}

// slow is an empty reader that takes its time.
type slow time.Duration

func (s slow) Read([]byte) (int, error) {
	time.Sleep(time.Duration(s))
	return 0, io.EOF
}

// A timeout runs on after the wait, and expires when it is used up.
func TestTimeGoesOnAfterTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(func(req *http.Request) (*http.Response, error) {
			time.Sleep(20 * time.Second)
			resp := respond(200, "")
			resp.Body = &stuckBody{req.Context()}
			return resp, nil
		})
		gate, give := full(t)
		c.Memory = gate
		time.AfterFunc(time.Hour, give)
		began := time.Now()
		_, err := c.Poll(t.Context(), "/api/v1/logs")
		if !errors.Is(err, source.ErrLate) || time.Since(began) != time.Hour+40*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if gate.Used() != 0 {
			t.Errorf("%d are in use at the end", gate.Used())
		}
	})
}

type stuckBody struct{ ctx context.Context }

func (b *stuckBody) Read([]byte) (int, error) { <-b.ctx.Done(); return 0, b.ctx.Err() }

func (b *stuckBody) Close() error { return nil }

// A request that is cancelled while it waits holds nothing.
func TestGivenUpWhileWaiting(t *testing.T) {
	for name, set := range map[string]func(*Client, *pipeline.Gate){
		"requests": func(c *Client, g *pipeline.Gate) { c.InFlight = g },
		"memory":   func(c *Client, g *pipeline.Gate) { c.Memory = g },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(func(*http.Request) (*http.Response, error) { return respond(200, "[]"), nil })
				gate, give := full(t)
				set(c, gate)
				stopped := errors.New("stopped")
				ctx, stop := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Minute, func() { stop(stopped) })
				if _, err := c.Poll(ctx, "/api/v1/logs"); !errors.Is(err, stopped) {
					t.Error(err)
				}
				give()
				if gate.Used() != 0 || c.Limiter.InFlight() != 0 {
					t.Errorf("%d are in use, %d in flight", gate.Used(), c.Limiter.InFlight())
				}
			})
		})
	}
}

// An org whose newest page was short goes first; draining ones, new ones and requests
// that are not urgent let it pass.
func TestWhoGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		gate := &pipeline.Gate{Capacity: 1}
		of := func(name, body string) *Client {
			c := client(func(*http.Request) (*http.Response, error) {
				asked = append(asked, name)
				return respond(200, body), nil
			})
			c.InFlight = gate
			return c
		}
		poll := func(c *Client) {
			if _, err := c.Poll(t.Context(), "/api/v1/logs?limit=2"); err != nil {
				t.Error(err)
			}
		}
		drains, later, quiet := of("drains", "[1,2]"), of("later", "[]"), of("quiet", "[1]")
		later.Later = true
		for _, c := range []*Client{drains, later, quiet} {
			poll(c)
		}
		asked = nil
		held, err := gate.Take(t.Context(), 1, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*Client{drains, of("new", "[]"), later, quiet} {
			go poll(c)
			synctest.Wait()
		}
		held.Release()
		synctest.Wait()
		if want := []string{"quiet", "drains", "new", "later"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	})
}

// Orgs whose first pages are being read, full ones by chance, do not block one that is
// known to be quiet.
func TestFirstPagesWaitBehindTheQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &pipeline.Gate{Capacity: 8 << 20, Spare: 4 << 20}
		goOn := make(chan struct{})
		poll := func(body func() io.Reader) *Client {
			c := client(func(*http.Request) (*http.Response, error) {
				resp := respond(200, "")
				resp.Body = io.NopCloser(body())
				return resp, nil
			})
			c.Memory = gate
			return c
		}
		full := func() io.Reader {
			return io.MultiReader(strings.NewReader("["+strings.Repeat(" ", 8<<10)), readerFunc(func([]byte) (int, error) {
				<-goOn
				return 0, io.EOF
			}))
		}
		quiet := poll(func() io.Reader { return strings.NewReader("[]") })
		ask := func(c *Client) {
			page, _ := c.Poll(t.Context(), "/api/v1/logs?limit=999")
			page.Memory.Release()
		}
		ask(quiet)
		held, err := gate.Take(t.Context(), 3<<20, false)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			go ask(poll(full))
		}
		synctest.Wait()
		asked := false
		go func() { ask(quiet); asked = true }()
		synctest.Wait()
		if !asked {
			t.Error("the quiet one waits for the first pages")
		}
		held.Release()
		close(goOn)
	})
}

// A page holds the memory of its body until it is released; an answer that is not a page
// holds none.
func TestMemoryOfAPage(t *testing.T) {
	large := "[" + strings.Repeat(`"0123456789",`, 1e5) + "1]"
	for _, test := range []struct {
		name, body string
		page       bool
	}{
		{"empty", "[]", true},
		{"large", large, true},
		{"cut", large[:len(large)/2], false},
		{"too large", large + strings.Repeat(" ", 1<<20), false},
		{"no gzip", "gzip", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			gate := &pipeline.Gate{Capacity: 4 << 20, Spare: 2 << 20}
			c := client(func(*http.Request) (*http.Response, error) {
				if test.body == "gzip" {
					return respond(200, test.body, "Content-Encoding", "gzip"), nil
				}
				return respond(200, test.body), nil
			})
			c.Memory, c.MaxBody = gate, 2<<20
			for range 2 {
				page, err := c.Poll(t.Context(), "/api/v1/logs?limit=1000")
				if (err == nil) != test.page {
					t.Fatal(err)
				}
				if used, least := gate.Used(), int64(page.Bytes); test.page && (used < least || used > 2*least+8) || !test.page && used != 0 {
					t.Errorf("%d are in use for %d bytes", used, least)
				}
				page.Memory.Release()
				if gate.Used() != 0 {
					t.Errorf("%d are in use after the release", gate.Used())
				}
			}
		})
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
