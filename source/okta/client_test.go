package okta

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/limiter"
)

const secret = "00SECRETtokenSECRET"

// answer is a scripted RoundTripper; it needs no socket, and so runs in a bubble.
type answer func(req *http.Request) (*http.Response, error)

func (a answer) RoundTrip(req *http.Request) (*http.Response, error) { return a(req) }

func respond(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

func zipped(body string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(body))
	_ = z.Close()
	return b.String()
}

func client(a answer) *Client {
	return &Client{Instance: "prod", Origin: acme, Credential: pipeline.NewSecret(secret), HTTP: &http.Client{Transport: a}}
}

func TestPoll(t *testing.T) {
	date := time.Date(2026, 8, 21, 8, 2, 45, 0, time.UTC)
	const link = "/api/v1/logs?filter=a+eq+%22b%22%26&limit=2&after=1"
	var got *http.Request
	var codes, drifts []string
	var budget pipeline.RateLimit
	c := client(func(req *http.Request) (*http.Response, error) {
		got = req
		return respond(200, zipped(`[{"uuid":"a","eventType":"t"},{"uuid":"b","published":"2026-08-21T08:02:45.120Z"}]`),
			"Content-Encoding", "gzip", "Date", date.Format(http.TimeFormat),
			"Link", `<https://acme.okta.com`+link+`>; rel="self"`, "Link", `<https://acme.okta.com/api/v1/logs?limit=2&after=2>; rel="next"`,
			"X-Rate-Limit-Limit", "120", "X-Rate-Limit-Remaining", "119", "X-Rate-Limit-Reset", strconv.FormatInt(date.Unix()+30, 10)), nil
	})
	c.UserAgent = "signal-client/1.2"
	c.Trace = &pipeline.Trace{
		Requested: func(instance, code string, _ time.Duration) { codes = append(codes, instance+" "+code) },
		Budget:    func(_ string, limit pipeline.RateLimit) { budget = limit },
		Drift:     func(field string) { drifts = append(drifts, field) },
	}
	page, err := c.Poll(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	if page.Link != link || page.Next != "/api/v1/logs?limit=2&after=2" || !page.Full || !page.Date.Equal(date) || page.Bytes != 82 {
		t.Errorf("page %+v", page)
	}
	if len(page.Events) != 2 || string(page.Events[0].Data) != `{"uuid":"a","eventType":"t"}` {
		t.Errorf("events %+v", page.Events)
	}
	if got.Method != "GET" || got.URL.String() != acme+link || got.URL.RequestURI() != link {
		t.Errorf("asked %s %s", got.Method, got.URL)
	}
	for name, want := range map[string]string{"Accept": "application/json", "Authorization": "SSWS " + secret,
		"Accept-Encoding": "gzip", "User-Agent": "signal-client/1.2"} {
		if got.Header.Get(name) != want {
			t.Errorf("header %s: %q", name, got.Header.Get(name))
		}
	}
	if !slices.Equal(codes, []string{"prod 200"}) || !slices.Equal(drifts, []string{"published", "eventType"}) || budget.Remaining != 119 {
		t.Errorf("trace: codes %q, drifts %q, budget %+v", codes, drifts, budget)
	}
}

func TestPollFull(t *testing.T) {
	for _, test := range []struct {
		link     pipeline.Link
		elements int
		full     bool
	}{
		{"/api/v1/logs?limit=3", 2, false}, {"/api/v1/logs?limit=3", 3, true}, {"/api/v1/logs?limit=3", 4, true},
		{"/api/v1/logs", 99, false}, {"/api/v1/logs", 100, true}, {"/api/v1/logs?limit=0", 0, false}, {"/api/v1/logs?limit=x", 99, false},
		{"/api/v1/logs?limited=1&after=limit", 5, false},
	} {
		c := client(func(*http.Request) (*http.Response, error) {
			return respond(200, "["+strings.TrimSuffix(strings.Repeat("{},", test.elements), ",")+"]"), nil
		})
		page, err := c.Poll(t.Context(), test.link)
		if err != nil || page.Full != test.full || page.Next != test.link {
			t.Errorf("%s with %d elements: full %v, next %q, %v", test.link, test.elements, page.Full, page.Next, err)
		}
	}
}

// An answer that is not a page is a transient error with a readable text.
func TestPollRefusesBodies(t *testing.T) {
	for _, test := range []struct {
		name string
		resp *http.Response
		want string
	}{
		{"HTML", respond(200, "<!DOCTYPE html>"), "not the beginning of a JSON array"},
		{"object", respond(200, "{}"), "not the beginning of a JSON array"},
		{"empty", respond(200, ""), "ends too early"},
		{"truncated", respond(200, `[{"uuid":"a"}`), "ends too early"},
		{"trailing", respond(200, `[] []`), "more follows"},
		{"no gzip", respond(200, "[]", "Content-Encoding", "gzip"), "inflate body"},
		{"large", respond(200, "["+strings.Repeat(" ", 1<<20)+"]"), "too large"},
		{"no content", respond(204, ""), "status 204"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var code string
			c := client(func(*http.Request) (*http.Response, error) { return test.resp, nil })
			c.MaxBody = 1 << 20
			c.Trace = &pipeline.Trace{Requested: func(_, folded string, _ time.Duration) { code = folded }}
			page, err := c.Poll(t.Context(), "/api/v1/logs")
			if err == nil || !strings.Contains(err.Error(), test.want) || page.Events != nil || page.Next != "" {
				t.Errorf("%+v, %v", page, err)
			}
			if code != "error" || isKnownKind(err) {
				t.Errorf("counted as %q, %v", code, err)
			}
		})
	}
}

