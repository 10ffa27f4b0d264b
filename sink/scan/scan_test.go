package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// check compares what a range yields with what was laid.
func check(l *sinktest.Laid, r Range) {
	l.Helper()
	i := 0
	for e, err := range Events(l.Context(), l.Store.Conn, r) {
		l.OK(err)
		for ; i < len(l.Msgs) && !wanted(l, r, i); i++ {
		}
		if i == len(l.Msgs) {
			l.Fatalf("%+v: %d of %s is one too many", r, e.Seq, e.Instance)
		}
		m := l.Msgs[i]
		if e.Seq != l.Base+uint64(i) || jets.SubjectEvents(sinktest.Kind.Name, e.Instance) != m.Subject || !bytes.Equal(e.Data, m.Data) || jets.EncodeHeader(e.ID()) != m.Header.Get(jets.HeaderID) || e.At.IsZero() {
			l.Fatalf("%+v: got %d of %s, want %d of %s", r, e.Seq, e.Instance, l.Base+uint64(i), m.Subject)
		}
		i++
	}
	for ; i < len(l.Msgs); i++ {
		if wanted(l, r, i) {
			l.Fatalf("%+v: %d of %s is missing", r, l.Base+uint64(i), l.Msgs[i].Subject)
		}
	}
}

// wanted reports whether what was laid at a place belongs to a range, and is kept.
func wanted(l *sinktest.Laid, r Range, i int) bool {
	seq, instance := l.Base+uint64(i), instanceOf(sinktest.Kind.Name, l.Msgs[i].Subject)
	return l.Kept[i] && instance != "" && seq >= r.From && (r.Through == 0 || seq <= r.Through) && selects(r.Instances, instance)
}

// Random ranges of random streams are read as they were stored: pages long and short,
// single messages, holes, rare instances.
func TestEventsOfRanges(t *testing.T) {
	for seed, longest := range []int{1, 3, 40, 700} {
		t.Run(fmt.Sprint("pages of ", longest), func(t *testing.T) {
			st := sinktest.New(t, jetstest.Config{})
			l := sinktest.Lay(st, uint64(seed), 4000, 12, longest)
			for round := range 2 {
				check(l, Range{Kind: sinktest.Kind})
				for range 8 {
					a, b := uint64(l.Rand.IntN(len(l.Msgs))), uint64(l.Rand.IntN(len(l.Msgs)))
					r := Range{Kind: sinktest.Kind, From: l.Base + min(a, b), Through: l.Base + max(a, b), Lanes: 1 + l.Rand.IntN(5)}
					switch l.Rand.IntN(4) {
					case 0:
						r.Through = 0
					case 1:
						r.From = 0
					}
					for range l.Rand.IntN(3) {
						r.Instances = append(r.Instances, fmt.Sprintf("org-%02d", l.Rand.IntN(13)))
					}
					if l.Rand.IntN(4) == 0 {
						r.Instances = []string{"*-0*"}
					}
					check(l, r)
				}
				if round == 0 {
					l.Holes(t.Context())
				}
			}
		})
	}
}

// What is stored during a reading is after the end that was found at its beginning.
func TestEventsWhileTheStreamGrows(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	l := sinktest.Lay(st, 1, 3000, 3, 50)
	n, end := 0, uint64(0)
	r := Range{Kind: sinktest.Kind, Instances: []string{"org-01"}, Begun: func(_, through uint64) { end = through }}
	for e, err := range Events(t.Context(), st.Store.Conn, r) {
		st.OK(err)
		if e.Seq > end {
			t.Fatalf("%d was stored after the beginning", e.Seq)
		}
		if n++; n%100 == 1 {
			_, err := st.Store.Conn.JS.PublishMsg(t.Context(), sinktest.EventMessage("org-01", sinktest.Event(n)))
			st.OK(err)
		}
	}
	want := 0
	for i := range l.Msgs {
		if wanted(l, r, i) {
			want++
		}
	}
	if n != want {
		t.Errorf("%d events, want %d", n, want)
	}
}

// NATS goes away during a reading and comes back: the reading continues where it was.
func TestEventsThroughARestart(t *testing.T) {
	st, server := sinktest.NewProcess(t)
	l := sinktest.Lay(st, 1, 8000, 5, 50)
	for _, instances := range [][]string{{"org-01"}, nil} {
		var seqs []uint64
		var told []error
		r := Range{Kind: sinktest.Kind, Instances: instances, Away: func(err error) { told = append(told, err) }}
		for e, err := range Events(t.Context(), st.Store.Conn, r) {
			st.OK(err)
			if seqs = append(seqs, e.Seq); len(seqs) == 500 {
				server.Kill()
				server.Start(t)
			}
		}
		var want []uint64
		for i := range l.Msgs {
			if wanted(l, r, i) {
				want = append(want, l.Base+uint64(i))
			}
		}
		if !slices.Equal(seqs, want) {
			t.Errorf("%v: %d events, want %d", instances, len(seqs), len(want))
		}
		if len(told)%2 != 0 || len(told) > 0 && (told[0] == nil || told[1] != nil) {
			t.Errorf("told %v", told)
		}
	}
}

