package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// gateUsers are users of a gate, each in a goroutine of its own, in a bubble.
type gateUsers struct {
	*testing.T
	gate *Gate

	mu     sync.Mutex
	in     []string // who went in
	grants map[string]*Grant
	wg     sync.WaitGroup
}

// withGateUsers runs a test in a bubble. No one may be left waiting, nor anything in use.
func withGateUsers(t *testing.T, gate *Gate, test func(c *gateUsers)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &gateUsers{T: t, gate: gate, grants: map[string]*Grant{}}
		test(c)
		for names := c.holders(); len(names) > 0; names = c.holders() {
			c.release(names[0])
		}
		c.wg.Wait()
		if used := gate.Used(); used != 0 {
			t.Errorf("%d are in use in the end", used)
		}
	})
}

// take asks for a grant, and waits if it must.
func (c *gateUsers) take(ctx context.Context, name string, n int64, drains bool) {
	c.do(name, func() (*Grant, error) { return c.gate.Take(ctx, n, drains) })
}

// resize changes a grant's size.
func (c *gateUsers) resize(ctx context.Context, name string, n int64) {
	c.mu.Lock()
	t := c.grants[name]
	c.mu.Unlock()
	c.do(name+" again", func() (*Grant, error) { return nil, t.Resize(ctx, n) })
}

func (c *gateUsers) do(name string, f func() (*Grant, error)) {
	c.wg.Go(func() {
		t, err := f()
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			name += ": " + err.Error()
		}
		if t != nil {
			c.grants[name] = t
		}
		c.in = append(c.in, name)
	})
	synctest.Wait()
}

func (c *gateUsers) release(name string) {
	c.let(name)
	synctest.Wait()
}

// let releases a grant and looks at nothing that follows.
func (c *gateUsers) let(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grants[name].Release()
	delete(c.grants, name)
}

// holders are those who are in.
func (c *gateUsers) holders() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.grants))
}

func (c *gateUsers) has(name string) bool { return slices.Contains(c.holders(), name) }

// want checks who went in since it was last asked. Of those who went at once it
// can't be told who was first.
func (c *gateUsers) want(names ...string) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(names)
	if slices.Sort(c.in); !slices.Equal(c.in, names) {
		c.Errorf("went in: %q, want %q", c.in, names)
	}
	c.in = nil
}

func TestGateBounds(t *testing.T) {
	withGateUsers(t, &Gate{Capacity: 10}, func(c *gateUsers) {
		c.take(c.Context(), "six", 6, false)
		c.take(c.Context(), "five", 5, false)
		c.take(c.Context(), "four", 4, false) // would fit, but five came first
		c.want("six")
		if n := c.gate.Waiting(); n != 2 {
			c.Errorf("%d wait, want 2", n)
		}
		c.release("six")
		c.want("five", "four")
		if used := c.gate.Used(); used != 9 {
			c.Errorf("%d are in use, want 9", used)
		}
	})
}

func TestGateWithoutBound(t *testing.T) {
	withGateUsers(t, &Gate{}, func(c *gateUsers) {
		c.take(c.Context(), "much", 1<<40, true)
		c.resize(c.Context(), "much", 1<<41)
		c.want("much", "much again")
	})
	grant, err := (*Gate)(nil).Take(t.Context(), 1, false)
	if grant != nil || err != nil || grant.Resize(t.Context(), 2) != nil || (*Gate)(nil).Used() != 0 || (*Gate)(nil).Waiting() != 0 {
		t.Errorf("no gate at all: %v, %v", grant, err)
	}
	grant.Release()
}

func TestGateQuietGoFirst(t *testing.T) {
	withGateUsers(t, &Gate{Capacity: 1}, func(c *gateUsers) {
		c.take(c.Context(), "first", 1, true)
		for i := range 3 {
			c.take(c.Context(), fmt.Sprint("drains ", i), 1, true)
		}
		c.take(c.Context(), "quiet", 1, false)
		c.want("first")
		c.release("first")
		c.want("quiet")
		c.release("quiet")
		c.want("drains 0")
		c.release("drains 0")
		c.want("drains 1")
	})
}

// However many quiet users there are, a draining one gets its turn.
func TestGateStarvesNobody(t *testing.T) {
	withGateUsers(t, &Gate{Capacity: 1}, func(c *gateUsers) {
		c.take(c.Context(), "0", 1, false)
		c.take(c.Context(), "drains", 1, true)
		c.take(c.Context(), "1", 1, false)
		n := 0
		for ; !c.has("drains") && n < 100; n++ {
			c.take(c.Context(), fmt.Sprint(n+2), 1, false)
			c.release(fmt.Sprint(n))
		}
		if n != patience+1 {
			c.Errorf("%d went before it, want %d", n, patience+1)
		}
	})
}

