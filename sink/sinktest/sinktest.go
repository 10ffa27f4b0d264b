// Package sinktest holds the fixtures that tests of the sink's packages share: a store on
// a real server, events, and a stream filled with them.
//
// Package jetstest starts the servers and does not know package jets. Start reading at
// [New].
package sinktest

import (
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
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Fixture is a store on a real server.
type Fixture struct {
	*testing.T
	Server *jetstest.Server
	Store  *jets.Store
}

// New starts a server and a store on it.
func New(t *testing.T, c jetstest.Config) *Fixture {
	t.Helper()
	f := &Fixture{T: t, Server: c.Run(t)}
	f.Open()
	return f
}

// NewProcess is a fixture at a server of its own process, which can be killed.
func NewProcess(t *testing.T) (*Fixture, *jetstest.Process) {
	t.Helper()
	server := jetstest.Config{}.Process(t)
	conn, err := jets.Connect(t.Context(), server.URL(), server.Option(), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	f := &Fixture{T: t}
	f.Store, err = jets.Open(t.Context(), conn, jets.Config{Kinds: Kinds})
	f.OK(err)
	return f, server
}

// Dial connects to a test's server as the program does. With jetstest.DocumentedEnv only
// JS may do more than the service, because tests use it to change streams; of the service
// it carries consumers and the writes of CURSORS.
func Dial(t *testing.T, s *jetstest.Server) *jets.Conn {
	t.Helper()
	c, err := jets.Connect(t.Context(), "", s.Option(), s.AsService())
	if err == nil && s.Documented() {
		c.JS, err = jetstream.New(s.Admin(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Open opens a store on a test's server.
func Open(t *testing.T, s *jetstest.Server, cfg jets.Config) *jets.Store {
	t.Helper()
	store, err := jets.Open(t.Context(), Dial(t, s), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// Open connects as a process that starts does.
func (f *Fixture) Open() {
	f.Helper()
	f.Store = Open(f.T, f.Server, jets.Config{Kinds: Kinds})
}

// OK ends the test if there is an error.
func (f *Fixture) OK(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// Messages reads all messages of a stream.
func (f *Fixture) Messages(name string) func(func(*jetstream.RawStreamMsg) bool) {
	return func(yield func(*jetstream.RawStreamMsg) bool) {
		f.Helper()
		stream, err := f.Store.Conn.JS.Stream(f.Context(), name)
		f.OK(err)
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

// Delete removes one message of SIGNALS, as an operator might.
func (f *Fixture) Delete(seq uint64) {
	f.Helper()
	stream, err := f.Store.Conn.JS.Stream(f.Context(), jets.StreamSignals)
	f.OK(err)
	f.OK(stream.DeleteMsg(f.Context(), seq))
}

// Purge removes all messages on a subject of SIGNALS.
func (f *Fixture) Purge(subject string) {
	f.Helper()
	stream, err := f.Store.Conn.JS.Stream(f.Context(), jets.StreamSignals)
	f.OK(err)
	f.OK(stream.Purge(f.Context(), jetstream.WithPurgeSubject(subject)))
}

// Write publishes as a foreign client.
func (f *Fixture) Write(subject, data string) uint64 {
	f.Helper()
	ack, err := f.Store.Conn.JS.PublishMsg(f.Context(), &nats.Msg{Subject: subject, Data: []byte(data)})
	f.OK(err)
	return ack.Sequence
}

// Ballast fills the server's store but for so many bytes. What it returns makes
// room again.
func (f *Fixture) Ballast(limit, leave uint64) (makeRoom func()) {
	f.Helper()
	js := f.Store.Conn.JS
	_, err := js.CreateStream(f.Context(), jetstream.StreamConfig{Name: "BALLAST", Subjects: []string{"ballast"}})
	f.OK(err)
	used := func() uint64 {
		info, err := js.AccountInfo(f.Context())
		f.OK(err)
		return info.Store
	}
	for used()+leave < limit {
		_, err := js.Publish(f.Context(), "ballast", make([]byte, 16<<10))
		f.OK(err)
	}
	return func() { f.OK(js.DeleteStream(f.Context(), "BALLAST")) }
}

// Put writes a value as a foreign client does.
func Put(t *testing.T, store *jets.Store, bucket, key, value string) {
	t.Helper()
	kv, err := store.Conn.JS.KeyValue(t.Context(), bucket)
	if err == nil {
		_, err = kv.PutString(t.Context(), key, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Origin is that of the org whose events these are.
const Origin = "https://acme.okta.com"

// Epoch is when the events of these tests begin: after a fresh start's since, or
// its published_max would be later than theirs.
var Epoch = time.Now().UTC().Truncate(time.Hour).Add(-10 * time.Hour)

// Event is an event published i minutes after the epoch.
func Event(i int) pipeline.Event {
	at := Epoch.Add(time.Duration(i) * time.Minute)
	e := pipeline.Event{UUID: fmt.Sprintf("id-%04d", i), Type: "user.session.start", Published: at, Time: at.Format("2006-01-02T15:04:05.000Z")}
	e.Data = fmt.Appendf(nil, `{"uuid":%q,"published":%q, "n":%d}`, e.UUID, e.Time, i)
	return e
}

// Events are those from first to last.
func Events(first, last int) []pipeline.Event {
	var list []pipeline.Event
	for i := first; i <= last; i++ {
		list = append(list, Event(i))
	}
	return list
}

// Link is one of the org.
func Link(n int) pipeline.Link { return pipeline.Link(fmt.Sprintf("/api/v1/logs?after=%d", n)) }

// EventMessage is the message of an instance's event.
func EventMessage(instance string, e pipeline.Event) *nats.Msg {
	return &nats.Msg{Subject: jets.SubjectEvents(Kind.Name, instance), Data: e.Data, Header: nats.Header{
		jets.HeaderSpecVersion: {"1.0"}, jets.HeaderID: {e.UUID}, jets.HeaderSource: {Origin}, jets.HeaderType: {Kind.TypePrefix + e.Type},
		jets.HeaderTime: {e.Time}, jets.HeaderContentType: {"application/json"},
	}}
}

// Laid is what a test has put into the stream and what is left of it.
type Laid struct {
	*Fixture
	Rand *rand.Rand
	Msgs []*nats.Msg // by place
	Base uint64      // sequence of the first
	Kept []bool
}

// IsEvent reports whether what was laid at a place is an event, and is kept.
func (l *Laid) IsEvent(i int) bool {
	return l.Kept[i] && strings.HasPrefix(l.Msgs[i].Subject, jets.SubjectEvents(Kind.Name, ""))
}

// Lay stores n messages of instances side by side: pages of at most longest, each
// with its position, as pollers store them.
func Lay(f *Fixture, seed uint64, n, instances, longest int) *Laid {
	f.Helper()
	l := &Laid{Fixture: f, Rand: rand.New(rand.NewPCG(seed, 1))}
	extent, err := f.Store.Conn.Extent(f.Context())
	f.OK(err)
	l.Base = extent.Last + 1
	for len(l.Msgs) < n {
		instance := fmt.Sprintf("org-%02d", l.Rand.IntN(instances))
		for range 1 + l.Rand.IntN(longest) {
			l.Put(EventMessage(instance, Event(len(l.Msgs))))
		}
		l.Put(&nats.Msg{Subject: jets.SubjectPosition(Kind.Name, instance), Data: []byte(`{}`)})
	}
	<-f.Store.Conn.JS.PublishAsyncComplete()
	return l
}

// Put stores one message more, as an asynchronous publish.
func (l *Laid) Put(m *nats.Msg) {
	l.Helper()
	_, err := l.Store.Conn.JS.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute))
	l.OK(err)
	l.Msgs, l.Kept = append(l.Msgs, m), append(l.Kept, true)
}

// Holes deletes messages here and there, in stretches, and those before a place.
func (l *Laid) Holes(ctx context.Context) {
	l.Helper()
	stream, err := l.Store.Conn.JS.Stream(ctx, jets.StreamSignals)
	l.OK(err)
	drop := func(i int) {
		l.OK(stream.DeleteMsg(ctx, l.Base+uint64(i)))
		l.Kept[i] = false
	}
	for range 20 {
		for i, end := l.Rand.IntN(len(l.Msgs)), l.Rand.IntN(20); end >= 0 && i < len(l.Msgs); i, end = i+1, end-1 {
			if l.Kept[i] {
				drop(i)
			}
		}
	}
	cut := l.Rand.IntN(len(l.Msgs) / 10)
	l.OK(stream.Purge(ctx, jetstream.WithPurgeSequence(l.Base+uint64(cut))))
	for i := range cut {
		l.Kept[i] = false
	}
}

// Gate holds a frozen process.
type Gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil: open
}

// Close makes Pass wait.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

// Open ends the wait.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

// Pass waits while the gate is closed.
func (g *Gate) Pass() {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed != nil {
		<-closed
	}
}

// GatedSource is where a frozen process stands still: before and after each call.
type GatedSource struct {
	pipeline.Source
	Gate *Gate
}

// Poll implements pipeline.Source.
func (s GatedSource) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	s.Gate.Pass()
	defer s.Gate.Pass()
	return s.Source.Poll(ctx, link)
}

// LimitSignals sets the size of a message that SIGNALS takes, as an operator might.
func (f *Fixture) LimitSignals(bytes int32) {
	f.Helper()
	stream, err := f.Store.Conn.JS.Stream(f.Context(), jets.StreamSignals)
	f.OK(err)
	config := stream.CachedInfo().Config
	config.MaxMsgSize = bytes
	_, err = f.Store.Conn.JS.UpdateStream(f.Context(), config)
	f.OK(err)
	f.Open()
}

// Large is event i with 100 KB of filler.
func Large(i int) pipeline.Event {
	e := Event(i)
	e.Data = []byte(strings.Replace(string(e.Data), "}", `,"x":"`+strings.Repeat("x", 100<<10)+`"}`, 1))
	return e
}
