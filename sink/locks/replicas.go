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
	Locks    map[string]Lock    // by the instance's key, void ones included
}

// Holder returns the live replica that holds an instance's lock; empty: none does.
func (r Replicas) Holder(key string) string {
	lock := r.Locks[key]
	if lock.Session == "" || r.Sessions[lock.Holder].ID != lock.Session {
		return ""
	}
	return lock.Holder
}

// ReadReplicas reads the bucket LOCKS once. A value that can't be read is left out.
func ReadReplicas(ctx context.Context, store *jets.Store) (Replicas, error) {
	r := NewReplicas()
	err := store.Conn.Each(ctx, jets.BucketLocks, ">", false, func(e jets.KVEntry) { r.Told(store, e) })
	return r, err
}

// NewReplicas returns an empty Replicas; Told fills it.
func NewReplicas() Replicas {
	return Replicas{Sessions: map[string]Session{}, Locks: map[string]Lock{}}
}

// Told adds a value of LOCKS.
func (r Replicas) Told(store *jets.Store, e jets.KVEntry) {
	var session Session
	var lock Lock
	if e.Gone {
		return
	}
	if replica, ok := strings.CutPrefix(e.Key, sessionPrefix); ok && json.Unmarshal(e.Value, &session) == nil {
		session.RenewedAt, session.TTL = e.At, e.TTL
		r.Sessions[replica] = session
	}
	if kind, _ := store.InstanceOf(e.Key); kind != nil && json.Unmarshal(e.Value, &lock) == nil {
		r.Locks[e.Key] = lock
	}
}

// HeldBy lists the keys of the instances that a live session of the replica holds.
func (r Replicas) HeldBy(replica string) []string {
	var held []string
	for key := range r.Locks {
		if r.Holder(key) == replica {
			held = append(held, key)
		}
	}
	slices.Sort(held)
	return held
}
