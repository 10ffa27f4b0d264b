package signals

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
	"github.com/witfoo/signal-client/sink/jets"
)

// Query is an instance's query.
type Query struct {
	Origin string                              // where requests go: https://acme.okta.com
	Source string                              // ce-source of the events; empty: that of the newest event, else Origin
	Hash   string                              // hash of filter and limit: a change reopens the query
	Since  pipeline.Since                      // beginning of a fresh start
	Start  func(since time.Time) pipeline.Link // the link that begins the query at a time
	Now    func() time.Time                    // the org's clock as far as known; nil: time.Now

	// Org returns the org's own id, which tells whether another origin is the same org.
	// It is asked at a change of origin, in Sync. Nil: it never is.
	Org     func(context.Context) (string, error)
	Another bool // the operator has confirmed that another org answers at Origin
	Strict  bool // refuse a change of origin unless the org is known to be the same
}

// now returns the org's time as far as known; since is relative to it.
func (q Query) now() time.Time {
	if q.Now != nil {
		return q.Now()
	}
	return time.Now()
}

// Sink stores one instance's events and position in JetStream. It is used by one
// goroutine at a time.
//
// Its state is set by Sync and advanced by Commit after the ack of a batch. No state
// outlives an error: after an error the caller calls Sync.
type Sink struct {
	instance string
	query    Query
	store    *jets.Store
	trace    *pipeline.Trace
	log      *slog.Logger

	link          uint64            // generation of the connection that the newest sync used
	stream        jets.Extent       // of SIGNALS, by the newest sync
	at            pipeline.Position // the newest position; at.Seq is its fence
	lastEvent     uint64            // sequence of the newest event at or before it: the other fence; 0: none
	recent        recent            // ids of the events before it
	compared      time.Time         // latest published of the events that the newest sync read; zero: it has no dedupe_from
	span          pastIDs           // ids of the past, for Insert; mostly empty
	cursor        cursor            // the copy in CURSORS
	batch         batchSize         // how many messages the server accepts at once; learned
	told          map[id]struct{}   // elements of the current page that were logged as lost
	opening       *opening          // the query that begins with the next page; nil: none
	stood         pipeline.Position // the position that the newest sync found, before any draft
	fresh         bool              // nothing was committed since the newest sync
	org           string            // the org's id; empty: not known
	streamChanged bool              // a stream is gone or was changed: the next sync repairs it

	foreignTold time.Time // when a foreign publisher was last logged
}

var _ pipeline.Sink = (*Sink)(nil)

// New returns the sink of an instance. trace and log may be nil.
func New(store *jets.Store, instance string, q Query, trace *pipeline.Trace, log *slog.Logger) *Sink {
	return &Sink{instance: instance, query: q, store: store, trace: pipeline.Traces(trace),
		log: jets.OrDiscard(log).With("instance", instance)}
}

// Commit implements pipeline.Sink.
//
// It writes in this order, and a restart finds:
//   - 0. the position of a new query, if one begins: the query continues from it;
//   - 1. dead letters, acknowledged: the page is requested again and they are repeated,
//     which DEADLETTER's duplicate window mostly drops; letters that DEADLETTER refuses
//     are logged before the page continues without them;
//   - 2. the batch, or several: events and position are stored, both or neither;
//   - 3. CURSORS: it may be one page behind the stream, and Sync repairs it.
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
	page.Date = cmp.Or(page.Date, s.query.now())
	opened, err := s.begin(ctx, page)
	if err != nil {
		return pipeline.Receipt{}, err
	}
	c, err := s.sort(ctx, page)
	if err != nil {
		return pipeline.Receipt{}, err
	}
	lost, err := s.writeDeadLetters(ctx, page.Link, c.dead)
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

// bind ties a commit to the connection that the newest sync used.
//
// A server that comes back with an older copy of its store assigns the same sequences
// again. If another poller has fetched the lost pages by then, its positions may have
// exactly our sequences with other links: both our fences would fit a foreign history.
// Such a server was away, so the connection dropped; whoever reconnects must sync first.
func (s *Sink) bind(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := s.store.Room(); err != nil {
		return nil, nil, err
	}
	ctx, done := s.store.Conn.Epoch(ctx)
	if s.link != s.store.Conn.Generation() {
		done()
		return nil, nil, fmt.Errorf("%w since the newest sync", jets.ErrDisconnected)
	}
	return ctx, done, nil
}

// siftedPage is a page sorted by what is done with its elements.
type siftedPage struct {
	events       []pipeline.Event // to store
	ids          []id             // of events
	dead         []deadLetter
	repeats      int
	publishedMax time.Time // over all elements of the page
}

// sort sifts a page. Before it makes an element a dead letter because of the stream's
// max_msg_size, it reads that limit again: an operator may have raised it.
func (s *Sink) sort(ctx context.Context, page pipeline.Page) (siftedPage, error) {
	c, limit := s.sift(page), s.store.MaxMessage()
	large := func(l deadLetter) bool { return l.event.Flaw == pipeline.FlawTooLarge }
	if !s.store.Limited() || !slices.ContainsFunc(c.dead, large) {
		return c, nil
	}
	if err := s.store.Measure(ctx); err != nil {
		return c, err
	}
	if s.store.MaxMessage() > limit {
		c = s.sift(page)
	}
	return c, nil
}

