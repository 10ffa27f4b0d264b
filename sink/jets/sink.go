package jets

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
)

// Query is what an instance asks its org for.
type Query struct {
	Origin string                              // where it is asked: https://acme.okta.com
	Source string                              // ce-source of the events; empty: that of the newest event, or else Origin
	Hash   string                              // of filter and limit: another one is another query
	Since  pipeline.Since                      // where a fresh start begins
	Start  func(since time.Time) pipeline.Link // the request that begins the query at a time
	Now    func() time.Time                    // the org's clock, as far as it is known; nil: time.Now

	// Org returns the org's own id, which tells whether another origin is the same org.
	// It is asked at a change of origin, in Sync. Nil: it never is.
	Org     func(context.Context) (string, error)
	Another bool // the operator says that another org than before answers at Origin
	Strict  bool // a change of origin is refused unless the org is known to be the same
}

// now is the org's time, as far as it is known: what since is reckoned from.
func (q Query) now() time.Time {
	if q.Now != nil {
		return q.Now()
	}
	return time.Now()
}

// Sink keeps one instance's events and position in JetStream. It is used by
// one goroutine at a time.
//
// All that it remembers is set by Sync and moved on by Commit after the ack of
// a batch. Nothing of it outlives an error: whoever gets one calls Sync.
type Sink struct {
	instance string
	query    Query
	store    *Store
	trace    *pipeline.Trace
	log      *slog.Logger

	link      uint64            // generation of the connection that the newest sync read over
	stream    Extent            // of SIGNALS, as the newest sync found it
	at        pipeline.Position // the newest position; at.Seq is its fence
	lastEvent uint64            // sequence of the newest event at or before it: the other fence; 0: none
	recent    recent            // ids of the events before it
	compared  time.Time         // latest published of those that the newest sync read; zero: it has no dedupe_from
	span      span              // ids of the past that events are inserted into; mostly none
	cursor    cursor            // the copy in CURSORS
	batch     batchSize         // how many messages the server takes at once; learned
	told      map[id]struct{}   // elements of the page in hand that are told as lost
	opening   *opening          // the query that begins with the next page; nil: it goes on
	stood     pipeline.Position // what the newest sync found, before it drafted anything
	fresh     bool              // nothing was committed since the newest sync
	org       string            // the id that the org gave; empty: not known
	unfit     bool              // a stream is gone, or was changed: the next sync mends it

	foreignTold time.Time // when it was last told that somebody else publishes here
}

var _ pipeline.Sink = (*Sink)(nil)

// NewSink returns the sink of an instance. trace and log may be nil.
func NewSink(store *Store, instance string, q Query, trace *pipeline.Trace, log *slog.Logger) *Sink {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Sink{instance: instance, query: q, store: store, trace: pipeline.Traces(trace),
		log: log.With("instance", instance)}
}

// Commit implements pipeline.Sink.
//
// The order of its writes, and what a restart finds after each:
//  0. the position of a query that begins, if one does: it is gone on from;
//  1. dead letters, acked: the page is asked for again and they are repeated,
//     which the duplicate window of DEADLETTER mostly hides; what DEADLETTER will
//     not take is told in the log before the page goes on without it;
//  2. the batch, or several: events and position are there, both or neither;
//  3. CURSORS: it may trail the stream by one page, and Sync heals it.
func (s *Sink) Commit(ctx context.Context, at pipeline.Position, page pipeline.Page) (pipeline.Receipt, error) {
	if at.Seq == 0 || at.Seq != s.at.Seq {
		return pipeline.Receipt{}, fmt.Errorf("commit after position %d, the newest is %d: %w", at.Seq, s.at.Seq, pipeline.ErrFenced)
	}
	if err := s.identify(page.Org); err != nil {
		return pipeline.Receipt{}, err
	}
	ctx, done, err := s.bind(ctx)
	if err != nil {
		return pipeline.Receipt{}, err
	}
	defer done()
	if page.Date.IsZero() {
		page.Date = s.query.now()
	}
	opened, err := s.begin(ctx, page)
	if err != nil {
		return pipeline.Receipt{}, err
	}
	c, err := s.sort(ctx, page)
	if err != nil {
		return pipeline.Receipt{}, err
	}
	lost, err := s.bury(ctx, page.Link, c.dead)
	if err != nil {
		return pipeline.Receipt{}, err
	}
	stored, err := s.write(ctx, page, c)
	if err != nil {
		return pipeline.Receipt{}, err
	}
	s.lose(lost)
	if err := s.follow(ctx, opened || stored > 0 || page.Next != page.Link); err != nil {
		return pipeline.Receipt{}, err
	}
	return pipeline.Receipt{Position: s.at, Stored: stored, Repeats: c.repeats, DeadLetters: len(c.dead)}, nil
}