// Messages that are removed before they are read are reported.
func TestEventsRemovedMeanwhile(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	l := sinktest.Lay(st, 1, 16_000, 2, 50)
	stream, err := st.Store.Conn.JS.Stream(t.Context(), jets.StreamSignals)
	st.OK(err)
	cut := l.Base + 14_000
	seen := map[uint64]bool{}
	var gone [][2]uint64
	r := Range{Kind: sinktest.Kind, Lanes: 1, Gone: func(first, last uint64) { gone = append(gone, [2]uint64{first, last}) }}
	for e, err := range Events(t.Context(), st.Store.Conn, r) {
		st.OK(err)
		if seen[e.Seq] = true; len(seen) == 100 {
			st.OK(stream.Purge(t.Context(), jetstream.WithPurgeSequence(cut)))
		}
	}
	for i := range l.Msgs {
		seq := l.Base + uint64(i)
		told := slices.ContainsFunc(gone, func(g [2]uint64) bool { return g[0] <= seq && seq <= g[1] })
		if wanted(l, r, i) && !seen[seq] && !told {
			t.Fatalf("%d is missing, and that was not told: %v", seq, gone)
		}
		if told && seq >= cut {
			t.Fatalf("%d was not removed, told as gone: %v", seq, gone)
		}
	}
	if len(gone) == 0 {
		t.Error("nothing was told")
	}
}

// A purge of a subject leaves the stream's first sequence unchanged; the missing events
// are reported all the same, but not those that were removed before.
func TestEventsOfASubjectRemovedMeanwhile(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	l := sinktest.Lay(st, 1, 16_000, 2, 50)
	stream, err := st.Store.Conn.JS.Stream(t.Context(), jets.StreamSignals)
	st.OK(err)
	for _, purge := range []bool{true, false} {
		var gone [][2]uint64
		n, all := 0, Range{Kind: sinktest.Kind, Lanes: 1, Instances: []string{"org-01"}, Gone: func(first, last uint64) { gone = append(gone, [2]uint64{first, last}) }}
		for _, err := range Events(t.Context(), st.Store.Conn, all) {
			st.OK(err)
			if n++; n == 100 && purge {
				st.OK(stream.Purge(t.Context(), jetstream.WithPurgeSubject(jets.SubjectEvents(sinktest.Kind.Name, "org-01")), jetstream.WithPurgeSequence(l.Base+15_900)))
			}
		}
		if purge != (len(gone) > 0) {
			t.Errorf("purged: %t, %d events, told %v", purge, n, gone)
		}
	}
}

func TestEventsOfAStreamMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := sinktest.New(t, jetstest.Config{})
		sinktest.Lay(st, 1, 16_000, 2, 50)
		var last error
		n := 0
		for _, err := range Events(t.Context(), st.Store.Conn, Range{Kind: sinktest.Kind, Lanes: 1}) {
			if n++; n == 100 {
				synctest.Wait() // the lane is as far ahead as it may be: it asks for nothing while there is no stream
				st.OK(st.Store.Conn.JS.DeleteStream(t.Context(), jets.StreamSignals))
				time.Sleep(time.Second) // two streams are told apart by when they were made
				st.OK(st.Store.Ensure(t.Context()))
			}
			last = err
		}
		if !errors.Is(last, ErrOtherStream) {
			t.Errorf("ended with %v", last)
		}
	})
}

// A cancelled reading ends, whatever its lanes are doing.
func TestEventsCancelled(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	sinktest.Lay(st, 1, 5000, 2, 50)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range Events(ctx, st.Store.Conn, Range{Kind: sinktest.Kind}) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
	for range Events(t.Context(), st.Store.Conn, Range{Kind: sinktest.Kind}) {
		break
	}
}

// Large events are read, including some that fit no answer, even by a reader so slow that
// the server drops its consumer.
func TestEventsLargeAndTakenSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := layLarge(sinktest.New(t, jetstest.Config{}), 600_000, 1_000_000, 1_400_000)
		read(l, Range{Kind: sinktest.Kind, Lanes: 1, Away: func(err error) { t.Errorf("away: %v", err) }}, func(n int) {
			if n < 5 {
				time.Sleep(2 * jets.IdleTime)
			}
		})
	})
}

