package access

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever guesses a user's password from many addresses, or many users' from one, soon
// waits; nobody else does.
func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		address := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)) }
		a := newAttempts()
		for i := range userFailures {
			if wait := a.Begin("alice", address(i)); wait > 0 {
				t.Fatalf("attempt %d waits %v", i, wait)
			}
		}
		if wait := a.Begin("alice", address(100)); wait != userPause {
			t.Errorf("one more on a user: %v", wait)
		}
		if wait := a.Begin("bob", address(1)); wait > 0 {
			t.Errorf("another user: %v", wait)
		}
		time.Sleep(userPause)
		if a.Begin("alice", address(101)) > 0 || a.Begin("alice", address(101)) == 0 {
			t.Error("a pause is good for one attempt")
		}
		time.Sleep(time.Hour)
		for range 3 * userFailures { // who knows the password is never kept out
			if a.Begin("alice", address(1)) > 0 {
				t.Fatal("successes are counted")
			}
			a.Succeeded("alice", address(1))
		}
		for i := range addrFailures {
			if wait := a.Begin(strconv.Itoa(i), netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i))); wait > 0 {
				t.Fatalf("attempt %d from a network waits %v", i, wait)
			}
		}
		if wait := a.Begin("carol", netip.MustParseAddr("2001:db8::ffff")); wait != addrPause {
			t.Errorf("one more from a network: %v", wait)
		}
		if wait := a.Begin("carol", netip.MustParseAddr("2001:db9::1")); wait > 0 {
			t.Errorf("from another one: %v", wait)
		}
	})
}

// Brute force by the form ends in 429, also with the right password, and also at the same
// time.
func TestBruteForce(t *testing.T) {
	f := withPasswords(t)
	done := make(chan int)
	for range 2 * userFailures {
		go func() { done <- f.login(f.browser(), "alice", "guess").status }()
	}
	count := map[int]int{}
	for range 2 * userFailures {
		count[<-done]++
	}
	if count[http.StatusUnauthorized] != userFailures || count[http.StatusTooManyRequests] != userFailures {
		t.Errorf("answers %v", count)
	}
	got := f.login(f.browser(), "alice", "open sesame")
	if after, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != http.StatusTooManyRequests || err != nil || after < 1 {
		t.Errorf("%d, %v", got.status, got.header)
	}
	if got := f.login(f.browser(), "bob", "friend"); got.status != http.StatusSeeOther {
		t.Errorf("another user: %d", got.status)
	}
}

// The address that a reverse proxy names counts, and nobody else's word.
func TestAddressBehindProxy(t *testing.T) {
	a, err := New(Config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{"10.1.2.3:99": "198.51.100.7", "192.0.2.1:99": "192.0.2.1", "[::ffff:10.0.0.1]:1": "198.51.100.7"} {
		r := newRequest(t, "/")
		r.RemoteAddr = from
		r.Header.Set("X-Forwarded-For", "203.0.113.9, 198.51.100.7")
		if got := a.addressOf(r).String(); got != want {
			t.Errorf("from %s: got %s, want %s", from, got, want)
		}
	}
}