// bind ties a commit to the connection that the newest sync read over.
//
// A server that comes back with an older copy of its store gives out the same
// sequences again. Once another poller has fetched the lost pages anew, its
// positions may stand exactly where ours stood, with other links: both our fences
// would fit a history that is not ours. Such a server was away, so the
// connection dropped; whoever reconnects reads the truth first.
func (s *Sink) bind(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := s.store.room(); err != nil {
		return nil, nil, err
	}
	ctx, done := s.store.Conn.Epoch(ctx)
	if s.link != s.store.Conn.Generation() {
		done()
		return nil, nil, fmt.Errorf("%w since the newest sync", ErrDisconnected)
	}
	return ctx, done, nil
}

// catch is a page sorted by what becomes of its elements.
type catch struct {
	events       []pipeline.Event // to be stored
	ids          []id             // of those
	dead         []letter
	repeats      int
	publishedMax time.Time // over all events of the page
}

// sort sifts a page. Before an element becomes a dead letter because of the stream's
// max_msg_size, the stream is asked for it: an operator may have raised it.
func (s *Sink) sort(ctx context.Context, page pipeline.Page) (catch, error) {
	c, limit := s.sift(page), s.store.maxMessage()
	large := func(l letter) bool { return l.event.Flaw == pipeline.FlawTooLarge }
	if !s.store.limited() || !slices.ContainsFunc(c.dead, large) {
		return c, nil
	}
	if err := s.store.measure(ctx); err != nil {
		return c, err
	}
	if s.store.maxMessage() > limit {
		c = s.sift(page)
	}
	return c, nil
}

// sift sorts a page's elements. It is done now and not when the page was
// fetched, since the page before it may hold the same events.
func (s *Sink) sift(page pipeline.Page) catch {
	limit, envelope := s.store.maxMessage(), s.envelope()
	seen := make(map[id]int, len(page.Events)) // places
	c := catch{events: make([]pipeline.Event, 0, len(page.Events)), ids: make([]id, 0, len(page.Events))}
	for place := range page.Events {
		e := &page.Events[place]
		if e.Flaw != "" {
			c.dead = append(c.dead, letter{*e, place})
			continue
		}
		c.publishedMax = latest(c.publishedMax, believable(e.Published, page.Date))
		i := idOf(e.UUID)
		if repeat, conflict := s.repeats(e, i, seen, page.Events); repeat {
			if c.repeats++; conflict {
				c.dead = append(c.dead, letter{*e, place})
				c.dead[len(c.dead)-1].event.Flaw = pipeline.FlawConflict
			}
			continue
		}
		seen[i] = place
		if envelope.Larger(e, limit) {
			c.dead = append(c.dead, letter{*e, place})
			c.dead[len(c.dead)-1].event.Flaw = pipeline.FlawTooLarge
			continue
		}
		c.events, c.ids = append(c.events, *e), append(c.ids, i)
	}
	return c
}

// repeats reports whether an event repeats one of its page, or one that was stored of
// late, and whether its bytes are others then.
func (s *Sink) repeats(e *pipeline.Event, i id, seen map[id]int, events []pipeline.Event) (repeat, conflict bool) {
	if first, ok := seen[i]; ok {
		return true, !bytes.Equal(e.Data, events[first].Data)
	}
	known, ok := s.recent.find(i)
	return ok, ok && known != 0 && known.differs(printOf(e.Data))
}

func (s *Sink) envelope() *envelope {
	return newEnvelope(SubjectEvents(s.instance), cmp.Or(s.query.Source, s.query.Origin))
}

