package oktatest

import (
	"net/http"
	"strconv"
	"time"
)

// Rate is an org's rate limit.
type Rate struct {
	PerMinute  int     // the org's limit; 0: 120; negative: no limit, and no headers
	Share      float64 // share of it per token; 0: half
	ShowShare  bool    // the headers show the token's share, not the org's limit
	Others     int     // requests per minute by other clients, evenly spread
	Concurrent int     // most requests in flight; 0: 75
	Tell       bool    // each 429 adds a violation event to the log, as Okta does
}

const window = time.Minute

func (r Rate) withDefaults() Rate {
	if r.PerMinute == 0 {
		r.PerMinute = 120
	}
	if r.Share == 0 {
		r.Share = 0.5
	}
	if r.Concurrent == 0 {
		r.Concurrent = 75
	}
	return r
}

// limiter counts requests in one-minute windows that are not aligned to the minute.
type limiter struct {
	Rate
	offset time.Duration // of the windows
	start  time.Time     // of the current window
	used   int           // by all known tokens
	drain  int           // by other clients, at once
	tokens map[string]int
}

func newLimiter(rate Rate, seed uint64) limiter {
	offset := chance(seed, chanceWindow, 0).Int64N(int64(window/time.Second)-1) + 1
	return limiter{Rate: rate, offset: time.Duration(offset) * time.Second}
}

// roll begins a new window when it is due.
func (l *limiter) roll(now time.Time) {
	start := now.Add(-l.offset).Truncate(window).Add(l.offset)
	if !start.Equal(l.start) {
		l.start, l.used, l.drain, l.tokens = start, 0, 0, make(map[string]int)
	}
}

// share returns what one token may use in a window.
func (l *limiter) share() int { return max(1, int(float64(l.PerMinute)*min(l.Share, 1))) }

// left returns what is left of the limit and of a token's share.
func (l *limiter) left(token string, now time.Time) (bucket, share int) {
	others := l.drain + int(int64(l.Others)*int64(now.Sub(l.start))/int64(window))
	return max(0, l.PerMinute-l.used-others), max(0, l.share()-l.tokens[token])
}

// take counts a request and sets the headers.
func (l *limiter) take(h http.Header, token string, now time.Time, inFlight int, stats *Stats) *apiError {
	l.roll(now)
	if inFlight > l.Concurrent {
		stats.Concurrency++
		l.set(h, 0, 0)
		return errRate
	}
	if l.PerMinute < 0 {
		return nil
	}
	bucket, share := l.left(token, now)
	if bucket == 0 || share == 0 {
		stats.Violations++
		l.show(h, token, now)
		return errRate
	}
	l.used++
	l.tokens[token]++
	stats.MaxWindow = max(stats.MaxWindow, l.tokens[token])
	l.show(h, token, now)
	return nil
}

// show sets the headers without counting.
func (l *limiter) show(h http.Header, token string, now time.Time) {
	if l.PerMinute < 0 {
		return
	}
	l.roll(now)
	bucket, share := l.left(token, now)
	if l.ShowShare {
		l.set(h, l.share(), min(bucket, share))
		return
	}
	l.set(h, l.PerMinute, bucket)
}

func (l *limiter) set(h http.Header, limit, remaining int) {
	h["X-Rate-Limit-Limit"] = []string{strconv.Itoa(limit)}
	h["X-Rate-Limit-Remaining"] = []string{strconv.Itoa(remaining)}
	h["X-Rate-Limit-Reset"] = []string{strconv.FormatInt(l.start.Add(window).Unix(), 10)}
}

func dropBudget(h http.Header) {
	for _, name := range []string{"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"} {
		delete(h, name)
	}
}

// Drain takes n requests from this window's limit, as another client would at once.
func (o *Org) Drain(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limiter.roll(o.Now())
	o.limiter.drain += n
}

// SetRate changes the rate limit; the current window's usage stays.
func (o *Org) SetRate(rate Rate) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limiter.Rate = rate.withDefaults()
}
