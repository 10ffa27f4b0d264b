package locks

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/sink/jets"
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
func ReadReplicas(ctx context.Context, store *jets.Store) (Replicas, error) {
	r := NewReplicas()
	err := store.Conn.Each(ctx, jets.BucketLocks, ">", false, func(e jets.KVEntry) { r.Told(store.Kind.Name, e) })
	return r, err
}

// NewReplicas returns an empty Replicas; Told fills it.
func NewReplicas() Replicas {
	return Replicas{Sessions: map[string]Session{}, Locks: map[string]Lock{}}
}

// Told adds a value of LOCKS.
func (r Replicas) Told(kind string, e jets.KVEntry) {
	var session Session
	var lock Lock
	if e.Gone {
		return
	}
	if replica, ok := strings.CutPrefix(e.Key, sessionPrefix); ok && json.Unmarshal(e.Value, &session) == nil {
		session.RenewedAt, session.TTL = e.At, e.TTL
		r.Sessions[replica] = session
	}
	if instance, ok := jets.KeyInstance(kind, e.Key); ok && json.Unmarshal(e.Value, &lock) == nil {
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