func isKnownKind(err error) bool {
	return errors.Is(err, pipeline.ErrThrottled) || errors.Is(err, pipeline.ErrCredential) ||
		errors.Is(err, pipeline.ErrCursor) || errors.Is(err, pipeline.ErrLink) || errors.Is(err, pipeline.ErrConfig)
}

func TestPollCodes(t *testing.T) {
	for status, want := range map[int]string{400: "400", 401: "401", 403: "403", 429: "429", 500: "5xx", 503: "5xx", 404: "error", 302: "error"} {
		var code string
		c := client(func(*http.Request) (*http.Response, error) { return respond(status, ""), nil })
		c.Trace = &pipeline.Trace{Requested: func(_, folded string, _ time.Duration) { code = folded }}
		_, err := c.Poll(t.Context(), "/api/v1/logs")
		refusal, ok := errors.AsType[*Error](err)
		if !ok || refusal.Status != status || code != want {
			t.Errorf("status %d: code %q, %v", status, code, err)
		}
	}
}

// A page that is too large twice is requested in halves; the next link requests whole
// pages again.
func TestPollSqueezes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const link = "/api/v1/logs?since=x&limit=999&after=1"
		var asked []string
		c := client(func(req *http.Request) (*http.Response, error) {
			limit := req.URL.Query().Get("limit")
			asked = append(asked, limit)
			n, _ := strconv.Atoi(limit)
			next := fmt.Sprintf(`<%s/api/v1/logs?limit=%d&after=2>; rel="next"`, acme, n)
			return respond(200, "["+strings.TrimSuffix(strings.Repeat("{},", n), ",")+"]", "Link", next), nil
		})
		c.MaxBody = 900
		var page pipeline.Page
		for i := range 4 {
			var err error
			if page, err = c.Poll(t.Context(), link); (err == nil) != (i == 3) {
				t.Fatalf("poll %d: %v", i, err)
			}
		}
		if want := []string{"999", "999", "499", "249"}; !slices.Equal(asked, want) {
			t.Errorf("asked for %q, want %q", asked, want)
		}
		if page.Link != link || page.Next != "/api/v1/logs?limit=999&after=2" || !page.Full || len(page.Events) != 249 {
			t.Errorf("link %q, next %q, full %v, %d events", page.Link, page.Next, page.Full, len(page.Events))
		}
		asked = nil
		_, _ = c.Poll(t.Context(), page.Next)
		if !slices.Equal(asked, []string{"999"}) {
			t.Errorf("the next page is asked for with limit %q", asked)
		}
	})
}

func TestPollSqueezesToOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last string
		c := client(func(req *http.Request) (*http.Response, error) {
			last = req.URL.RawQuery
			return respond(200, "["+strings.Repeat(" ", 100)+"]"), nil
		})
		c.MaxBody = 50
		for range 15 {
			if _, err := c.Poll(t.Context(), "/api/v1/logs?after=1"); err == nil {
				t.Fatal("a page that is too large")
			}
		}
		if last != "after=1&limit=1" {
			t.Errorf("asked for %q at last", last)
		}
	})
}

func TestRestoreLimit(t *testing.T) {
	for _, test := range []struct{ next, want pipeline.Link }{
		{"/api/v1/logs?after=2&limit=499", "/api/v1/logs?after=2&limit=999"},
		{"/api/v1/logs?after=2", "/api/v1/logs?after=2"},
		{"/api/v1/logs?after=2&limit=100", "/api/v1/logs?after=2&limit=100"},
	} {
		if got := restoreLimit(test.next, 499, 999); got != test.want {
			t.Errorf("%q becomes %q", test.next, got)
		}
	}
}

func TestPollTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		began := time.Now()
		_, err := c.Poll(t.Context(), "/api/v1/logs")
		if err == nil || errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// A body that trickles is cut off too.
func TestPollSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(func(req *http.Request) (*http.Response, error) {
			resp := respond(200, "")
			resp.Body = io.NopCloser(trickle{req.Context()})
			return resp, nil
		})
		if _, err := c.Poll(t.Context(), "/api/v1/logs"); !errors.Is(err, source.ErrLate) {
			t.Error(err)
		}
	})
}

type trickle struct{ ctx context.Context }

func (tr trickle) Read(p []byte) (int, error) {
	if err := tr.ctx.Err(); err != nil {
		return 0, err
	}
	time.Sleep(time.Second)
	p[0] = ' '
	return 1, nil
}

func TestPollEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("shut down")
		ctx, cancel := context.WithCancelCause(t.Context())
		c := client(func(req *http.Request) (*http.Response, error) {
			cancel(why)
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		for range 2 { // in a request, and waiting for budget
			if _, err := c.Poll(ctx, "/api/v1/logs"); !errors.Is(err, why) {
				t.Errorf("ended with %v", err)
			}
		}
	})
}

// One request may be sent per answer: its budget is returned in any case.
func TestPollReturnsItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := errors.New("connection reset")
		c := client(func(*http.Request) (*http.Response, error) { return nil, failing })
		for range 20 {
			if _, err := c.Poll(t.Context(), "/api/v1/logs"); !errors.Is(err, failing) {
				t.Error(err)
			}
		}
		c.Credential = pipeline.Secret{}
		_, _ = c.Poll(t.Context(), "/api/v1/logs")
		if c.Limiter.InFlight() != 0 {
			t.Errorf("%d in flight", c.Limiter.InFlight())
		}
	})
}

// Two servers: the org, and one that must never receive a request.
func TestTokenStaysWithTheOrg(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a stranger was asked for %s with %q", r.URL, r.Header)
	}))
	defer stranger.Close()
	elsewhere := strings.TrimPrefix(stranger.URL, "http://")
	var jar int
	org := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		jar += len(r.Cookies())
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "1"})
		switch r.URL.Query().Get("after") {
		case "redirect":
			http.Redirect(w, r, stranger.URL+"/api/v1/logs", http.StatusFound)
		case "permanent":
			http.Redirect(w, r, stranger.URL+"/api/v1/logs", http.StatusPermanentRedirect)
		case "link":
			w.Header().Set("Link", "<"+stranger.URL+`/api/v1/logs?after=1>; rel="next"`)
			_, _ = io.WriteString(w, `[{"uuid":"a"}]`)
		case "userinfo":
			w.Header().Set("Link", "<http://"+r.Host+"@"+elsewhere+`/api/v1/logs?after=1>; rel="next"`)
			_, _ = io.WriteString(w, `[{"uuid":"a"}]`)
		default:
			_, _ = io.WriteString(w, `[]`)
		}
	}))
	defer org.Close()
	keep, _ := cookiejar.New(nil)
	c := &Client{Instance: "prod", Origin: org.URL, Credential: pipeline.NewSecret(secret), Limiter: new(limiter.Limiter), HTTP: &http.Client{Jar: keep}}
	for _, link := range []pipeline.Link{
		"/api/v1/logs?after=redirect", "/api/v1/logs?after=permanent", "/api/v1/logs?after=link", "/api/v1/logs?after=userinfo",
		pipeline.Link("@" + elsewhere + "/api/v1/logs"), pipeline.Link(".evil.example.com/api/v1/logs"), pipeline.Link(stranger.URL + "/api/v1/logs"), "",
	} {
		*c.Limiter = limiter.Limiter{}
		page, err := c.Poll(t.Context(), link)
		if err == nil || page.Events != nil || page.Next != "" {
			t.Errorf("link %q: %+v", link, page)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the token is in %q", err)
		}
		if after := param(string(link), "after"); after != "" && (isKnownKind(err) || !strings.Contains(err.Error(), elsewhere)) {
			t.Errorf("link %q: %v; want a transient error that names %s", link, err, elsewhere)
		}
	}
	*c.Limiter = limiter.Limiter{}
	if _, err := c.Poll(t.Context(), "/api/v1/logs?after=2"); err != nil || jar != 0 {
		t.Errorf("%v, %d cookies", err, jar)
	}
}

