package search

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/sink/scan"
)

// mark is a place in the stream through which rows were added at some time.
type mark struct {
	point       scan.Point
	rows        uint64 // that the index has through it, since it was empty
	refused     Refused
	from, until time.Time // times of the rows since the mark before
	at          time.Time // when it was made
	looks       int       // answers about what is in memory since
}

// take moves the mark behind a batch.
func (m *mark) take(b *batch) {
	m.point.Seq, m.point.At = b.last.Seq, b.last.At
	m.rows += b.sent + b.had
	m.refused = m.refused.plus(b.refused)
	widen(&m.from, &m.until, b.from, b.until)
}

// When rows are durable. VictoriaLogs writes rows to disk that are older than an interval,
// by a look every interval.
const (
	durableLooks  = 3
	durableRemote = time.Minute // where others add rows too, or the index does not say what is in memory
	settleEvery   = 3 * time.Second
)

// settle writes the checkpoint as far as rows are durable. A mark is when it has stood for
// long enough, the index has answered since, and it has no more rows in memory than came
// after the mark: a disk that does not take them would leave more. Then the index must
// hold as many rows as were added; if it does not, the next session looks which are
// missing.
func (s *session) settle(ctx context.Context) error {
	if n := len(s.marks); n > 0 && time.Since(s.marks[n-1].at) < settleEvery || n == 0 && s.done.point.Seq == s.at.Seq {
		return nil
	}
	if len(s.marks) == 0 || s.marks[len(s.marks)-1].point.Seq != s.done.point.Seq {
		m := s.done
		m.at = time.Now()
		s.marks = append(s.marks, m)
		s.done.from, s.done.until = time.Time{}, time.Time{}
	}
	inMemory, told, err := s.index.inMemory(ctx)
	if err != nil {
		return err
	}
	durable := -1
	for i := range s.marks {
		m := &s.marks[i]
		m.looks++
		since := time.Since(m.at)
		switch {
		case m.looks <= durableLooks || since < s.durable:
		case told && s.own && inMemory > s.done.rows-m.rows:
		case !(told && s.own) && (!told || inMemory > 0) && since < durableRemote:
		default:
			durable = i
		}
	}
	if durable < 0 {
		return nil
	}
	return s.save(ctx, durable)
}

// save moves the checkpoint to a mark.
func (s *session) save(ctx context.Context, durable int) error {
	m := s.marks[durable]
	for _, earlier := range s.marks[:durable] {
		widen(&m.from, &m.until, earlier.from, earlier.until)
	}
	lost, err := s.verify(ctx, m)
	if err != nil {
		return err
	}
	m.rows -= lost
	m.refused.Other += lost
	next := checkpoint{Version: checkpointVersion, Created: m.point.Created, Seq: m.point.Seq, Stored: m.point.At, Rows: m.rows, Refused: m.refused, Rebuilding: s.progress.rebuilding(), At: time.Now().UTC()}
	if err := s.keep.save(ctx, next); err != nil {
		return err
	}
	s.at = next
	s.marks = s.marks[durable+1:]
	for i := range s.marks {
		s.marks[i].lose(lost)
	}
	s.done.lose(lost)
	return nil
}

func (m *mark) lose(rows uint64) {
	m.rows -= rows
	m.refused.Other += rows
}

// missing remembers rows that an index did not have although they were added.
type missing struct {
	after uint64 // the checkpoint behind which they are
	rows  uint64
}

// verify counts the rows between the checkpoint and a mark. What is missing is added again
// by the next session; what is missing then, too, the index does not take.
func (s *session) verify(ctx context.Context, m mark) (lost uint64, err error) {
	want := m.rows - s.at.Rows
	if want == 0 {
		return 0, nil
	}
	got, unique, err := s.index.countBetween(ctx, s.at.Seq, m.point.Seq, m.from, m.until)
	switch {
	case err != nil:
		return 0, err
	case got > want || unique < got:
		return 0, &rebuildError{fmt.Sprintf("between sequences %d and %d it holds %d rows of %d events", s.at.Seq, m.point.Seq, got, want)}
	case got == want:
		return 0, nil
	}
	lost = want - got
	if s.missing.after == s.at.Seq && s.missing.rows > 0 {
		*s.missing = missing{}
		s.log.Warn("search: the index did not take events", "events", lost, "after", s.at.Seq, "through", m.point.Seq)
		return lost, nil
	}
	*s.missing = missing{after: s.at.Seq, rows: lost}
	return 0, fmt.Errorf("%w: %d rows between sequences %d and %d are missing", errMissing, lost, s.at.Seq, m.point.Seq)
}

// errMissing: the index does not hold what was added.
var errMissing = errors.New("the index lost rows")
