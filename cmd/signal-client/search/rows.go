package search

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/witfoo/signal-client/pipeline/jsonscan"
	index "github.com/witfoo/signal-client/sink/search"
)

// row is a line of the answer.
type row struct {
	line []byte    // without its end
	at   time.Time // _time; zero: none
	seq  uint64    // 0: none
}

func newRow(line []byte) row {
	at, _ := time.Parse(time.RFC3339Nano, jsonscan.Text(line, index.FieldTime))
	seq, _ := strconv.ParseUint(jsonscan.Text(line, index.FieldSeq), 10, 64)
	return row{line: line, at: at, seq: seq}
}

// rows reads an answer and calls each with its rows.
func (s *searchCommand) rows(ctx context.Context, q url.Values, each func(row) error) error {
	body, err := s.ask(ctx, q)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := each(newRow(line)); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("read the index's answer, which broke off: %w", err)
		}
	}
}

// form returns a request's parameters for a query.
func (s *searchCommand) form(query string) url.Values {
	q := url.Values{"query": {query}}
	if !s.since.IsZero() {
		q.Set("start", nanos(s.since.At(s.now)))
	}
	if !s.until.IsZero() {
		q.Set("end", nanos(s.until.At(s.now)))
	}
	return q
}

// nanos formats a time as the exact one that it is: of a text VictoriaLogs takes a part
// that is left out, such as fractions, as the whole second.
func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// piped prints what comes out of the query's pipes, in its order.
func (s *searchCommand) piped(ctx context.Context, print func([]row) error) error {
	q := s.form(s.typed)
	if s.limit > 0 {
		q.Set("limit", strconv.Itoa(s.limit))
	}
	return s.rows(ctx, q, func(r row) error { return print([]row{r}) })
}

// leastPart is how many events are asked for at once.
const leastPart = 1000

// newest prints events, the newest first, and reports whether there are more than asked
// for. They are read in parts: VictoriaLogs finds the newest N of a time span fast, but
// sorts everything in memory if it is asked for all.
func (s *searchCommand) newest(ctx context.Context, print func([]row) error) (more bool, err error) {
	left, size := s.most(), leastPart
	limited := left > 0
	if limited {
		size = min(size, left+1)
	}
	q := s.form(s.typed)
	for {
		q.Set("limit", strconv.Itoa(size))
		part, err := s.part(ctx, q)
		if err != nil {
			return false, err
		}
		last := len(part) < size
		if !last {
			part = wholeTimes(part)
		}
		if limited && len(part) >= left {
			return !last || len(part) > left, print(part[:left])
		}
		if err := print(part); err != nil || last {
			return false, err
		}
		if len(part) == 0 { // all are of one time
			size = max(2*size, leastPart)
			continue
		}
		left, size = left-len(part), leastPart
		q.Set("end", nanos(part[len(part)-1].at))
	}
}

// part reads the newest events of a span, in order.
func (s *searchCommand) part(ctx context.Context, q url.Values) (part []row, err error) {
	err = s.rows(ctx, q, func(r row) error {
		part = append(part, r)
		return nil
	})
	slices.SortFunc(part, func(a, b row) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.seq, a.seq)) })
	return part, err
}

// wholeTimes returns the beginning of a part of which all events are there: of the oldest
// time there may be more.
func wholeTimes(part []row) []row {
	oldest := part[len(part)-1].at
	return part[:slices.IndexFunc(part, func(r row) bool { return r.at.Equal(oldest) })]
}
