package run

import "github.com/witfoo/signal-client/sink/embedded"

// leastFree returns how much of the disk an embedded index leaves free: more than the
// reserve at which the embedded NATS server stops to store events, which go first.
func (s *Service) leastFree() int64 {
	room, err := embedded.RoomOf(s.Config.Server.DataDir)
	if err != nil {
		return 0 // the index has a default
	}
	return int64(room.Reserve + room.Reserve/2)
}
