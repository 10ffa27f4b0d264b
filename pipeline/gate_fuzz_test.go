package pipeline

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// FuzzGate lets users come, grow, give up and leave as the input says. At any time what
// is in use is the sum of what they hold, and within the limit; nobody waits without
// need; and somebody is in who waits for nothing.
func FuzzGate(f *testing.F) {
	f.Add([]byte("take and take and take again, and then grow and grow"))
	f.Add([]byte{0, 7, 0, 7, 0, 7, 2, 7, 2, 7, 2, 7, 3, 0, 3, 0, 3, 0})
	f.Add([]byte{0, 1, 1, 3, 0, 2, 2, 6, 4, 0, 2, 6, 3, 1, 0, 5, 1, 7, 5, 1, 3, 0})
	f.Fuzz(func(t *testing.T, input []byte) {
		synctest.Test(t, func(t *testing.T) {
			m := &gateModel{T: t, gate: &Gate{Capacity: 20, Spare: 8}}
			for ops := range slices.Chunk(input[:min(len(input)/2*2, 400)], 2) { // the checks take long for more
				m.do(ops[0], ops[1])
				synctest.Wait()
				m.check()
			}
			m.empty()
		})
	})
}

// gateModel is a gate with its users.
type gateModel struct {
	*testing.T
	gate *Gate

	mu    sync.Mutex
	users []*gateUser
}

type gateUser struct {
	grant   *Grant // nil: it is not in
	waiting bool
	gone    bool
	giveUp  context.CancelFunc
}

func (m *gateModel) do(op, arg byte) {
	switch n := int64(arg%8) + 1; op % 6 {
	case 0, 1:
		u := new(gateUser)
		m.users = append(m.users, u)
		m.wait(u, func(ctx context.Context) (*Grant, error) { return m.gate.Take(ctx, n, op%6 == 1) })
	case 2, 3:
		if u := m.pick(arg, func(u *gateUser) bool { return u.grant != nil && !u.waiting }); u != nil {
			m.wait(u, func(ctx context.Context) (*Grant, error) { return u.grant, u.grant.Resize(ctx, n) })
		}
	case 4:
		if u := m.pick(arg, func(u *gateUser) bool { return u.grant != nil && !u.waiting }); u != nil {
			u.grant.Release()
			u.grant, u.gone = nil, true
		}
	case 5:
		if u := m.pick(arg, func(u *gateUser) bool { return u.waiting }); u != nil {
			u.giveUp()
		}
	}
}

// pick is one of those that are asked for.
func (m *gateModel) pick(arg byte, asked func(*gateUser) bool) *gateUser {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := slices.DeleteFunc(slices.Clone(m.users), func(u *gateUser) bool { return !asked(u) })
	if len(found) == 0 {
		return nil
	}
	return found[int(arg>>3)%len(found)]
}

// wait does what may have to wait.
func (m *gateModel) wait(u *gateUser, f func(context.Context) (*Grant, error)) {
	ctx, cancel := context.WithCancel(m.Context())
	u.waiting, u.giveUp = true, cancel
	go func() {
		defer cancel()
		grant, err := f(ctx)
		m.mu.Lock()
		defer m.mu.Unlock()
		u.waiting = false
		if err == nil {
			u.grant = grant
		} else if u.grant == nil {
			u.gone = true
		}
	}()
}

func (m *gateModel) check() {
	m.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	held, free, in := int64(0), 0, 0
	for _, u := range m.users {
		if u.grant == nil {
			continue
		}
		held += u.grant.size
		if in++; !u.waiting {
			free++
		}
	}
	if held != m.gate.Used() || held > m.gate.Capacity {
		m.Fatalf("%d are in use, the users hold %d of %d", m.gate.Used(), held, m.gate.Capacity)
	}
	if in > 0 && free == 0 {
		m.Fatalf("all %d that are in wait for each other", in)
	}
	if next := m.gate.next(); next != nil && m.gate.fits(next.Value.(*waiter)) {
		m.Fatalf("one waits that could go: %+v", next.Value)
	}
}

// empty lets all go, one after another: so all get in.
func (m *gateModel) empty() {
	for range 2 * len(m.users) {
		m.do(4, 0)
		synctest.Wait()
		m.check()
	}
	for _, u := range m.users {
		if !u.gone {
			m.Fatalf("it never got in: %+v", u)
		}
	}
}
