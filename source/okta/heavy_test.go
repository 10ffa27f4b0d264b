package okta

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/page"
)

// From the second failure in a row on, an org that can't serve a whole page in time is
// asked for less, and for more again when pages arrive; the next link asks for as much as
// ever.
func TestHeavyQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most := 200 // that the org can bring
		var asked []int
		serial := 0
		c := client(func(req *http.Request) (*http.Response, error) {
			limit := LimitOf(pipeline.Link(req.URL.RequestURI()))
			asked = append(asked, limit)
			if limit > most {
				switch serial++; serial % 3 {
				case 0:
					return respond(500, `{"errorCode":"E0000009","errorSummary":"Internal Server Error","errorCauses":[{"errorSummary":"The query took too long"}]}`), nil
				case 1:
					return respond(504, "<html><title>504 Gateway Time-out</title></html>"), nil
				}
				<-req.Context().Done() // a body that is slower than the request's time
				return nil, req.Context().Err()
			}
			after := len(asked)
			body := "[" + strings.TrimSuffix(strings.Repeat(`{"uuid":"a"},`, limit), ",") + "]"
			next := fmt.Sprintf(`<%s/api/v1/logs?limit=%d&after=%d>; rel="next"`, acme, limit, after)
			return respond(200, body, "Link", next, "X-Rate-Limit-Limit", "6000", "X-Rate-Limit-Remaining", "6000"), nil
		})
		c.Share = 1
		at := pipeline.Link("/api/v1/logs?limit=999&after=0")
		pages := func(n int) {
			t.Helper()
			for tries := 0; n > 0; tries++ {
				page, err := c.Poll(t.Context(), at)
				if err != nil {
					if tries > 100 {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					continue
				}
				if !page.Full || LimitOf(page.Next) != 999 {
					t.Errorf("a page of %d is full: %v, and leads to %s", len(page.Events), page.Full, page.Next)
				}
				at, n = page.Next, n-1
			}
		}
		expect := func(want ...int) {
			t.Helper()
			if got := slices.Compact(asked); !slices.Equal(got, want) {
				t.Errorf("asked for %v, want %v", got, want)
			}
			asked = nil
		}
		pages(1)
		if n := len(asked); n != 5 {
			t.Errorf("asked %d times for a page, want twice for the whole and twice for less: %v", n, asked)
		}
		expect(999, 499, 249, 124)
		pages(8)
		expect(124, 248, 124) // one failure tells that it was too early
		most = 999
		pages(8 * 5)
		expect(124, 248, 496, 992, 999)

		most = 0 // not even one
		for range 30 {
			if _, err := c.Poll(t.Context(), at); err == nil {
				t.Fatal("a page of an org that brings none")
			}
			time.Sleep(time.Second)
		}
		expect(999, 499, 249, 124, 62, 31, 15, 7, 3, 1)
	})
}

// Other failures make no page smaller.
func TestLightFailures(t *testing.T) {
	var h heavy
	for _, err := range []error{errors.New("no route to host"), &Error{Status: 503}, &Error{Status: 429}, &Error{Status: 500}, page.ErrTooLarge} {
		for range 5 {
			h.failed("/api/v1/logs?limit=999", err)
		}
	}
	if h != (heavy{}) {
		t.Errorf("%+v", h)
	}
}
