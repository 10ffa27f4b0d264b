package jets

import (
	"context"
	"fmt"
	"math"
)

// How much a lane asks for at once.
const (
	firstRun   = 64      // of all messages, where an event was found; then so many more each time
	longestRun = 512     // of all messages, at most
	answerSize = 1 << 20 // bytes, and one message more at most
)

// lane reads one part after another. What it asks for depends on how the events
// lie. Where they stand side by side, as a page does, it asks for all that comes,
// which costs the server least. Behind a page it looks for the next event. Where
// they lie far apart one by one, it has the server look for many in one
// request: that counts all that follow each time, but saves the ways.
type lane struct {
	*reading
	getter *getter
	part   *part
	at     uint64 // next sequence to read
	run    int    // how many messages to ask for, whatever they are; 0: look for the next event
	alone  int    // how often an event was found with none beside it
	gap    uint64 // sequence before which messages were not there, or not looked for; 0: none
	found  []*Stored
}

// lane reads parts until there is none left or one fails.
func (r *reading) lane(ctx context.Context) {
	l := &lane{reading: r}
	defer func() {
		if l.getter != nil {
			l.getter.Close()
		}
	}()
	for p := r.claim(ctx); p != nil; p = r.claim(ctx) {
		p.err = l.read(ctx, p)
		close(p.events)
		if p.err != nil {
			return
		}
	}
}

func (l *lane) read(ctx context.Context, p *part) error {
	l.part, l.at, l.gap = p, p.from, 0
	backoff := retryWait()
	for l.at <= p.through {
		from := l.at
		err := l.step(ctx)
		if len(l.found) > 0 {
			select {
			case p.events <- l.found:
				l.found = nil
			case <-ctx.Done():
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			l.tell(nil)
			backoff.Reset()
			l.lookBack(ctx, from)
		case !passing(err):
			return fmt.Errorf("read %s from %d: %w", StreamSignals, l.at, err)
		default:
			if err := l.wait(ctx, err, &backoff); err != nil {
				return fmt.Errorf("read %s from %d: %w", StreamSignals, l.at, err)
			}
		}
	}
	return nil
}

// step makes one request. What an answer that broke off has brought counts.
func (l *lane) step(ctx context.Context) error {
	if l.getter == nil {
		var err error
		if l.getter, err = l.store.Conn.getter(); err != nil {
			return err
		}
	}
	switch {
	case l.run > 0 || l.wide():
		return l.all(ctx)
	case l.alone > 1:
		return l.many(ctx)
	}
	return l.one(ctx)
}

// all asks for the next messages, whatever they are.
func (l *lane) all(ctx context.Context) error {
	want := getRequest{Seq: l.at, Batch: l.run, MaxBytes: answerSize}
	if l.wide() {
		want.Batch = longestRun
	}
	want.Batch = int(min(uint64(want.Batch), l.part.through-l.at+1))
	came, wanted := 0, len(l.found)
	err := l.getter.Get(ctx, want, func(g got) {
		came++
		l.take(g)
	})
	wanted = len(l.found) - wanted
	switch {
	case isNoMessage(err):
		return l.ask(ctx, "")
	case err != nil || l.wide():
		return err
	}
	if wanted >= partEvents/64 {
		l.alone = 0
	}
	switch {
	case wanted == came && came > 0:
		l.run = min(l.run+firstRun, longestRun)
	case 4*wanted < came || came == 0:
		if l.run = 0; wanted < 2 {
			l.alone++
		}
	}
	return nil
}

// one looks for the next event.
func (l *lane) one(ctx context.Context) error {
	err := l.getter.Get(ctx, getRequest{Seq: l.at, NextFor: l.filter}, l.hit)
	if isNoMessage(err) {
		return l.ask(ctx, l.filter)
	}
	return err
}

// many looks for as many events as the rest of the part is likely to hold.
func (l *lane) many(ctx context.Context) error {
	rest := float64(l.part.through - l.at + 1)
	n := min(max(int(math.Ceil(rest*l.density*1.1)), 8), longestRun)
	from, came := l.at, 0
	err := l.getter.Get(ctx, getRequest{Seq: l.at, NextFor: l.filter, Batch: n, MaxBytes: answerSize}, func(g got) {
		came++
		l.take(g)
	})
	switch {
	case isNoMessage(err):
		return l.ask(ctx, l.filter)
	case err != nil:
		return err
	}
	if came >= 8 && l.at-from < 2*uint64(came) {
		l.alone, l.run = 0, 2*firstRun
	}
	return nil
}

// ask asks the leader for the next event, after a copy of the stream had none. So
// an end is never believed of a copy that trails.
func (l *lane) ask(ctx context.Context, filter string) error {
	if filter == "" {
		filter = ">"
	}
	m, err := l.store.Conn.read(ctx, StreamSignals, map[string]any{"seq": l.at, "next_by_subj": filter})
	switch {
	case isNoMessage(err):
		if err := l.same(ctx); err != nil {
			return err
		}
		l.advance(l.Through + 1)
		return nil
	case err != nil:
		return err
	}
	if m.Seq <= l.part.through && l.wanted[m.Subject] {
		l.found = append(l.found, m.stored())
	}
	l.advance(m.Seq)
	return nil
}

// hit takes in the next event, which others may stand beside.
func (l *lane) hit(g got) {
	if l.run = firstRun; g.seq > l.part.through {
		l.run = 0
	}
	l.take(g)
}

// take takes in a message.
func (l *lane) take(g got) {
	if g.seq <= l.part.through && g.seq >= l.at && l.wanted[g.subject] {
		l.found = append(l.found, g.stored())
	}
	l.advance(g.seq)
}

// advance goes on behind seq. What the server looked for and found behind the
// part says that nothing is wanted up to there.
func (l *lane) advance(seq uint64) {
	if seq > l.at {
		l.gap = seq
	}
	if seq > l.part.through && l.at <= l.part.through {
		l.skip(seq)
	}
	l.at = max(l.at, min(seq, l.part.through)+1)
}

// wide: more than one subject is wanted, and the server looks for none.
func (l *lane) wide() bool { return len(l.wanted) > 1 }

// near is how close to its beginning the stream is looked at after each answer.
const near = 2 * widest

// lookBack tells what was removed before it could be read. from is where the
// last request began. What came without a gap was all there.
func (l *lane) lookBack(ctx context.Context, from uint64) {
	if l.gap <= from || l.Gone == nil {
		return
	}
	if from >= l.first.Load()+near { // far from what is removed, once a part is enough
		if l.at <= l.part.through {
			return
		}
		from = l.part.from
	}
	extent, err := l.store.Extent(ctx)
	if err != nil {
		return // who reads on learns why
	}
	l.telling.Lock()
	defer l.telling.Unlock()
	l.first.Store(max(l.first.Load(), extent.First))
	if extent.First > from {
		l.Gone(from, min(extent.First, l.gap)-1)
	}
}
