package search

import (
	"sync"
	"time"

	"github.com/witfoo/signal-client/sink/scan"
)

// Sizes of a batch.
const (
	batchBytes  = 2 << 20
	batchEvents = 10_000
	batchLinger = 100 * time.Millisecond // how long a small one waits for more
)

// batch is rows that follow each other in the stream, and what stands between them.
type batch struct {
	lines   []byte // rows, as the index takes them
	sent    uint64 // of them
	had     uint64 // events whose rows the index had already
	refused Refused
	last    scan.Point
	pending uint64    // events that the stream held behind the last one
	from    time.Time // the earliest time of its rows; zero: it has none
	until   time.Time // the latest
}

// events returns how many events of the stream it stands for.
func (b *batch) events() uint64 { return b.sent + b.had + b.refused.Total() }

// include widens the times of a batch or a mark.
func widen(from, until *time.Time, a, b time.Time) {
	if !a.IsZero() && (from.IsZero() || a.Before(*from)) {
		*from = a
	}
	if b.After(*until) {
		*until = b
	}
}

// builder makes batches of events, and hands each over when it is full or has waited. It
// is safe for concurrent use.
type builder struct {
	retention time.Duration
	full      chan *batch // taken by who sends them

	native bool // rows are natives, not lines of JSON

	mu      sync.Mutex
	rows    rower
	natives natives
	kept    *kept // rows above the checkpoint that the index has
	next    *batch
	free    [][]byte // buffers to use again
}

// add adds an event, and waits while a full batch is not taken.
func (b *builder) add(e *scan.Stored, pending uint64, stop <-chan struct{}) {
	b.mu.Lock()
	n := b.open()
	n.pending = pending
	b.row(n, e)
	n.last.Seq, n.last.At = e.Seq, e.At
	ready := len(n.lines) >= batchBytes || n.events() >= batchEvents
	if ready {
		b.next = nil
	}
	b.mu.Unlock()
	if ready {
		select {
		case b.full <- n:
		case <-stop:
		}
	}
}

// open returns the batch to add to.
func (b *builder) open() *batch {
	if b.next == nil {
		b.next = new(batch)
		if n := len(b.free); n > 0 {
			b.next.lines, b.free = b.free[n-1], b.free[:n-1]
		}
	}
	return b.next
}

// row adds an event's row, unless the index has it or does not take it.
func (b *builder) row(n *batch, e *scan.Stored) {
	before := len(n.lines)
	var at time.Time
	if b.native {
		n.lines, at = b.natives.append(n.lines, e.Kind, e)
	} else {
		n.lines, at = b.rows.append(n.lines, e.Kind, e)
	}
	switch now := time.Now(); {
	case b.kept.has(e.Seq):
		n.lines = n.lines[:before]
		n.had++
	case day(at) < day(now.Add(-b.retention)):
		n.lines = n.lines[:before]
		n.refused.Old++
		return
	case day(at) > day(now.Add(mostAhead)):
		n.lines = n.lines[:before]
		n.refused.Future++
		return
	default:
		n.sent++
	}
	widen(&n.from, &n.until, at, at)
}

// mostAhead is how far ahead of now a row may lie: VictoriaLogs' -futureRetention.
const mostAhead = 48 * time.Hour

// day numbers a time's day in UTC: VictoriaLogs keeps and drops whole days.
func day(t time.Time) int64 { return t.UnixNano() / int64(24*time.Hour) }

// linger hands a batch over that is not full, if nobody is busy with another one.
func (b *builder) linger() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		return
	}
	select {
	case b.full <- b.next:
		b.next = nil
	default:
	}
}

// waiting returns how many events are in the batch that is not full.
func (b *builder) waiting() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		return 0
	}
	return b.next.events()
}

// release takes a batch's buffer back.
func (b *builder) release(n *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.free) < 2 {
		b.free = append(b.free, n.lines[:0])
	}
}