// What the server has sent and did not arrive is read all the same.
func TestEventsLostOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := layLarge(sinktest.New(t, jetstest.Config{}), 900_000)
		stolen := 0
		read(l, Range{Kind: sinktest.Kind, Lanes: 1}, func(n int) {
			if n < 5 {
				time.Sleep(time.Second)
				stolen += steal(l.Fixture)
			}
		})
		if stolen == 0 {
			t.Error("nothing got lost")
		}
	})
}

// layLarge stores 24 events of the sizes in turn: few of them are in an answer, so that
// a reading does not get far ahead.
func layLarge(st *sinktest.Fixture, sizes ...int) *sinktest.Laid {
	st.Helper()
	l := sinktest.Lay(st, 1, 0, 1, 1)
	for i := range 24 {
		l.Put(&nats.Msg{Subject: jets.SubjectEvents(sinktest.Kind.Name, "org-00"), Data: bytes.Repeat([]byte{'a' + byte(i)%26}, sizes[i%len(sizes)]), Header: nats.Header{jets.HeaderID: {"id"}}})
	}
	<-st.Store.Conn.JS.PublishAsyncComplete()
	return l
}

// read reads what was laid, all of it, and calls then after each event.
func read(l *sinktest.Laid, r Range, then func(n int)) {
	l.Helper()
	n := 0
	for e, err := range Events(l.Context(), l.Store.Conn, r) {
		l.OK(err)
		if want := l.Msgs[n]; e.Seq != l.Base+uint64(n) || !bytes.Equal(e.Data, want.Data) {
			l.Fatalf("got %d of %d bytes, want %d of %d", e.Seq, len(e.Data), l.Base+uint64(n), len(want.Data))
		}
		n++
		then(n)
	}
	if n != len(l.Msgs) {
		l.Errorf("%d events, want %d", n, len(l.Msgs))
	}
}

// steal takes the next message of each of SIGNALS's consumers away from its reader, and
// returns their number.
func steal(st *sinktest.Fixture) (consumers int) {
	st.Helper()
	stream, err := st.Store.Conn.JS.Stream(st.Context(), jets.StreamSignals)
	st.OK(err)
	names := stream.ConsumerNames(st.Context())
	for name := range names.Name() {
		c, err := stream.Consumer(st.Context(), name)
		st.OK(err)
		_, err = c.Next()
		st.OK(err)
		consumers++
	}
	st.OK(names.Err())
	return consumers
}

// However a reading ends, it leaves no consumer behind: a server has room for 1,000.
func TestEventsLeaveNoConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := sinktest.New(t, jetstest.Config{})
		sinktest.Lay(st, 1, 10_000, 2, 50)
		for end := range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			for range Events(ctx, st.Store.Conn, Range{Kind: sinktest.Kind, Instances: []string{"org-01"}}) {
				if n++; n == 300 && end == 1 {
					break
				} else if n == 300 && end == 2 {
					cancel()
				}
			}
			cancel()
			i, err := st.Store.Conn.Info(t.Context(), jets.StreamSignals)
			if st.OK(err); i.State.Consumers > 0 {
				t.Errorf("%d consumers are left", i.State.Consumers)
			}
		}
	})
}

// A user who may not read is told so, rather than that NATS is away.
func TestEventsRefused(t *testing.T) {
	for _, deny := range []string{"$JS.API.CONSUMER.CREATE.SIGNALS.>", "$JS.API.CONSUMER.MSG.NEXT.SIGNALS.>"} {
		synctest.Test(t, func(t *testing.T) {
			st := sinktest.New(t, jetstest.Config{Password: "p", Deny: deny})
			sinktest.Lay(st, 1, 100, 3, 50)
			var last error
			for _, err := range Events(t.Context(), st.Store.Conn, Range{Kind: sinktest.Kind}) {
				last = err
			}
			if !errors.Is(last, nats.ErrPermissionViolation) {
				t.Errorf("without %s it ended with %v", deny, last)
			}
		})
	}
}

func TestSequenceAt(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	l := sinktest.Lay(st, 1, 100, 2, 5)
	m, err := st.Store.Conn.At(t.Context(), jets.StreamSignals, l.Base+50)
	st.OK(err)
	seq, err := SequenceAt(t.Context(), st.Store.Conn, m.Time)
	st.OK(err)
	if seq != l.Base+50 {
		t.Errorf("%d, want %d", seq, l.Base+50)
	}
	seq, err = SequenceAt(t.Context(), st.Store.Conn, m.Time.Add(time.Hour))
	st.OK(err)
	if want := l.Base + uint64(len(l.Msgs)); seq != want {
		t.Errorf("%d, want %d", seq, want)
	}
}
