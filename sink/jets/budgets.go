package jets

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
)

const (
	// clockEvery is how often the server is asked for its time.
	clockEvery = 10 * time.Minute
	// budgetsRetry is how often a bucket that is gone is made anew.
	budgetsRetry = time.Minute
)

// Budgets keeps what processes tell each other of the orgs' rate limits in the
// bucket BUDGETS. It is a courtesy: whoever can't have it goes without. It is safe
// for concurrent use.
type Budgets struct {
	store *Store

	mu    sync.Mutex
	ahead time.Duration // how far the server's clock is ahead of ours
	asked time.Time     // when it was last asked for it
	made  time.Time     // when the bucket was last made anew
}

// NewBudgets returns what is kept of orgs' rate limits.
func NewBudgets(store *Store) *Budgets {
	return &Budgets{store: store}
}

var unfitForOrigin = regexp.MustCompile(`[^A-Za-z0-9.-]`)

// BudgetKey is an org's key in BUDGETS: okta.acme.okta.com.
func BudgetKey(origin string) string {
	return keyPrefix + unfitForOrigin.ReplaceAllString(strings.TrimPrefix(origin, "https://"), "_")
}

// Read returns what stands of an org, its times by this process's clock; the zero
// Budget when nothing does, or nothing that can be read.
func (b *Budgets) Read(ctx context.Context, origin string) (pipeline.Budget, error) {
	budget, _, err := b.read(ctx, origin)
	return budget, err
}

// Write puts what next makes of what stands in its place. Next is called again
// when another writer was quicker. After three times it gives up.
func (b *Budgets) Write(ctx context.Context, origin string, next func(pipeline.Budget) pipeline.Budget) error {
	var err error
	for range 3 {
		var stands pipeline.Budget
		var last uint64
		if stands, last, err = b.read(ctx, origin); err != nil {
			return err
		}
		m := nats.NewMsg(b.store.Conn.PutSubject(BucketBudgets, BudgetKey(origin)))
		m.Data = encode(next(stands))
		expect(m, last)
		if _, err = b.store.publisher.publish(ctx, []*nats.Msg{m}); !errors.Is(err, pipeline.ErrFenced) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("write budget of %s: %w", origin, err)
	}
	return nil
}

// read returns what stands, and its revision.
func (b *Budgets) read(ctx context.Context, origin string) (pipeline.Budget, uint64, error) {
	m, err := b.store.Conn.value(ctx, BucketBudgets, BudgetKey(origin))
	if errors.Is(err, jetstream.ErrStreamNotFound) && b.restore(ctx) {
		err = ErrNoMessage
	}
	switch {
	case errors.Is(err, ErrNoMessage):
		return pipeline.Budget{}, 0, nil
	case err != nil:
		return pipeline.Budget{}, 0, err
	}
	var budget pipeline.Budget
	if gone(m.Header) || json.Unmarshal(m.Data, &budget) != nil || budget.Origin != origin {
		return pipeline.Budget{}, m.Seq, nil
	}
	shift(&budget, m.Time.Sub(budget.At)-b.clock(ctx))
	return budget, m.Seq, nil
}

// shift moves all times of a budget.
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

// clock returns how far the server's clock is ahead of ours. It is the one
// that all processes can see: what a writer's clock showed when the server stored
// its value says how far the two are apart.
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
	if err := b.store.Conn.ask(ctx, "STREAM.INFO."+BucketStream(BucketBudgets), nil, &i); err != nil || i.Now.IsZero() {
		return ahead
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead, b.asked = time.Until(i.Now), time.Now()
	return b.ahead
}

// restore makes the bucket anew when it is gone. Only a process that has provisioned
// does so.
func (b *Budgets) restore(ctx context.Context) bool {
	b.mu.Lock()
	due := b.store.provisions() && time.Since(b.made) > budgetsRetry
	if due {
		b.made = time.Now()
	}
	b.mu.Unlock()
	if !due {
		return false
	}
	return b.store.ensureBudgets(ctx) == nil
}
