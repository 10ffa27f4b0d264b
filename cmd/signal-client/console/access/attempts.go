package access

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"
)

// Failed logins that are let through: at first, and then one each pause.
const (
	userFailures = 10
	userPause    = time.Minute
	addrFailures = 30
	addrPause    = 10 * time.Second
)

// attempts limits logins per user and per address. Its memory is fixed, whoever tries: a
// user's failures are counted in one of many counters that a secret hash chooses.
type attempts struct {
	seed maphash.Seed

	mu           sync.Mutex
	users, addrs [4096]counter
}

// counter counts failures; one is forgotten each pause.
type counter struct {
	failures float64
	at       time.Time
}

func newAttempts() *attempts { return &attempts{seed: maphash.MakeSeed()} }

// Begin counts an attempt as failed until Succeeded takes that back, so that attempts at
// the same time can't exceed the limit. It returns how long to wait if there were too
// many.
func (a *attempts) Begin(user string, addr netip.Addr) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	u, n := a.counters(user, addr)
	u.forget(now, userPause)
	n.forget(now, addrPause)
	if wait := max(u.wait(userFailures, userPause), n.wait(addrFailures, addrPause)); wait > 0 {
		return wait
	}
	u.failures++
	n.failures++
	return 0
}

// Succeeded takes an attempt back.
func (a *attempts) Succeeded(user string, addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u, n := a.counters(user, addr)
	u.failures, n.failures = max(0, u.failures-1), max(0, n.failures-1)
}

func (a *attempts) counters(user string, addr netip.Addr) (u, n *counter) {
	if addr.Is6() { // whoever has one address of IPv6 has a network of them
		if network, err := addr.WithZone("").Prefix(64); err == nil {
			addr = network.Addr()
		}
	}
	return &a.users[a.place(user)], &a.addrs[a.place(addr.String())]
}

func (a *attempts) place(of string) uint64 { return maphash.String(a.seed, of) % uint64(len(a.users)) }

func (c *counter) forget(now time.Time, pause time.Duration) {
	if !c.at.IsZero() {
		c.failures = max(0, c.failures-float64(now.Sub(c.at))/float64(pause))
	}
	c.at = now
}

func (c *counter) wait(most float64, pause time.Duration) time.Duration {
	over := c.failures + 1 - most
	if over <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(over * float64(pause)))
}
