package jets

import (
	"fmt"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// benchPage is a full page of events of 2 KB.
func benchPage() pipeline.Page {
	list := make([]pipeline.Event, MaxBatch-1)
	for i := range list {
		list[i] = event(i)
		list[i].Data = append(list[i].Data, make([]byte, 2000)...)
	}
	return pipeline.Page{Events: list, Full: true, Date: epoch.Add(24 * time.Hour)}
}

// BenchmarkCommit commits full pages to a server in another process; an
// operation is a page of 999 events.
func BenchmarkCommit(b *testing.B) {
	server := jetstest.Config{}.Process(b)
	conn, err := Connect(b.Context(), server.URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	store, err := Open(b.Context(), conn, Config{Kind: kind, MaxBytes: 512 << 20})
	if err != nil {
		b.Fatal(err)
	}
	s := NewSink(store, "prod", query(), nil, nil)
	if _, err := s.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	p := benchPage()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		for i := range p.Events {
			p.Events[i].UUID = fmt.Sprintf("%08d-%024d", i, n)
		}
		p.Link, p.Next = s.at.Link, link(n+1)
		if _, err := s.Commit(b.Context(), s.at, p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(p.Events))/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSift sorts a full page of which all is new.
func BenchmarkSift(b *testing.B) {
	conn, err := Connect(b.Context(), "", jetstest.Run(b).Option())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	s := NewSink(Attach(conn, kind), "prod", query(), nil, nil)
	p := benchPage()
	b.ReportAllocs()
	for b.Loop() {
		if c := s.sift(p); len(c.events) != len(p.Events) {
			b.Fatal("events are missing")
		}
	}
}

// BenchmarkEventMessage makes the message of an event, encoding aside.
func BenchmarkEventMessage(b *testing.B) {
	e := event(1)
	v := newEnvelope(SubjectEvents("prod"), origin, kind.TypePrefix)
	b.ReportAllocs()
	for b.Loop() {
		v.Of(&e)
	}
}
