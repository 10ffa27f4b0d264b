package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// leaseKey is the key in LOCKS of who writes a remote index. It expires by its TTL, as a
// session does, unless its holder renews it.
const leaseKey = "search-index"

// leaseTTL is the lease's TTL.
const leaseTTL = 10 * time.Second

// lease decides which process of the fleet writes a remote index. It saves work; that each
// event is indexed once is up to the checkpoint, which is written by compare-and-set.
type lease struct {
	conn   *jets.Conn
	holder string
	log    *slog.Logger
	tell   func(holder string) // called while another process has it
}

// leased is the lease's value.
type leased struct {
	Holder     string    `json:"holder"`
	Session    string    `json:"session"`
	AcquiredAt time.Time `json:"acquired_at"`
}

// hold calls write while this process has the lease, again and again until ctx ends.
func (l *lease) hold(ctx context.Context, write func(context.Context)) {
	for ctx.Err() == nil {
		revision, value, err := l.take(ctx)
		if err == nil {
			l.held(ctx, revision, value, write)
		} else if ctx.Err() == nil {
			l.log.Debug("search: the index's writer is another process", "err", err)
		}
		_ = pipeline.Sleep(ctx, leaseTTL/3)
	}
}

// errLeased: another process has the lease.
var errLeased = errors.New("another process has the lease")

// take takes the lease if nobody has it.
func (l *lease) take(ctx context.Context) (revision uint64, value []byte, err error) {
	m, err := l.conn.Value(ctx, jets.BucketLocks, leaseKey)
	if err != nil {
		return 0, nil, err
	}
	if m.Data != nil {
		var by leased
		_ = json.Unmarshal(m.Data, &by)
		l.tell(by.Holder)
		return 0, nil, fmt.Errorf("%w: %s", errLeased, by.Holder)
	}
	value = jets.Encode(leased{Holder: l.holder, Session: nuid.Next(), AcquiredAt: time.Now().UTC()})
	revision, err = l.write(ctx, m.Seq, value, nil)
	return revision, value, err
}

// held calls write, renews the lease meanwhile, and gives it back.
func (l *lease) held(ctx context.Context, revision uint64, value []byte, write func(context.Context)) {
	writing, end := context.WithCancelCause(ctx)
	defer end(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = pipeline.Contain(l.log, "search", func() error {
			write(writing)
			return nil
		})
	}()
	valid := time.NewTimer(leaseTTL * 9 / 10)
	renew := time.NewTicker(leaseTTL / 3)
	defer renew.Stop()
	defer valid.Stop()
	for writing.Err() == nil {
		select {
		case <-done:
			end(nil)
		case <-ctx.Done():
			end(context.Cause(ctx))
		case <-valid.C:
			end(errors.New("the lease could not be renewed in time"))
		case <-renew.C:
			sent := time.Now()
			next, err := l.write(ctx, revision, value, nil)
			if errors.Is(err, pipeline.ErrChanged) {
				end(errLeased)
			} else if err == nil {
				revision = next
				valid.Reset(time.Until(sent.Add(leaseTTL * 9 / 10)))
			}
		}
	}
	<-done
	_, _ = l.write(context.WithoutCancel(ctx), revision, nil, nats.Header{"KV-Operation": {"DEL"}}) // else it expires
}

// write writes the lease if it still has the revision.
func (l *lease) write(ctx context.Context, revision uint64, value []byte, header nats.Header) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTTL/3)
	defer cancel()
	m := nats.NewMsg("")
	m.Data = value
	for name, v := range header {
		m.Header[name] = v
	}
	m.Header.Set("Nats-TTL", strconv.Itoa(int(leaseTTL/time.Second))+"s")
	return l.conn.Put(ctx, jets.BucketLocks, leaseKey, revision, m)
}
