package view

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// lettersEvery is how often dead letters are counted.
const lettersEvery = 10 * time.Second

// letters counts the dead letters of each instance. It is safe for concurrent use.
type letters struct {
	conn *jets.Conn
	kind string

	mu   sync.Mutex
	sum  uint64
	each map[string]uint64 // by instance
}

// Run counts until ctx ends. While NATS is away, the last counts stay.
func (l *letters) Run(ctx context.Context) error {
	for l.conn.Up(ctx) == nil {
		l.count(ctx)
		if pipeline.Sleep(ctx, lettersEvery) != nil {
			break
		}
	}
	return ctx.Err()
}

func (l *letters) count(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, jets.RequestTimeout)
	defer cancel()
	var i jets.Info
	filter := map[string]any{"subjects_filter": jets.SubjectDeadLetter(l.kind, "*")}
	err := l.conn.Ask(ctx, "STREAM.INFO."+jets.StreamDeadLetter, filter, &i)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return
	}
	sum, each := uint64(0), make(map[string]uint64, len(i.State.Subjects))
	for subject, n := range i.State.Subjects {
		each[subject[len(jets.SubjectDeadLetter(l.kind, "")):]] = n
		sum += n
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum, l.each = sum, each
}

// Counts returns the sum and the counts by instance, which must not be changed.
func (l *letters) Counts() (uint64, map[string]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sum, l.each
}
