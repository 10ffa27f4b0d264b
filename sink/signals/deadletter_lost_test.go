package signals

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// burial is a sink whose dead letters are counted.
type burial struct {
	*fixture
	sink       *Sink
	kept, lost int
	told       bytes.Buffer
}

func newBurial(st *fixture) *burial {
	b := &burial{fixture: st}
	trace := &pipeline.Trace{
		DeadLetter:     func(string, pipeline.Flaw) { b.kept++ },
		DeadLetterLost: func(string, pipeline.Flaw) { b.lost++ },
	}
	b.sink = New(st.Store, "prod", query(), trace, slog.New(slog.NewTextHandler(&b.told, nil)))
	_, err := b.sink.Sync(st.Context())
	st.OK(err)
	return b
}

// mixed returns a page of five events from first on, with two elements between them that
// are not events.
func (b *burial) mixed(next, first int) pipeline.Page {
	list := sinktest.Events(first, first+1)
	list = append(list, pipeline.Event{Data: []byte(`null`), Flaw: pipeline.FlawNotObject},
		pipeline.Event{Data: []byte(`{"uuid":7}`), Flaw: pipeline.FlawNoUUID})
	return page(b.sink, next, append(list, sinktest.Events(first+2, first+4)...))
}

// edit changes DEADLETTER, as an operator does.
func (b *burial) edit(change func(*jetstream.StreamConfig)) {
	b.Helper()
	s, err := b.Store.Conn.JS.Stream(b.Context(), jets.StreamDeadLetter)
	b.OK(err)
	config := s.CachedInfo().Config
	change(&config)
	_, err = b.Store.Conn.JS.UpdateStream(b.Context(), config)
	b.OK(err)
}

// want checks how many dead letters were kept and lost, and what was logged.
func (b *burial) want(kept, lost int) {
	b.Helper()
	said := strings.Count(b.told.String(), "kept as dead letter")
	saidLost := strings.Count(b.told.String(), "level=ERROR")
	if b.kept != kept || b.lost != lost || said != kept || saidLost != lost {
		b.Errorf("%d kept (%d said), %d lost (%d said); want %d and %d\n%s", b.kept, said, b.lost, saidLost, kept, lost, b.told.String())
	}
	n := 0
	for range b.Messages(jets.StreamDeadLetter) {
		n++
	}
	if n != kept {
		b.Errorf("%d dead letters are stored, want %d", n, kept)
	}
}

// TestDeadLetterThatCantBeKept: DEADLETTER refuses everything, for various reasons. The
// good events are stored, and the loss is reported.
func TestDeadLetterThatCantBeKept(t *testing.T) {
	cases := map[string]struct {
		change     func(*jetstream.StreamConfig)
		kept, lost int // of two pages with two each
	}{
		"full by count": {func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardNew, 1 }, 1, 3},
		"full by bytes": {func(c *jetstream.StreamConfig) { c.Discard, c.MaxBytes = jetstream.DiscardNew, 300 }, 1, 3},
		"full by subject": {func(c *jetstream.StreamConfig) {
			c.Discard, c.DiscardNewPerSubject, c.MaxMsgsPerSubject = jetstream.DiscardNew, true, 2
		}, 2, 2},
		"sealed":            {func(c *jetstream.StreamConfig) { c.Sealed = true }, 0, 4},
		"no room for any":   {func(c *jetstream.StreamConfig) { c.MaxMsgSize = 20 }, 0, 4},
		"another's subject": {func(c *jetstream.StreamConfig) { c.Subjects = []string{"deadletter.other.>"} }, 4, 0}, // mended
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBurial(newFixture(t, jetstest.Config{}))
			b.edit(c.change)
			for n := range 2 {
				p := b.mixed(n+1, 5*n+1)
				r, err := b.sink.Commit(t.Context(), b.sink.at, p)
				if err != nil { // what mends a stream
					_, err = b.sink.Sync(t.Context())
					b.OK(err)
					r, err = b.sink.Commit(t.Context(), b.sink.at, p)
				}
				b.OK(err)
				if r.Stored != 5 || r.Position.Link != sinktest.Link(n+1) {
					t.Errorf("receipt %+v", r)
				}
			}
			b.want(c.kept, c.lost)
			b.wantEvents(1, 10)
		})
	}
}

