package embedded

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrNoRoom: the disk has no more than the reserve left.
var ErrNoRoom = errors.New("no room in the store")

// The reserve is a twentieth of the disk within these bounds, and never more than a
// quarter of it. A page is of 1 MB mostly, and written twice; the buckets of
// thousands of orgs are of some 10 MB.
const (
	leastReserve = 128 << 20
	mostReserve  = 2 << 30
)

// Room is what the disk of the store has.
type Room struct {
	Free, Total uint64 // bytes
	Reserve     uint64 // of Free, kept from events
}

// Left is what events may still take.
func (r Room) Left() uint64 { return r.Free - min(r.Free, r.Reserve) }

// RoomOf returns what the disk of a directory has, and what of it a server on it would
// keep. An error says that the system does not tell.
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
	held atomic.Bool // events are held back until there is a bit more than the reserve
}

// room looks at the disk; an error says that the system does not tell.
func (d *disk) room() (Room, error) {
	return RoomOf(d.dir)
}

// short returns ErrNoRoom, with the figures, while events are held back.
func (d *disk) short() error {
	r, err := d.room()
	if err != nil {
		return nil // as good as none: what the disk refuses is told then
	}
	least := r.Reserve
	if d.held.Load() {
		least += r.Reserve / 4
	}
	d.held.Store(r.Free < least)
	if r.Free >= least {
		return nil
	}
	return fmt.Errorf("%w: %d MB of %d MB are left on the disk of %s, and %d MB are kept for positions' copies, locks and what frees room; make room there, or bound the stream (SIGNAL_CLIENT_STREAM_MAX_BYTES, nats stream edit)",
		ErrNoRoom, r.Free>>20, r.Total>>20, d.dir, r.Reserve>>20)
}

// Room returns what the disk of the store has. An error says that the system does not
// tell.
func (s *Server) Room() (Room, error) { return s.disk.room() }

// Short returns an error that matches ErrNoRoom while no events should be written. It
// is cheap enough to be asked before each batch.
func (s *Server) Short() error { return s.disk.short() }