// sift sorts a page's elements, at commit: the page before may hold the same events.
func (s *Sink) sift(page pipeline.Page) siftedPage {
	limit, envelope := s.store.MaxMessage(), s.envelope()
	seen := make(map[id]int, len(page.Events)) // indexes
	c := siftedPage{events: make([]pipeline.Event, 0, len(page.Events)), ids: make([]id, 0, len(page.Events))}
	for place := range page.Events {
		e := &page.Events[place]
		if e.Flaw != "" {
			c.dead = append(c.dead, deadLetter{*e, place})
			continue
		}
		c.publishedMax = pipeline.Later(c.publishedMax, believable(e.Published, page.Date))
		i := idOf(e.UUID)
		if repeat, conflict := s.repeats(e, i, seen, page.Events); repeat {
			if c.repeats++; conflict {
				c.dead = append(c.dead, deadLetter{*e, place})
				c.dead[len(c.dead)-1].event.Flaw = pipeline.FlawConflict
			}
			continue
		}
		seen[i] = place
		if envelope.Larger(e, limit) {
			c.dead = append(c.dead, deadLetter{*e, place})
			c.dead[len(c.dead)-1].event.Flaw = pipeline.FlawTooLarge
			continue
		}
		c.events, c.ids = append(c.events, *e), append(c.ids, i)
	}
	return c
}

// repeats reports whether an event repeats a recent one, and whether its bytes differ.
func (s *Sink) repeats(e *pipeline.Event, i id, seen map[id]int, events []pipeline.Event) (repeat, conflict bool) {
	if first, ok := seen[i]; ok {
		return true, !bytes.Equal(e.Data, events[first].Data)
	}
	known, ok := s.recent.find(i)
	return ok, ok && known != 0 && known.differs(printOf(e.Data))
}

func (s *Sink) envelope() *envelope {
	return newEnvelope(jets.SubjectEvents(s.store.Kind.Name, s.instance), cmp.Or(s.query.Source, s.query.Origin), s.store.Kind.TypePrefix)
}

// believable limits a published time to the org's own clock: a later one would make a
// reopening start in the future, past events never read.
func believable(published, date time.Time) time.Time {
	if edge := date.Add(time.Second); !date.IsZero() && published.After(edge) { // Date is cut to seconds
		return edge
	}
	return published
}

// write stores a page's events and the position after them: in one batch if the server
// accepts it, else in parts. It returns the number of events stored.
//
// Each part but the last ends in a position with the page's own link and a dedupe_from: a
// restart after it requests the page again and drops the events that are stored.
func (s *Sink) write(ctx context.Context, page pipeline.Page, c siftedPage) (int, error) {
	stored, tries, most := 0, 0, jets.MaxBatch
	for {
		n := min(len(c.events)-stored, s.batch.Most()-1, most)
		last := stored+n == len(c.events)
		if last && n == 0 && page.Next == page.Link && !s.made(page, c.repeats) {
			s.at.CompleteThrough = pipeline.Later(s.at.CompleteThrough, page.Through)
			return stored, nil // nothing moved, so nothing is written
		}
		err := s.part(ctx, page, c, stored, n, last)
		if errors.Is(err, jets.ErrTooLarge) && n > 1 {
			s.batch.Refused(n+1, jets.Limiting(err), time.Now())
			s.log.Warn("batch too large for the server, page split", "events", n, "bytes", page.Bytes, "err", err)
			continue
		}
		if err != nil && n > 0 && tries < foreignTries {
			err = s.overtake(ctx, err, c.ids[stored:])
			if err == nil {
				tries++
				most = max(n/2, leastForeign) // a smaller batch leaves less time for foreign messages
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

// part stores n events of a page from index from, and the position after them, fenced twice.
func (s *Sink) part(ctx context.Context, page pipeline.Page, c siftedPage, from, n int, last bool) error {
	events := c.events[from : from+n]
	pos := s.after(page, events, c.repeats, last)
	if last {
		pos.PublishedMax = pipeline.Later(pos.PublishedMax, c.publishedMax)
	}
	m, err := positionMessage(jets.SubjectPosition(s.store.Kind.Name, s.instance), pos)
	if err != nil {
		return err
	}
	// The position's fence shows that no other writer came in between. The event's fence
	// shows that the recent ids cover everything stored: a deleted or rolled-back
	// position can make an old fence of the first kind valid again.
	jets.Expect(m, s.at.Seq)
	batch := s.messages(events, m, "")
	batch.Drains = page.More // a quiet org's page goes first
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

// messages returns events, the first one fenced, and the position; a live poll has no why.
func (s *Sink) messages(events []pipeline.Event, position *nats.Msg, why pipeline.Why) jets.Messages {
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
			jets.Expect(m, s.lastEvent)
			return m
		}
		return rest.Of(&events[i])
	}
	return jets.Messages{Len: len(events) + 1, At: at, Drains: why != ""}
}

// send publishes a batch and reports the result to the trace.
func (s *Sink) send(ctx context.Context, msgs jets.Messages) (uint64, error) {
	started := time.Now()
	seq, err := s.store.Publisher.PublishEach(ctx, msgs)
	result := "ok"
	switch {
	case errors.Is(err, pipeline.ErrFenced):
		result = "fenced"
		s.trace.Fenced(s.instance)
	case errors.Is(err, jets.ErrTooLarge):
		result = "too_large"
	case err != nil:
		result = "doubt"
	}
	s.trace.Wrote(s.instance, result, time.Since(started))
	s.streamChanged = s.streamChanged || jets.StreamChanged(err)
	if err != nil {
		return 0, fmt.Errorf("publish %d messages: %w", msgs.Len, err)
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
