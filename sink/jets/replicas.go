package jets

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// Replicas is which processes are alive and which locks they hold.
type Replicas struct {
	Sessions map[string]Session // live ones, by replica
	Locks    map[string]Lock    // by instance, void ones included
}

// Held reports whether a live session holds an instance's lock.
func (r Replicas) Held(instance string) bool {
	lock := r.Locks[instance]
	return lock.Session != "" && r.Sessions[lock.Holder].ID == lock.Session
}

// ReadReplicas reads the bucket LOCKS once. A value that can't be read is left out.
func ReadReplicas(ctx context.Context, conn *Conn) (Replicas, error) {
	r := newReplicas()
	err := conn.each(ctx, BucketLocks, ">", false, r.told)
	return r, err
}

func newReplicas() Replicas {
	return Replicas{Sessions: map[string]Session{}, Locks: map[string]Lock{}}
}

// told adds a value of LOCKS.
func (r Replicas) told(e kvEntry) {
	var session Session
	var lock Lock
	if e.gone {
		return
	}
	if replica, ok := strings.CutPrefix(e.key, sessionPrefix); ok && json.Unmarshal(e.value, &session) == nil {
		session.RenewedAt, session.TTL = e.at, e.ttl
		r.Sessions[replica] = session
	}
	if instance, ok := strings.CutPrefix(e.key, keyPrefix); ok && json.Unmarshal(e.value, &lock) == nil {
		r.Locks[instance] = lock
	}
}

// HeldBy lists the instances that a live session of the replica holds.
func (r Replicas) HeldBy(replica string) []string {
	var held []string
	for instance, lock := range r.Locks {
		if lock.Holder == replica && r.Held(instance) {
			held = append(held, instance)
		}
	}
	slices.Sort(held)
	return held
}
