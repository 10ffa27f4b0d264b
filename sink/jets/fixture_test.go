package jets

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// fixture is a store on a real server.
type fixture struct {
	*testing.T
	server *jetstest.Server
	store  *Store
}

// newFixture starts a server and a store on it.
func newFixture(t *testing.T, c jetstest.Config) *fixture {
	t.Helper()
	f := &fixture{T: t, server: c.Run(t)}
	f.open()
	return f
}

// newProcess is a fixture at a server of its own process, which can be killed.
func newProcess(t *testing.T) (*fixture, *jetstest.Process) {
	t.Helper()
	server := jetstest.Config{}.Process(t)
	conn, err := Connect(t.Context(), server.URL(), server.Option(), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	f := &fixture{T: t}
	f.store, err = Open(t.Context(), conn, Config{Kind: kind})
	f.ok(err)
	return f, server
}

// dialed connects to a test's server as the program does.
func dialed(t *testing.T, s *jetstest.Server) *Conn {
	t.Helper()
	c, err := Connect(t.Context(), "", s.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// openedOn opens a store on a test's server.
func openedOn(t *testing.T, s *jetstest.Server, cfg Config) *Store {
	t.Helper()
	store, err := Open(t.Context(), dialed(t, s), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// open connects as a process that starts does.
func (f *fixture) open() {
	f.Helper()
	f.store = openedOn(f.T, f.server, Config{Kind: kind})
}

// ok ends the test if there is an error.
func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// messages reads all messages of a stream.
func (f *fixture) messages(name string) func(func(*jetstream.RawStreamMsg) bool) {
	return func(yield func(*jetstream.RawStreamMsg) bool) {
		f.Helper()
		stream, err := f.store.Conn.JS.Stream(f.Context(), name)
		f.ok(err)
		state := stream.CachedInfo().State
		for seq := state.FirstSeq; seq <= state.LastSeq && state.Msgs > 0; seq++ {
			m, err := stream.GetMsg(f.Context(), seq)
			if err != nil {
				continue // deleted
			}
			if !yield(m) {
				return
			}
		}
	}
}

// delete removes one message of SIGNALS, as an operator might.
func (f *fixture) delete(seq uint64) {
	f.Helper()
	stream, err := f.store.Conn.JS.Stream(f.Context(), StreamSignals)
	f.ok(err)
	f.ok(stream.DeleteMsg(f.Context(), seq))
}

// purge removes all messages on a subject of SIGNALS.
func (f *fixture) purge(subject string) {
	f.Helper()
	stream, err := f.store.Conn.JS.Stream(f.Context(), StreamSignals)
	f.ok(err)
	f.ok(stream.Purge(f.Context(), jetstream.WithPurgeSubject(subject)))
}

// write publishes as a foreign client.
func (f *fixture) write(subject, data string) uint64 {
	f.Helper()
	ack, err := f.store.Conn.JS.PublishMsg(f.Context(), &nats.Msg{Subject: subject, Data: []byte(data)})
	f.ok(err)
	return ack.Sequence
}

// ballast fills the server's store but for so many bytes. What it returns makes
// room again.
func (f *fixture) ballast(limit, leave uint64) (makeRoom func()) {
	f.Helper()
	js := f.store.Conn.JS
	_, err := js.CreateStream(f.Context(), jetstream.StreamConfig{Name: "BALLAST", Subjects: []string{"ballast"}})
	f.ok(err)
	used := func() uint64 {
		info, err := js.AccountInfo(f.Context())
		f.ok(err)
		return info.Store
	}
	for used()+leave < limit {
		_, err := js.Publish(f.Context(), "ballast", make([]byte, 16<<10))
		f.ok(err)
	}
	return func() { f.ok(js.DeleteStream(f.Context(), "BALLAST")) }
}

// putKey writes a value as a foreign client does.
func putKey(t *testing.T, store *Store, bucket, key, value string) {
	t.Helper()
	kv, err := store.Conn.JS.KeyValue(t.Context(), bucket)
	if err == nil {
		_, err = kv.PutString(t.Context(), key, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// origin is that of the org whose events these are.
const origin = "https://acme.okta.com"

// epoch is when the events of these tests begin: after a fresh start's since, or
// its published_max would be later than theirs.
var epoch = time.Now().UTC().Truncate(time.Hour).Add(-10 * time.Hour)

// event is an event published i minutes after the epoch.
func event(i int) pipeline.Event {
	at := epoch.Add(time.Duration(i) * time.Minute)
	e := pipeline.Event{UUID: fmt.Sprintf("id-%04d", i), Type: "user.session.start", Published: at, Time: at.Format("2006-01-02T15:04:05.000Z")}
	e.Data = fmt.Appendf(nil, `{"uuid":%q,"published":%q, "n":%d}`, e.UUID, e.Time, i)
	return e
}

// events are those from first to last.
func events(first, last int) []pipeline.Event {
	var list []pipeline.Event
	for i := first; i <= last; i++ {
		list = append(list, event(i))
	}
	return list
}

// link is one of the org.
func link(n int) pipeline.Link { return pipeline.Link(fmt.Sprintf("/api/v1/logs?after=%d", n)) }

// eventMessage is the message of an instance's event.
func eventMessage(instance string, e pipeline.Event) *nats.Msg {
	return &nats.Msg{Subject: SubjectEvents(instance), Data: e.Data, Header: nats.Header{
		headerSpecVersion: {"1.0"}, headerID: {e.UUID}, headerSource: {origin}, headerType: {kind.TypePrefix + e.Type},
		headerTime: {e.Time}, headerContentType: {"application/json"},
	}}
}

// laid is what a test has put into the stream and what is left of it.
type laid struct {
	*fixture
	rand *rand.Rand
	msgs []*nats.Msg // by place
	base uint64      // sequence of the first
	kept []bool
}

// isEvent reports whether what was laid at a place is an event, and is kept.
func (l *laid) isEvent(i int) bool {
	return l.kept[i] && strings.HasPrefix(l.msgs[i].Subject, SubjectEvents(""))
}

// lay stores n messages of instances side by side: pages of at most longest, each
// with its position, as pollers store them.
func lay(f *fixture, seed uint64, n, instances, longest int) *laid {
	f.Helper()
	l := &laid{fixture: f, rand: rand.New(rand.NewPCG(seed, 1))}
	extent, err := f.store.Conn.Extent(f.Context())
	f.ok(err)
	l.base = extent.Last + 1
	for len(l.msgs) < n {
		instance := fmt.Sprintf("org-%02d", l.rand.IntN(instances))
		for range 1 + l.rand.IntN(longest) {
			l.put(eventMessage(instance, event(len(l.msgs))))
		}
		l.put(&nats.Msg{Subject: SubjectPosition(instance), Data: []byte(`{}`)})
	}
	<-f.store.Conn.JS.PublishAsyncComplete()
	return l
}

// put stores one message more, as an asynchronous publish.
func (l *laid) put(m *nats.Msg) {
	l.Helper()
	_, err := l.store.Conn.JS.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute))
	l.ok(err)
	l.msgs, l.kept = append(l.msgs, m), append(l.kept, true)
}

// holes deletes messages here and there, in stretches, and those before a place.
func (l *laid) holes(ctx context.Context) {
	l.Helper()
	stream, err := l.store.Conn.JS.Stream(ctx, StreamSignals)
	l.ok(err)
	drop := func(i int) {
		l.ok(stream.DeleteMsg(ctx, l.base+uint64(i)))
		l.kept[i] = false
	}
	for range 20 {
		for i, end := l.rand.IntN(len(l.msgs)), l.rand.IntN(20); end >= 0 && i < len(l.msgs); i, end = i+1, end-1 {
			if l.kept[i] {
				drop(i)
			}
		}
	}
	cut := l.rand.IntN(len(l.msgs) / 10)
	l.ok(stream.Purge(ctx, jetstream.WithPurgeSequence(l.base+uint64(cut))))
	for i := range cut {
		l.kept[i] = false
	}
}

// lockedBuffer is what a log said.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) count(words string) int { return strings.Count(l.String(), words) }

// gate holds a frozen process.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil: open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed != nil {
		<-closed
	}
}

// gatedSource is where a frozen process stands still: before and after each call.
type gatedSource struct {
	pipeline.Source
	gate *gate
}

func (s gatedSource) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	s.gate.pass()
	defer s.gate.pass()
	return s.Source.Poll(ctx, link)
}

// limitSignals sets the size of a message that SIGNALS takes, as an operator might.
func (f *fixture) limitSignals(bytes int32) {
	f.Helper()
	stream, err := f.store.Conn.JS.Stream(f.Context(), StreamSignals)
	f.ok(err)
	config := stream.CachedInfo().Config
	config.MaxMsgSize = bytes
	_, err = f.store.Conn.JS.UpdateStream(f.Context(), config)
	f.ok(err)
	f.open()
}

// large is event i with 100 KB of filler.
func large(i int) pipeline.Event {
	e := event(i)
	e.Data = []byte(strings.Replace(string(e.Data), "}", `,"x":"`+strings.Repeat("x", 100<<10)+`"}`, 1))
	return e
}
