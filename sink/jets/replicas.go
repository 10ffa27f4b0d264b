package jets

import (
	"context"
	"encoding/json"
	"strings"
)

// Replicas is who is alive and who holds what.
type Replicas struct {
	Sessions map[string]Session // by replica: those that are alive
	Locks    map[string]Lock    // by instance, void ones included
}

// Held reports whether a live session holds an instance's lock.
func (r Replicas) Held(instance string) bool {
	lock := r.Locks[instance]
	return lock.Session != "" && r.Sessions[lock.Holder].ID == lock.Session
}

// Replicas reads the bucket LOCKS once. A value that can't be read is left out.
func (s *Store) Replicas(ctx context.Context) (Replicas, error) {
	r := Replicas{Sessions: map[string]Session{}, Locks: map[string]Lock{}}
	err := s.Conn.each(ctx, BucketLocks, ">", false, func(e kvEntry) {
		var session Session
		var lock Lock
		if e.gone {
			return
		}
		if replica, ok := strings.CutPrefix(e.key, sessionPrefix); ok && json.Unmarshal(e.value, &session) == nil {
			r.Sessions[replica] = session
		}
		if instance, ok := strings.CutPrefix(e.key, keyPrefix); ok && json.Unmarshal(e.value, &lock) == nil {
			r.Locks[instance] = lock
		}
	})
	return r, err
}
