package oktatest

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// budget reads the rate-limit headers.
func budget(t *testing.T, a asked) (limit, remaining int, reset time.Time) {
	t.Helper()
	number := func(name string) int {
		n, err := strconv.Atoi(a.Header.Get(name))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return number("X-Rate-Limit-Limit"), number("X-Rate-Limit-Remaining"), time.Unix(int64(number("X-Rate-Limit-Reset")), 0)
}

func TestATokenHasHalfOfTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 4, Rate: Rate{PerMinute: 20}})
		for i := range 10 {
			if limit, remaining, _ := budget(t, ask(t, o, LogsPath)); limit != 20 || remaining != 19-i {
				t.Fatalf("request %d: limit %d, remaining %d", i, limit, remaining)
			}
		}
		a := ask(t, o, LogsPath)
		refusal(t, a, 429, "E0000047", "too many requests")
		_, remaining, reset := budget(t, a)
		if remaining != 10 {
			t.Errorf("remaining %d of the bucket, want 10", remaining)
		}
		if wait := reset.Sub(o.Now()); wait <= 0 || wait > time.Minute || reset.Unix()%60 == 0 {
			t.Errorf("the window ends in %v at %v", wait, reset)
		}
		time.Sleep(time.Until(reset))
		if _, remaining, _ := budget(t, ask(t, o, LogsPath)); remaining != 19 {
			t.Errorf("remaining %d in a new window, want 19", remaining)
		}
		if s := o.Stats(); s.Violations != 1 || s.MaxWindow != 10 {
			t.Errorf("%+v", s)
		}
	})
}

func TestHeadersMaySpeakOfTheShare(t *testing.T) {
	o := New(Config{Rate: Rate{PerMinute: 50, ShowShare: true}})
	if limit, remaining, _ := budget(t, ask(t, o, LogsPath)); limit != 25 || remaining != 24 {
		t.Errorf("limit %d, remaining %d; want 25 and 24", limit, remaining)
	}
}

func TestOthersUseTheBucketToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 4, Rate: Rate{PerMinute: 60, Others: 30}})
		_, _, reset := budget(t, ask(t, o, LogsPath))
		time.Sleep(time.Until(reset) + 30*time.Second)
		if _, remaining, _ := budget(t, ask(t, o, LogsPath)); remaining != 60-15-1 {
			t.Errorf("remaining %d, want 44", remaining)
		}
		o.Drain(100)
		refusal(t, ask(t, o, LogsPath), 429, "E0000047", "")
	})
}

func TestConcurrency429SaysZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Rate: Rate{Concurrent: 1}})
		o.SetFault(func(r Request) Fault { return Fault{Slow: time.Second * time.Duration(r.N%2)} })
		var wg sync.WaitGroup
		wg.Go(func() { ask(t, o, LogsPath) })
		synctest.Wait()
		a := ask(t, o, LogsPath)
		refusal(t, a, 429, "E0000047", "")
		if limit, remaining, _ := budget(t, a); limit != 0 || remaining != 0 {
			t.Errorf("limit %d, remaining %d; want 0 and 0", limit, remaining)
		}
		wg.Wait()
		if s := o.Stats(); s.Concurrency != 1 || s.Violations != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNoLimitHasNoHeaders(t *testing.T) {
	o := New(Config{Rate: Rate{PerMinute: -1}})
	if a := ask(t, o, LogsPath); a.StatusCode != 200 || a.Header.Get("X-Rate-Limit-Limit") != "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
}

func TestViolationsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no window ends in between
		o := New(Config{Rate: Rate{PerMinute: 2, Share: 1, Tell: true}})
		for range 3 {
			ask(t, o, LogsPath)
		}
		if events := o.Events(); len(events) != 1 || !matches(t, `eventType eq "system.operation.rate_limit.violation"`, events[0]) {
			t.Errorf("%d events in the log", len(events))
		}
	})
}

func TestTheOrgsClockMayBeAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Skew: time.Hour})
		a := ask(t, o, LogsPath)
		date, err := time.Parse(time.RFC1123, a.Header.Get("Date"))
		if err != nil || time.Until(date) < 59*time.Minute {
			t.Errorf("Date %v, %v", date, err)
		}
		if _, _, reset := budget(t, a); reset.Before(date) {
			t.Errorf("reset %v before Date %v", reset, date)
		}
	})
}
