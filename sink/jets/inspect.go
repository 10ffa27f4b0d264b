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

// Inspection is what was found of one stream or bucket. Nothing was changed.
type Inspection struct {
	Name   string // SIGNALS, DEADLETTER, or the bucket's
	Bucket bool
	Spare  bool // the sink works without it, if not as well

	Missing bool                  // nobody has made it yet
	Info    *jetstream.StreamInfo // nil: missing, or it can't be looked up
	Skew    time.Duration         // the server's clock less ours; meaningless without Info
	Took    time.Duration         // the request; Skew is as uncertain as half of it

	Unfit  error    // why the sink can't use it; nil: it can
	Lacks  string   // what Open would add to it; empty: nothing
	Doubts []string // what works, but not for long or not for everything
}

// Inspect looks at every stream and bucket that Open would make with cfg, those
// that it can do without last, and neither makes nor changes any. An error stands in the
// place of what can't be looked up.
func (c *Conn) Inspect(ctx context.Context, cfg Config) ([]Inspection, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return (&Store{Conn: c, config: cfg}).Inspect(ctx), nil
}

// Inspect is Conn.Inspect, with the configuration that the Store was opened with.
func (s *Store) Inspect(ctx context.Context) []Inspection {
	c := s.Conn
	var all []Inspection
	for _, want := range append([]stream{s.signals(), s.deadLetters()}, s.buckets()...) {
		all = append(all, c.inspect(ctx, want))
	}
	budgets := c.inspect(ctx, s.budgets())
	budgets.Spare = true
	return append(all, budgets)
}

func (c *Conn) inspect(ctx context.Context, want stream) Inspection {
	name, bucket := strings.CutPrefix(want.config.Name, BucketStream(""))
	i := Inspection{Name: name, Bucket: bucket}
	var raw json.RawMessage
	sent := time.Now()
	err := c.ask(ctx, "STREAM.INFO."+want.config.Name, nil, &raw)
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
	i.Unfit = want.fit(i.Info.Config)
	if lacks := lacking(i.Info.Config, want.config); len(lacks) > 0 {
		i.Lacks = names(lacks)
	}
	i.Doubts = want.doubts(i.Info.Config)
	return i
}
