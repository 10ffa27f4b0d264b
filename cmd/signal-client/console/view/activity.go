package view

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

const (
	hour = 60 // minutes that are counted
	bar  = 5  // minutes of a figure of an integration's chart
)

// mostPositions is how many positions of the last hour are read at the start. In a fleet
// with more, the chart begins later.
const mostPositions = 100_000

// activity counts the events stored in the last hour, minute by minute, from the positions
// in SIGNALS: each says how many events were stored with it. It is safe for concurrent
// use.
type activity struct {
	conn *jets.Conn
	kind string

	mu    sync.Mutex
	fleet minutes
	each  map[string]*progress // by instance
}

// progress is what the positions say of an instance.
type progress struct {
	minutes
	newest position
}

// position is what is read of one.
type position struct {
	Events          int                 `json:"events"`
	CompleteThrough time.Time           `json:"complete_through"`
	LastEvent       *pipeline.LastEvent `json:"last_event"`

	at time.Time // when it was stored
}

// minutes are counts of the last hour.
type minutes struct {
	counts [hour]uint32
	newest int64 // minutes since 1970 of the newest count
}

// add counts n events at a time, which may be a little in the past.
func (m *minutes) add(at time.Time, n uint32) {
	m.advance(at)
	if minute := at.Unix() / 60; minute > m.newest-hour {
		m.counts[minute%hour] += n
	}
}

// advance drops what is older than an hour before a time.
func (m *minutes) advance(at time.Time) {
	minute := at.Unix() / 60
	for next := max(m.newest+1, minute-hour+1); next <= minute; next++ {
		m.counts[next%hour] = 0
	}
	m.newest = max(m.newest, minute)
}

// at returns the count of a minute that is so many before the newest.
func (m *minutes) at(before int) uint32 { return m.counts[(m.newest-int64(before))%hour] }

// perSecond returns the rate of each minute up to now, oldest first. That of the current
// minute is of its seconds so far.
func (m *minutes) perSecond(now time.Time) []float64 {
	m.advance(now)
	rates := make([]float64, hour)
	for n := range rates {
		rates[n] = float64(m.at(hour-1-n)) / 60
	}
	passed := max(10, now.Sub(now.Truncate(time.Minute)).Seconds())
	rates[hour-1] = float64(m.at(0)) / passed
	return rates
}

// lastMinute returns about how many were counted in the 60 s up to now.
func (m *minutes) lastMinute(now time.Time) float64 {
	m.advance(now)
	passed := now.Sub(now.Truncate(time.Minute)).Seconds() / 60
	return float64(m.at(0)) + float64(m.at(1))*(1-passed)
}

// bars returns the sums of each 5 minutes up to now, oldest first, and their sum.
func (m *minutes) bars(now time.Time) (bars []uint32, sum uint64) {
	m.advance(now)
	bars = make([]uint32, hour/bar)
	for n := range hour {
		bars[n/bar] += m.at(hour - 1 - n)
		sum += uint64(m.at(hour - 1 - n))
	}
	return bars, sum
}

// Complete adds to an integration what the positions say of it: STATUS is up to 15 s old.
func (a *activity) Complete(i *Integration, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.each[i.Instance]
	if p == nil {
		i.Hour = make([]uint32, hour/bar)
		return
	}
	i.Hour, i.LastHour = p.bars(now)
	if i.Holder != "" {
		i.PerMinute = new(math.Round(p.lastMinute(now)))
	}
	if at := p.newest; at.at.After(i.UpdatedAt) && i.Holder != "" {
		i.LastEvent, i.LastSuccess = at.LastEvent, at.at
		if at.at.After(i.LastPoll) {
			i.LastPoll = at.at
		}
		if at.CompleteThrough.After(i.CompleteThrough) {
			i.CompleteThrough, i.LagSeconds = at.CompleteThrough, max(0, now.Sub(at.CompleteThrough).Seconds())
		}
	}
}

// Rates returns the rates of all together.
func (a *activity) Rates(now time.Time) []float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fleet.perSecond(now)
}

func (a *activity) add(instance string, p position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.each[instance] == nil {
		a.each[instance] = new(progress)
	}
	a.each[instance].newest = p
	a.each[instance].add(p.at, uint32(p.Events))
	a.fleet.add(p.at, uint32(p.Events))
}

// Run follows the positions until ctx ends. Whatever is missed while NATS is away is read
// afterwards.
func (a *activity) Run(ctx context.Context) error {
	since := time.Now().Add(-hour * time.Minute)
	backoff := pipeline.Backoff{Min: time.Second, Max: 10 * time.Second}
	for a.conn.Up(ctx) == nil {
		began := time.Now()
		_ = a.follow(ctx, &since) // it is tried again
		if time.Since(began) > time.Minute {
			backoff.Reset()
		}
		if pipeline.Sleep(ctx, backoff.Next()) != nil {
			break
		}
	}
	return ctx.Err()
}

// follow reads positions from a time on, and moves it.
func (a *activity) follow(ctx context.Context, since *time.Time) error {
	ctx, done := a.conn.Epoch(ctx)
	defer done()
	consumer, err := a.consumer(ctx, since)
	if err != nil {
		return err
	}
	defer a.conn.Forget(ctx, consumer)
	msgs, err := consumer.Messages(jetstream.PullMaxMessages(1000), jetstream.PullHeartbeat(5*time.Second))
	if err != nil {
		return fmt.Errorf("follow positions: %w", err)
	}
	defer msgs.Stop()
	for {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("follow positions: %w", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("follow positions: %w", err)
		}
		*since = meta.Timestamp.Add(1)
		a.read(m.Subject(), meta.Timestamp, m.Data())
	}
}

// consumer returns a consumer of the positions from a time on. If they are too many, it
// moves that time.
func (a *activity) consumer(ctx context.Context, since *time.Time) (jetstream.Consumer, error) {
	for {
		from := *since
		config := jets.FromSequence(0, jets.SubjectPosition(a.kind, "*"))
		config.OptStartSeq, config.DeliverPolicy, config.OptStartTime = 0, jetstream.DeliverByStartTimePolicy, &from
		consumer, err := a.conn.JS.CreateConsumer(ctx, jets.StreamSignals, config)
		if err != nil {
			return nil, jets.Cause(ctx, err)
		}
		waiting := consumer.CachedInfo().NumPending
		if waiting <= mostPositions {
			return consumer, nil
		}
		a.conn.Forget(ctx, consumer)
		*since = since.Add(time.Since(*since) / 2)
	}
}

// read counts a position's events.
func (a *activity) read(subject string, at time.Time, data []byte) {
	p := position{at: at.UTC()}
	instance := subject[len(jets.SubjectPosition(a.kind, "")):]
	if json.Unmarshal(data, &p) == nil && p.Events >= 0 {
		a.add(instance, p)
	}
}
