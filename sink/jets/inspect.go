package jets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Inspection is the result of a look at one stream or bucket. Nothing is changed.
type Inspection struct {
	Name   string // SIGNALS, DEADLETTER, or the bucket's
	Bucket bool
	Spare  bool // the sink works without it, but not as well

	Missing bool                  // it does not exist yet
	Info    *jetstream.StreamInfo // nil: missing, or the lookup failed
	Skew    time.Duration         // the server's clock minus the local one; meaningless without Info
	Took    time.Duration         // duration of the request; Skew is uncertain by half of it

	Unfit  error    // why the sink can't use it; nil: it can
	Lacks  string   // what Open would add to it; empty: nothing
	Doubts []string // warnings: it works, but not for long or not for every event
}

// Inspect looks at every stream and bucket that Open would create with cfg, BUDGETS and the
// other optional ones that exist last, and changes nothing. If a lookup fails, its error is
// in the Inspection.
func (c *Conn) Inspect(ctx context.Context, cfg Config) ([]Inspection, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return (&Store{shared: &shared{Conn: c, config: cfg}}).Inspect(ctx), nil
}

// Inspect is Conn.Inspect with the Store's configuration.
func (s *Store) Inspect(ctx context.Context) []Inspection {
	c := s.Conn
	var all []Inspection
	for _, want := range append([]stream{s.signals(), s.deadLetters()}, s.buckets()...) {
		all = append(all, c.inspect(ctx, want))
	}
	for _, group := range s.optional() {
		for _, want := range group.streams {
			i := c.inspect(ctx, want)
			i.Spare = true
			if !i.Missing || i.Name == BucketBudgets { // others are created when they are used
				all = append(all, i)
			}
		}
	}
	return all
}

func (c *Conn) inspect(ctx context.Context, want stream) Inspection {
	name, bucket := strings.CutPrefix(want.config.Name, BucketStream(""))
	i := Inspection{Name: name, Bucket: bucket}
	var raw json.RawMessage
	sent := time.Now()
	err := c.Ask(ctx, "STREAM.INFO."+want.config.Name, nil, &raw)
	i.Took = time.Since(sent)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		i.Missing = true
		return i
	}
	if err == nil {
		i.Info = new(jetstream.StreamInfo)
		err = json.Unmarshal(raw, i.Info)
	}
	if err != nil {
		i.Info, i.Unfit = nil, fmt.Errorf("look up %s: %w", want.config.Name, err)
		return i
	}
	i.Skew = i.Info.TimeStamp.Sub(sent.Add(i.Took / 2))
	i.Unfit = want.refuse(i.Info.Config)
	if lacks := lacking(i.Info.Config, want); len(lacks) > 0 {
		i.Lacks = names(lacks)
	}
	i.Doubts = want.doubts(i.Info.Config)
	return i
}