// A draining user that does not fit yet is not overtaken for ever either.
func TestGateStarvesNobodyLarge(t *testing.T) {
	withGateUsers(t, &Gate{Capacity: 10}, func(c *gateUsers) {
		c.take(c.Context(), "0", 1, false)
		c.take(c.Context(), "drains", 10, true)
		n := 0
		for ; !c.has("drains") && n < 100; n++ {
			c.take(c.Context(), fmt.Sprint(n+1), 1, false)
			c.release(fmt.Sprint(n))
			if n >= patience && !c.has("drains") {
				c.Fatalf("%d are in use, and it still waits", c.gate.Used())
			}
		}
	})
}

func TestGateLetsTheLargeInAlone(t *testing.T) {
	withGateUsers(t, &Gate{Capacity: 10}, func(c *gateUsers) {
		c.take(c.Context(), "small", 1, false)
		c.take(c.Context(), "large", 100, false)
		c.take(c.Context(), "next", 1, false)
		c.want("small")
		c.release("small")
		c.want("large")
		c.release("large")
		c.want("next")
	})
}

func TestGateGivenUp(t *testing.T) {
	withGateUsers(t, &Gate{Capacity: 10}, func(c *gateUsers) {
		over, end := context.WithCancelCause(c.Context())
		c.take(c.Context(), "first", 10, false)
		c.take(over, "given up", 10, false)
		c.take(c.Context(), "behind it", 3, false)
		end(errors.New("over"))
		synctest.Wait()
		c.release("first")
		c.want("first", "given up: over", "behind it")
		c.take(over, "too late", 1, false) // though there is room
		c.want("too late: over")
	})
}

// A user that is let in at the very moment at which it gives up holds nothing.
func TestGateGivenUpAsItOpens(t *testing.T) {
	for range 100 {
		withGateUsers(t, &Gate{Capacity: 1}, func(c *gateUsers) {
			over, end := context.WithCancelCause(c.Context())
			c.take(c.Context(), "first", 1, false)
			c.take(over, "given up", 1, false)
			c.take(c.Context(), "behind it", 1, false)
			c.let("first")
			end(errors.New("over"))
			synctest.Wait()
			if c.has("given up") {
				c.release("given up")
			}
			if !c.has("behind it") {
				c.Errorf("nobody is in: %q", c.in)
			}
		})
	}
}

func TestGrantReleasedTwice(t *testing.T) {
	withGateUsers(t, &Gate{Capacity: 10}, func(c *gateUsers) {
		c.take(c.Context(), "a", 4, false)
		c.take(c.Context(), "b", 4, false)
		c.mu.Lock()
		a := c.grants["a"]
		c.mu.Unlock()
		c.release("a")
		a.Release()
		if used := c.gate.Used(); used != 4 {
			c.Errorf("%d are in use, want 4", used)
		}
	})
}

// Two users that want more than there is do not wait for each other for ever: one goes on
// in the spare part, within Capacity.
func TestGrantGrows(t *testing.T) {
	withGateUsers(t, &Gate{Capacity: 20, Spare: 8}, func(c *gateUsers) {
		c.take(c.Context(), "a", 6, false)
		c.take(c.Context(), "b", 6, true)
		c.take(c.Context(), "c", 1, false)
		c.resize(c.Context(), "a", 7)
		c.resize(c.Context(), "b", 7) // waits: a is in the spare part
		c.resize(c.Context(), "a", 8) // does not: it is a
		c.want("a", "b", "a again", "a again")
		c.resize(c.Context(), "a", 7) // less, but b must wait all the same
		c.want("a again")
		c.release("a")
		c.want("b again", "c") // who grows goes first
		if used := c.gate.Used(); used != 8 {
			c.Errorf("%d are in use, want 8", used)
		}
	})
}

func TestGrantKeepsItsSizeWhenGivenUp(t *testing.T) {
	withGateUsers(t, &Gate{Capacity: 10}, func(c *gateUsers) {
		over, end := context.WithCancelCause(c.Context())
		c.take(c.Context(), "a", 5, false)
		c.take(c.Context(), "b", 5, false)
		c.resize(c.Context(), "a", 6)
		c.resize(over, "b", 9)
		end(errors.New("over"))
		synctest.Wait()
		c.want("a", "b", "a again", "b again: over")
		c.release("b")
		if used := c.gate.Used(); used != 6 {
			c.Errorf("%d are in use, want 6", used)
		}
	})
}
