package sim

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// logbook is who asked an org for an instance, and who held its lock, and when.
// It judges as it goes.
type logbook struct {
	mu     sync.Mutex
	asked  map[string][]request // by instance, as they began, but for those of replicas that can't know better
	asking map[string]map[*request]bool
	held   map[string]map[*tenure]bool
	takes  int // locks taken
	twice  []clash
}

type request struct {
	replica *replica
	from    time.Time
}

type tenure struct {
	replica *replica
	name    string // of the replica then, in the fleet
	from    time.Time
}

// clash is two replicas that polled one instance at once.
type clash struct {
	instance   string
	old, young string
	since      time.Duration // that the young one had the lock, or asked
	outdated   bool          // the old one had just woken, or is asleep
}

func (o clash) String() string {
	return fmt.Sprintf("%s asks for %s, which %s has had for %v (outdated: %v)", o.old, o.instance, o.young, o.since, o.outdated)
}

// instant is how much later the news of a lock may be dealt with in a bubble, where
// all that is not waited for takes no time.
const instant = 10 * time.Millisecond

func newLogbook() *logbook {
	return &logbook{asked: map[string][]request{}, asking: map[string]map[*request]bool{}, held: map[string]map[*tenure]bool{}}
}

// asks notes that a request begins; what it returns, that it has ended.
func (l *logbook) asks(instance string, r *replica) (ended func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !r.outdated() && !(r.proxy.Fresh() && !r.w.calm.Load()) {
		l.asked[instance] = append(l.asked[instance], request{r, now})
	}
	var mine time.Time
	for t := range l.held[instance] {
		if t.replica == r && t.from.After(mine) {
			mine = t.from
		}
	}
	for t := range l.held[instance] {
		if had := now.Sub(t.from); t.replica != r && t.from.After(mine) && had > instant {
			l.twice = append(l.twice, clash{instance, r.name, t.replica.name, had, r.outdated()})
		}
	}
	q := &request{r, now}
	add(l.asking, instance, q)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.asking[instance], q)
		for other := range l.asking[instance] {
			if both := min(time.Since(q.from), time.Since(other.from)); other.replica != r && both > instant && !r.dead.Load() && !other.replica.dead.Load() {
				l.twice = append(l.twice, clash{instance, r.name, other.replica.name, both, r.outdated() || other.replica.outdated()})
			}
		}
	}
}

// holds notes that a lock was taken; what it returns, that its hold has ended.
func (l *logbook) holds(instance string, r *replica) (ended func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.takes++
	t := &tenure{r, r.locks.Load().Replica(), time.Now()}
	add(l.held, instance, t)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held[instance], t)
	}
}

func add[K comparable](m map[string]map[K]bool, instance string, k K) {
	if m[instance] == nil {
		m[instance] = map[K]bool{}
	}
	m[instance][k] = true
}

// holders are the replicas that hold an instance.
func (l *logbook) holders(instance string) []*replica {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*replica
	for t := range maps.Keys(l.held[instance]) {
		list = append(list, t.replica)
	}
	return list
}

// between lists when the requests for an instance began that did within a time;
// but for those of one replica, unless that is nil.
func (l *logbook) between(instance string, from, to time.Time, but *replica) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []time.Time
	for _, q := range l.asked[instance] {
		if !q.from.Before(from) && q.from.Before(to) && q.replica != but {
			list = append(list, q.from)
		}
	}
	return list
}

// since counts the requests for an instance that began at a time or later.
func (l *logbook) since(instance string, at time.Time) int {
	return len(l.between(instance, at, time.Now().Add(1), nil))
}

func (l *logbook) taken() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.takes
}

func (l *logbook) clashes() []clash {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.twice)
}