// TestDeadLettersOfAFullServer: a server without room accepts neither the dead letters
// nor the events. Once there is room, both are stored and none is lost.
func TestDeadLettersOfAFullServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // after the server's end: a loop of its file store's ends a little later
		const limit = 8 << 20
		st := newFixture(t, jetstest.Config{MaxStore: limit})
		b := newBurial(st)
		makeRoom := st.Ballast(limit, 0)
		list := b.mixed(1, 1)
		if _, err := b.sink.Commit(t.Context(), b.sink.at, list); err == nil || errors.Is(err, pipeline.ErrFenced) {
			t.Fatalf("a commit into a store that is full gave %v", err)
		}
		makeRoom()
		_, err := b.sink.Sync(t.Context())
		st.OK(err)
		if r := st.commit(b.sink, list); r.Stored != 5 {
			t.Errorf("receipt %+v", r)
		}
		if b.kept != 2 || b.lost != 0 {
			t.Errorf("%d dead letters are kept, %d counted as lost", b.kept, b.lost)
		}
		st.wantEvents(1, 5)
	})
}

// TestDeadLetterInDoubt: a server that does not answer for a moment has refused nothing.
// Nothing is skipped.
func TestDeadLetterInDoubt(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	b := newBurial(st)
	st.Server.Stop()
	list := b.mixed(1, 1)
	if _, err := b.sink.Commit(t.Context(), b.sink.at, list); err == nil {
		t.Fatal("a commit without a server worked")
	}
	st.Server.Start(t)
	st.OK(st.Store.Conn.Up(t.Context()))
	_, err := b.sink.Sync(t.Context())
	st.OK(err)
	st.commit(b.sink, list)
	b.want(2, 0)
	st.wantEvents(1, 5)
}

// TestDeadLetterStreamIsMadeAnew: somebody removed DEADLETTER.
func TestDeadLetterStreamIsMadeAnew(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	b := newBurial(st)
	st.OK(st.Store.Conn.JS.DeleteStream(t.Context(), jets.StreamDeadLetter))
	list := b.mixed(1, 1)
	if _, err := b.sink.Commit(t.Context(), b.sink.at, list); err != nil {
		_, err := b.sink.Sync(t.Context())
		st.OK(err)
		st.commit(b.sink, list)
	}
	b.want(2, 0)
	st.wantEvents(1, 5)
}

// TestDeadLetterWithoutPermission: the user may publish events, and no dead letters.
func TestDeadLetterWithoutPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newFixture(t, jetstest.Config{Password: "secret", Deny: jets.SubjectDeadLetter(sinktest.Kind.Name, "prod")})
		b := newBurial(st)
		if r := st.commit(b.sink, b.mixed(1, 1)); r.Stored != 5 {
			t.Errorf("receipt %+v", r)
		}
		b.want(0, 2)
		st.wantEvents(1, 5)
	})
}

// TestDeadLetterLargerThanItsStream: a dead letter that DEADLETTER would acknowledge and
// drop at once for its size is cut.
func TestDeadLetterLargerThanItsStream(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	newBurial(st).edit(func(c *jetstream.StreamConfig) { c.MaxBytes = 4096 })
	st.Open()
	b := newBurial(st)
	large := []byte(`"` + strings.Repeat("x", 10_000) + `"`)
	st.commit(b.sink, page(b.sink, 1, []pipeline.Event{sinktest.Event(1), {Data: large, Flaw: pipeline.FlawNotObject}}))
	b.want(1, 0)
}
