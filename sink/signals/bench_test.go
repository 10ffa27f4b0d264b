package signals

import (
	"fmt"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// benchPage is a full page of events of 2 KB.
func benchPage() pipeline.Page {
	list := make([]pipeline.Event, jets.MaxBatch-1)
	for i := range list {
		list[i] = sinktest.Event(i)
		list[i].Data = append(list[i].Data, make([]byte, 2000)...)
	}
	return pipeline.Page{Events: list, Full: true, Date: sinktest.Epoch.Add(24 * time.Hour)}
}

// BenchmarkCommit commits full pages to a server in another process; an
// operation is a page of 999 events.
func BenchmarkCommit(b *testing.B) {
	server := jetstest.Config{}.Process(b)
	conn, err := jets.Connect(b.Context(), server.URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	store, err := jets.Open(b.Context(), conn, jets.Config{Kinds: sinktest.Kinds, MaxBytes: 512 << 20})
	if err != nil {
		b.Fatal(err)
	}
	s := New(store, "prod", query(), nil, nil)
	if _, err := s.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	p := benchPage()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		for i := range p.Events {
			p.Events[i].UUID = fmt.Sprintf("%08d-%024d", i, n)
		}
		p.Link, p.Next = s.at.Link, sinktest.Link(n+1)
		if _, err := s.Commit(b.Context(), s.at, p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(p.Events))/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSift sorts a full page of new events.
func BenchmarkSift(b *testing.B) {
	conn, err := jets.Connect(b.Context(), "", jetstest.Run(b).Option())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	s := New(jets.Attach(conn, sinktest.Kind), "prod", query(), nil, nil)
	p := benchPage()
	b.ReportAllocs()
	for b.Loop() {
		if c := s.sift(p); len(c.events) != len(p.Events) {
			b.Fatal("events are missing")
		}
	}
}

// BenchmarkEventMessage builds the message of an event, without encoding it.
func BenchmarkEventMessage(b *testing.B) {
	e := sinktest.Event(1)
	v := newEnvelope(jets.SubjectEvents(sinktest.Kind.Name, "prod"), sinktest.Origin, sinktest.Kind.TypePrefix)
	b.ReportAllocs()
	for b.Loop() {
		v.Of(&e)
	}
}