// An org, or a proxy in front of it, may echo what it received.
func TestTokenIsInNoError(t *testing.T) {
	for name, a := range map[string]answer{
		"envelope": func(*http.Request) (*http.Response, error) {
			return respond(401, `{"errorCode":"`+secret+`","errorSummary":"bad `+secret+`","errorId":"`+secret+`","errorCauses":[{"errorSummary":"`+secret+`"}]}`,
				"X-Okta-Request-Id", secret), nil
		},
		"text":      func(*http.Request) (*http.Response, error) { return respond(500, "you sent SSWS "+secret), nil },
		"redirect":  func(*http.Request) (*http.Response, error) { return respond(302, "", "Location", "//"+secret+"/"), nil },
		"transport": func(*http.Request) (*http.Response, error) { return nil, errors.New("bad header " + secret) },
		"link": func(*http.Request) (*http.Response, error) {
			return respond(200, "[]", "Link", "<https://evil.example.com/"+secret+">; rel=next"), nil
		},
		"encoding": func(*http.Request) (*http.Response, error) {
			return respond(200, "[]", "Content-Encoding", secret), nil
		},
	} {
		_, err := client(a).Poll(t.Context(), cursorLink)
		if err == nil || strings.Contains(strings.ToLower(fmt.Sprintf("%v %+v", err, err)), strings.ToLower(secret)) {
			t.Errorf("%s: %v", name, err)
		}
		if refusal, ok := errors.AsType[*Error](err); ok && strings.Contains(fmt.Sprintf("%#v", refusal), secret) {
			t.Errorf("%s: %#v", name, refusal)
		}
	}
}

// A token that occurs in our own words, such as a wrong one of one letter, does not hide
// the kind of a refusal.
func TestAnyTokenIsRefusedAsSuch(t *testing.T) {
	c := client(func(*http.Request) (*http.Response, error) { return respond(401, `{"errorCode":"E0000011"}`), nil })
	c.Credential = pipeline.NewSecret("t")
	if _, err := c.Poll(t.Context(), cursorLink); !errors.Is(err, pipeline.ErrCredential) {
		t.Error(err)
	}
}

func TestPollRefusesItsConfiguration(t *testing.T) {
	for _, token := range []string{"", "two\nlines", "ümlaut"} {
		c := client(func(*http.Request) (*http.Response, error) { return nil, errors.New("asked") })
		c.Credential = pipeline.NewSecret(token)
		if _, err := c.Poll(t.Context(), cursorLink); !errors.Is(err, pipeline.ErrConfig) {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

func TestPollCutShort(t *testing.T) {
	org := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `[{"uuid":"a"}]`)
	}))
	defer org.Close()
	c := &Client{Origin: org.URL, Credential: pipeline.NewSecret(secret)}
	if page, err := c.Poll(t.Context(), "/api/v1/logs"); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestStart(t *testing.T) {
	since := time.Date(2026, 8, 21, 10, 2, 45, 999_999_999, time.FixedZone("", 7200))
	got := Start(`eventType eq "a&b"`, 0, since)
	if want := pipeline.Link("/api/v1/logs?since=2026-08-21T08%3A02%3A45.999Z&sortOrder=ASCENDING&limit=999&filter=eventType+eq+%22a%26b%22"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := Start("", 7, since), pipeline.Link("/api/v1/logs?since=2026-08-21T08%3A02%3A45.999Z&sortOrder=ASCENDING&limit=7"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Positions hold the hash, so it must not change between releases.
func TestQuery(t *testing.T) {
	if Query("", 0) != Query("", 999) || Query("", 1) == Query("", 2) || Query("a", 1) == Query("b", 1) || Query("1", 1) == Query("", 11) {
		t.Error("queries are mixed up")
	}
	if got := Query(`eventType eq "a"`, 999); got != "3985adda60839aa7" {
		t.Errorf("hash %s", got)
	}
}

func BenchmarkPoll(b *testing.B) {
	body := zipped(string(samplePage(1000)))
	c := client(func(*http.Request) (*http.Response, error) {
		resp := respond(200, body, "Content-Encoding", "gzip", "Link", `<https://acme.okta.com/api/v1/logs?limit=999&after=2>; rel="next"`,
			"X-Rate-Limit-Limit", "1000000000", "X-Rate-Limit-Remaining", "1000000000")
		return resp, nil
	})
	b.ReportAllocs()
	for b.Loop() {
		c.Limiter = new(limiter.Limiter) // the budget is not what is measured
		if _, err := c.Poll(b.Context(), "/api/v1/logs?limit=999&after=1"); err != nil {
			b.Fatal(err)
		}
	}
}