// believable cuts a published that lies after the org's own clock: it would
// make a reopening start in the future, past events never read.
func believable(published, date time.Time) time.Time {
	if edge := date.Add(time.Second); !date.IsZero() && published.After(edge) { // Date is cut to seconds
		return edge
	}
	return published
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// write stores a page's events and the position after them: in one batch if
// the server takes it so, else in parts. It returns the number of events stored.
//
// Each part but the last ends in a position with the page's own link, which
// says from where on ids must be compared: a restart after it asks for the
// page again and drops what is there already.
func (s *Sink) write(ctx context.Context, page pipeline.Page, c catch) (int, error) {
	stored, tries, most := 0, 0, MaxBatch
	for {
		n := min(len(c.events)-stored, s.batch.Most()-1, most)
		last := stored+n == len(c.events)
		if last && n == 0 && page.Next == page.Link && !s.made(page, c.repeats) {
			s.at.CompleteThrough = latest(s.at.CompleteThrough, page.Through)
			return stored, nil // nothing moved: nothing to write
		}
		err := s.part(ctx, page, c, stored, n, last)
		if errors.Is(err, errTooLarge) && n > 1 {
			s.batch.Refused(n+1, limiting(err), time.Now())
			s.log.Warn("batch too large for the server, page split", "events", n, "bytes", page.Bytes, "err", err)
			continue
		}
		if err != nil && n > 0 && tries < foreignTries {
			err = s.overtake(ctx, err, c.ids[stored:])
			if err == nil {
				tries++
				most = max(n/2, leastForeign) // the sooner it is sent, the fewer come in between
				continue
			}
		}
		if err != nil {
			return stored, s.blame(err, tries)
		}
		if stored += n; last {
			return stored, nil
		}
	}
}

// part stores n events of a page, from the one at index from on, with the
// position after them, under both fences.
func (s *Sink) part(ctx context.Context, page pipeline.Page, c catch, from, n int, last bool) error {
	events := c.events[from : from+n]
	pos := s.after(page, events, c.repeats, last)
	if last {
		pos.PublishedMax = latest(pos.PublishedMax, c.publishedMax)
	}
	m, err := positionMessage(SubjectPosition(s.instance), pos)
	if err != nil {
		return err
	}
	// The position's fence says that no other writer came in between. The
	// event's says that the recent ids cover all that is stored: it closes the
	// case in which a deleted or rolled-back position makes an old fence
	// valid again.
	expect(m, s.at.Seq)
	batch := s.messages(events, m, "")
	batch.drains = page.More // a quiet org's page goes first
	seq, err := s.send(ctx, batch)
	if err != nil {
		return err
	}
	if pos.Seq = seq; n > 0 {
		s.lastEvent = seq - 1 // a batch is stored in one piece, the position last
		s.batch.Accepted(time.Now())
	}
	s.span.add(events, c.ids[from:from+n], s.lastEvent)
	s.remember(pos, events, c.ids[from:from+n])
	return nil
}

// messages are events, the first one fenced, and the position after them. why is
// empty for those that a live poll brought.
func (s *Sink) messages(events []pipeline.Event, position *nats.Msg, why pipeline.Why) messages {
	first, rest := s.envelope(), s.envelope()
	if why != "" {
		first.Origin(why)
		rest.Origin(why)
	}
	at := func(i int) *nats.Msg {
		switch i {
		case len(events):
			return position
		case 0:
			m := first.Of(&events[0])
			expect(m, s.lastEvent)
			return m
		}
		return rest.Of(&events[i])
	}
	return messages{len: len(events) + 1, at: at, drains: why != ""}
}

// send publishes a batch and reports how it went.
func (s *Sink) send(ctx context.Context, msgs messages) (uint64, error) {
	started := time.Now()
	seq, err := s.store.publisher.publishEach(ctx, msgs)
	result := "ok"
	switch {
	case errors.Is(err, pipeline.ErrFenced):
		result = "fenced"
		s.trace.Fenced(s.instance)
	case errors.Is(err, errTooLarge):
		result = "too_large"
	case err != nil:
		result = "doubt"
	}
	s.trace.Wrote(s.instance, result, time.Since(started))
	s.unfit = s.unfit || unfit(err)
	if err != nil {
		return 0, fmt.Errorf("publish %d messages: %w", msgs.len, err)
	}
	return seq, nil
}

// remember makes pos the newest position and its events recent ones.
func (s *Sink) remember(pos pipeline.Position, events []pipeline.Event, ids []id) {
	if pos.DedupeFrom == 0 && len(ids) > 0 {
		s.recent.turn()
	}
	for i := range ids {
		s.recent.put(ids[i], printOf(events[i].Data))
	}
	s.at = pos
}
