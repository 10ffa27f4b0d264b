package embedded

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrNoRoom: only the reserve is left on the disk.
var ErrNoRoom = errors.New("no room in the store")

// The reserve is a twentieth of the disk within these bounds, and never more than a
// quarter of it. A page mostly has 1 MB and is written twice; the buckets of thousands of
// orgs have some 10 MB.
const (
	leastReserve = 128 << 20
	mostReserve  = 2 << 30
)

// Room is the space on the store's disk.
type Room struct {
	Free, Total uint64 // bytes
	Reserve     uint64 // of Free: not for events
}

// Left returns what events may still use.
func (r Room) Left() uint64 { return r.Free - min(r.Free, r.Reserve) }

// RoomOf returns the space on a directory's disk, and the reserve that a server there
// would keep. It returns an error if the system does not tell.
func RoomOf(dir string) (Room, error) {
	free, total, err := diskLeft(dir)
	if err != nil {
		return Room{}, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	reserve := min(max(total/20, leastReserve), mostReserve, total/4)
	return Room{Free: free, Total: total, Reserve: reserve}, nil
}

// disk is the file system of a directory.
type disk struct {
	dir  string
	held atomic.Bool // events are held back until somewhat more than the reserve is free
}

// short returns ErrNoRoom, with figures, while events are held back.
func (d *disk) short() error {
	r, err := RoomOf(d.dir)
	if err != nil {
		return nil // like no bound: a full disk shows when a write fails
	}
	least := r.Reserve
	if d.held.Load() {
		least += r.Reserve / 4
	}
	d.held.Store(r.Free < least)
	if r.Free >= least {
		return nil
	}
	return fmt.Errorf("%w: %d MB of %d MB are left on the disk of %s, and %d MB are reserved for positions' copies, locks and whatever frees space; free some space there, or bound the stream (SIGNAL_CLIENT_STREAM_MAX_BYTES, nats stream edit)",
		ErrNoRoom, r.Free>>20, r.Total>>20, d.dir, r.Reserve>>20)
}

// Room returns the space on the store's disk; it returns an error if that is unknown.
func (s *Server) Room() (Room, error) { return RoomOf(s.disk.dir) }

// Short returns an error that matches ErrNoRoom while no events should be written. It is
// cheap enough to call before each batch.
func (s *Server) Short() error { return s.disk.short() }
