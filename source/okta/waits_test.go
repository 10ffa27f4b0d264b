package okta

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/limiter"
)

// A long wait of a live poll for the org's budget is reported with its end; a short wait,
// a wait for another request's answer, and waits of requests that are not urgent are not.
func TestPollTellsOfALongWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		told := map[string]time.Duration{}
		limiter := new(limiter.Limiter)
		poll := func(instance string, later bool) {
			c := client(func(*http.Request) (*http.Response, error) {
				time.Sleep(20 * time.Second)
				return respond(200, `[]`), nil
			})
			c.Instance, c.Limiter, c.Later = instance, limiter, later
			c.Trace = &pipeline.Trace{Waits: func(instance string, until time.Time) {
				mu.Lock()
				defer mu.Unlock()
				told[instance] = until.Sub(began)
			}}
			if _, err := c.Poll(t.Context(), "/api/v1/logs"); err != nil {
				t.Error(err)
			}
		}
		// What another process left of the window is less than our share.
		limiter.Merge(pipeline.Budget{Version: 1, Limit: 100, Remaining: 40, WindowEnds: began.Add(40 * time.Second)})
		var wg sync.WaitGroup
		wg.Go(func() { poll("waits", false) })
		wg.Go(func() { poll("backfills", true) })
		wg.Wait()
		if want := 41 * time.Second; told["waits"] != want || len(told) != 1 {
			t.Errorf("told %v, want that it waits until %s", told, want)
		}

		time.Sleep(2 * time.Minute)
		clear(told)
		wg.Go(func() { poll("asks", false) })
		wg.Go(func() { poll("waits for the answer", false) })
		wg.Wait()
		if len(told) != 0 {
			t.Errorf("told %v: no budget is used up", told)
		}
	})
}
