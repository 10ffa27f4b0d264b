package buckets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

const (
	// clockEvery is how often the server's time is requested.
	clockEvery = 10 * time.Minute
	// budgetsRetry is how often a missing bucket is created again.
	budgetsRetry = time.Minute
)

// Budgets shares what processes know of the orgs' rate limits through the bucket BUDGETS.
// Nothing depends on it. It is safe for concurrent use.
type Budgets struct {
	store *jets.Store

	mu    sync.Mutex
	ahead time.Duration // how far the server's clock is ahead of the local one
	asked time.Time     // when that was last measured
	made  time.Time     // when the bucket was last created again
}

// NewBudgets returns the Budgets of a store.
func NewBudgets(store *jets.Store) *Budgets {
	return &Budgets{store: store}
}

var unfitForOrigin = regexp.MustCompile(`[^A-Za-z0-9.-]`)

// budgetKey returns an org's key in BUDGETS: okta.acme.okta.com.
func budgetKey(kind, origin string) string {
	return jets.Key(kind, unfitForOrigin.ReplaceAllString(strings.TrimPrefix(origin, "https://"), "_"))
}

// Read returns the stored budget of an org, with times by this process's clock; the zero
// Budget if there is none or it can't be read.
func (b *Budgets) Read(ctx context.Context, origin string) (pipeline.Budget, error) {
	budget, _, err := b.read(ctx, origin)
	return budget, err
}

// Write replaces the stored budget by next's result. It calls next again when another
// writer was faster, and gives up after three attempts.
func (b *Budgets) Write(ctx context.Context, origin string, next func(pipeline.Budget) pipeline.Budget) error {
	var err error
	for range 3 {
		var stands pipeline.Budget
		var last uint64
		if stands, last, err = b.read(ctx, origin); err != nil {
			return err
		}
		m := nats.NewMsg(b.store.Conn.PutSubject(jets.BucketBudgets, budgetKey(b.store.Kind.Name, origin)))
		m.Data = jets.Encode(next(stands))
		jets.Expect(m, last)
		if _, err = b.store.Publisher.Publish(ctx, []*nats.Msg{m}); !errors.Is(err, pipeline.ErrFenced) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("write budget of %s: %w", origin, err)
	}
	return nil
}

// read returns the stored budget and its revision.
func (b *Budgets) read(ctx context.Context, origin string) (pipeline.Budget, uint64, error) {
	m, err := b.store.Conn.Value(ctx, jets.BucketBudgets, budgetKey(b.store.Kind.Name, origin))
	if errors.Is(err, jetstream.ErrStreamNotFound) && b.restore(ctx) {
		err = nil
	}
	if err != nil {
		return pipeline.Budget{}, 0, err
	}
	var budget pipeline.Budget
	if json.Unmarshal(m.Data, &budget) != nil || budget.Origin != origin {
		return pipeline.Budget{}, m.Seq, nil
	}
	shift(&budget, m.Time.Sub(budget.At)-b.clock(ctx))
	return budget, m.Seq, nil
}

// shift moves all times of a budget by d.
func shift(b *pipeline.Budget, d time.Duration) {
	for _, at := range []*time.Time{&b.WindowEnds, &b.HoldUntil, &b.At} {
		if !at.IsZero() {
			*at = at.Add(d)
		}
	}
	for replica, at := range b.Askers {
		b.Askers[replica] = at.Add(d)
	}
}

// clock returns how far the server's clock is ahead of the local one. All processes can
// see the server's clock: the time that the server stored a value, compared with the
// writer's own time in it, shows how far the writer's clock is off.
func (b *Budgets) clock(ctx context.Context) time.Duration {
	b.mu.Lock()
	ahead, due := b.ahead, time.Since(b.asked) > clockEvery
	b.mu.Unlock()
	if !due {
		return ahead
	}
	var i struct {
		Now time.Time `json:"ts"`
	}
	if err := b.store.Conn.Ask(ctx, "STREAM.INFO."+jets.BucketStream(jets.BucketBudgets), nil, &i); err != nil || i.Now.IsZero() {
		return ahead
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead, b.asked = time.Until(i.Now), time.Now()
	return b.ahead
}

// restore creates a missing bucket again, but only in a process that provisions.
func (b *Budgets) restore(ctx context.Context) bool {
	b.mu.Lock()
	due := time.Since(b.made) > budgetsRetry
	if due {
		b.made = time.Now()
	}
	b.mu.Unlock()
	return due && b.store.RestoreBudgets(ctx)
}
