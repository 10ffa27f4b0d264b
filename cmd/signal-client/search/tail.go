package search

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
	index "github.com/witfoo/signal-client/sink/search"
)

// A tail asks for new rows every tailEvery. Rows may become visible out of order, but not
// tailSlack apart.
const (
	tailEvery = time.Second
	tailSlack = 10 * time.Second
	tailPart  = 10_000 // rows at a time
)

// tail follows the index by sequence. VictoriaLogs' own tail follows it by _time, and an
// event arrives minutes after it happened.
type tail struct {
	*searchCommand
	low     uint64          // rows up to it are not looked at any more
	next    uint64          // the next low: the newest sequence of at
	at      time.Time       // when next was asked for
	printed map[uint64]bool // above low
	away    bool            // the index did not answer, and that was said
}

// follow prints events as they are indexed, until ctx ends.
func (s *searchCommand) follow(ctx context.Context) error {
	newest, err := s.newestSeq(ctx, 0)
	if err != nil {
		return s.ended(ctx, err)
	}
	if p, known := s.progress(ctx); known && !p.Complete() {
		s.Say("%s", behind(p, 1))
	}
	s.Say("Events follow as they are indexed; Ctrl-C ends it.")
	t := &tail{searchCommand: s, low: newest, next: newest, at: time.Now(), printed: map[uint64]bool{}}
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for {
		err := t.look(ctx)
		if err != nil && !t.passing(err) {
			return s.ended(ctx, err)
		}
		t.away = err != nil
		select {
		case <-ctx.Done():
			return s.ended(ctx, ctx.Err())
		case <-tick.C:
		}
	}
}

// ended returns a tail's error: to interrupt it is its regular end.
func (s *searchCommand) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// passing reports whether a tail goes on after an error: while the service restarts.
func (t *tail) passing(err error) bool {
	p, ok := errors.AsType[*problem.Error](err)
	if !ok || p.Code != problem.Unreachable && p.Code != problem.Failed {
		return false
	}
	if !t.away {
		t.Say("The index does not answer; waiting for it: %v", p)
	}
	return true
}

// look prints the rows that are new.
func (t *tail) look(ctx context.Context) error {
	for {
		part, err := t.fresh(ctx)
		if err != nil {
			return err
		}
		full := len(part) == tailPart
		if full {
			t.low = part[len(part)-1].seq
		}
		part = slices.DeleteFunc(part, func(r row) bool {
			before := t.printed[r.seq]
			t.printed[r.seq] = true
			return before
		})
		if err := t.to.rows(ctx, part); err != nil {
			return err
		}
		if !full {
			return t.advance(ctx)
		}
	}
}

// fresh reads rows above low, in order of their sequence.
func (t *tail) fresh(ctx context.Context) (part []row, err error) {
	q := t.form(index.WithPipe(t.typed, "sort by (seq) limit "+strconv.Itoa(tailPart)))
	q.Set("extra_filters", above(t.low))
	err = t.rows(ctx, q, func(r row) error {
		part = append(part, r)
		return nil
	})
	return part, err
}

func above(seq uint64) string { return index.FieldSeq + ":>" + strconv.FormatUint(seq, 10) }

// advance raises low now and then to what was the newest sequence a while ago.
func (t *tail) advance(ctx context.Context) error {
	if time.Since(t.at) < tailSlack {
		return nil
	}
	newest, err := t.newestSeq(ctx, t.next)
	if err != nil {
		return err
	}
	t.low, t.next, t.at = max(t.low, t.next), newest, time.Now()
	for seq := range t.printed {
		if seq <= t.low {
			delete(t.printed, seq)
		}
	}
	return nil
}

// newestSeq returns the highest sequence in the index, at least low.
func (s *searchCommand) newestSeq(ctx context.Context, low uint64) (newest uint64, err error) {
	q := url.Values{"query": {index.FieldSeq + ":>=" + strconv.FormatUint(low, 10) + " | stats max(seq) as newest"}}
	err = s.rows(ctx, q, func(r row) error {
		newest, _ = strconv.ParseUint(jsonscan.Text(r.line, "newest"), 10, 64)
		return nil
	})
	return max(newest, low), err
}
