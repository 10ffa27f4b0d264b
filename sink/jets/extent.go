package jets

import (
	"context"
	"time"
)

// Extent is the range of sequences in a stream.
type Extent struct {
	Created time.Time // creation time: another one means another stream
	First   uint64    // sequence of the first message kept
	Last    uint64    // sequence of the newest message ever stored
}

// Extent asks the leader of SIGNALS for its extent.
func (c *Conn) Extent(ctx context.Context) (Extent, error) {
	i, err := c.Info(ctx, StreamSignals)
	if err != nil {
		return Extent{}, err
	}
	return Extent{i.Created, i.State.FirstSeq, i.State.LastSeq}, nil
}
