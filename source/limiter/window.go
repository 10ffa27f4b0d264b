package limiter

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

const (
	// windowLength is that of Okta's rate-limit windows, which are not aligned.
	windowLength = time.Minute
	// maxPause is the longest wait that an answer can ask for; minPause is the shortest.
	maxPause = 2 * time.Minute
	minPause = time.Second
)

// budget is what one answer's headers say about the org's rate limit.
type budget struct {
	shown      bool // limit and remaining were present
	limit      int
	remaining  int
	reset      int64         // Unix seconds; 0: absent or absurd
	left       time.Duration // time left in the window, by the org's own clock; may be negative
	sure       bool          // left comes from the headers; it is not a guess
	retryAfter time.Duration // 0: absent
}

// readBudget reads an answer's headers, by the org's clock: Date.
func readBudget(h http.Header) budget {
	limit, hasLimit := least(h, "X-Rate-Limit-Limit")
	remaining, hasRemaining := least(h, "X-Rate-Limit-Remaining")
	b := budget{
		shown:      hasLimit && hasRemaining,
		limit:      int(limit),
		remaining:  int(min(limit, remaining)),
		left:       windowLength,
		retryAfter: RetryAfter(h),
	}
	// Larger numbers are milliseconds or garbage.
	if reset, ok := least(h, "X-Rate-Limit-Reset"); ok && reset < 1<<36 {
		b.reset = reset
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil && b.reset > 0 {
		b.left, b.sure = time.Unix(b.reset, 0).Sub(date), true
	}
	return b
}

// least returns the smallest number of a header that may occur more than once.
func least(h http.Header, name string) (n int64, ok bool) {
	for _, value := range h.Values(name) {
		for field := range strings.SplitSeq(value, ",") {
			m, err := strconv.ParseInt(strings.TrimSpace(field), 10, 64)
			if err != nil || m < 0 || m > math.MaxInt32 && name != "X-Rate-Limit-Reset" {
				continue
			}
			if !ok || m < n {
				n, ok = m, true
			}
		}
	}
	return n, ok
}

// RetryAfter reads Retry-After, in seconds or as a date; 0: none.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	date, dateErr := http.ParseTime(h.Get("Date"))
	if err != nil || dateErr != nil {
		return 0
	}
	return max(0, at.Sub(date))
}

// concurrency reports whether a 429 is about concurrent requests, not about a window's.
func (b budget) concurrency() bool { return b.shown && b.limit == 0 }

// rateLimit returns the budget for status and metrics.
func (b budget) rateLimit() (pipeline.RateLimit, bool) {
	limit := pipeline.RateLimit{Limit: b.limit, Remaining: b.remaining}
	if b.reset > 0 {
		limit.Reset = time.Unix(b.reset, 0).UTC()
	}
	return limit, b.shown && b.limit > 0
}

// window is the org's current rate-limit window as far as it is known.
type window struct {
	reset     int64 // the Reset header that identifies it
	limit     int
	remaining int       // as last shown, minus requests known since
	ends      time.Time // by the local clock: the earliest estimate
}

// spare returns how many requests of a share may still be sent.
func (w window) spare(share float64) int { return w.remaining - kept(w.limit, share) }

// kept returns how many requests of a limit stay free: the others' part, and one at least:
// the last one mails the org's administrators.
func kept(limit int, share float64) int {
	others := int(math.Floor(float64(limit)*(1-min(share, 1)) + 1e-9))
	return min(max(others, 1), max(limit-1, 0))
}

// halfWindow, in seconds, separates the Resets of two windows from two Resets of one,
// which an org may recompute with each answer.
const halfWindow = int64(windowLength/time.Second) / 2

// after reports whether w is a later window than v, by their Resets.
func (w window) after(v window) bool { return v.reset != 0 && w.reset > v.reset+halfWindow }

func (w window) same(v window) bool {
	return w.reset != 0 && v.reset != 0 && !w.after(v) && !v.after(w)
}
