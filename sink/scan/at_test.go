package scan

import (
	"errors"
	"testing"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// At returns an event with its bytes, or why a sequence has none.
func TestAt(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	old := st.Write(jets.SubjectEvents("okta", "acme"), `{"uuid":"a"}`)
	gone := st.Write(jets.SubjectEvents("okta", "acme"), `{"uuid":"b"}`)
	seq := st.Write(jets.SubjectEvents("okta", "acme"), `{"uuid":"c",  "x":"<i>"}`)
	position := st.Write(jets.SubjectPosition("okta", "acme"), `{}`)
	foreign := st.Write("signals.auth0.acme", `{}`)
	removed := st.Write(jets.SubjectEvents("okta", "acme"), `{}`)
	last := st.Write(jets.SubjectEvents("okta", "acme"), `{}`)
	for _, s := range []uint64{old, gone, removed} {
		st.Delete(s)
	}
	at := func(seq uint64) (*Stored, error) {
		return At(t.Context(), st.Store.Conn, []*pipeline.Kind{{Name: "auth1"}, sinktest.Kind}, seq)
	}

	e, err := at(seq)
	st.OK(err)
	if string(e.Data) != `{"uuid":"c",  "x":"<i>"}` || e.Instance != "acme" || e.Seq != seq || e.ID() != "c" || e.At.IsZero() {
		t.Errorf("got %+v", e)
	}
	for seq, want := range map[uint64]Absence{
		0: AgedOut, old: AgedOut, gone: AgedOut, position: NoEvent, foreign: NoEvent, removed: Removed, last + 1: NotYet, 1<<64 - 1: NotYet,
	} {
		_, err := at(seq)
		absent, ok := errors.AsType[*AbsentError](err)
		if !ok || absent.Why != want || absent.Seq != seq {
			t.Errorf("%d: %v, want %q", seq, err, want)
			continue
		}
		if (want == NoEvent) != (absent.Message != nil) || want != NoEvent && absent.Last != last {
			t.Errorf("%d: %+v", seq, absent)
		}
	}
}

func TestNewest(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	st.Write(jets.SubjectEvents("okta", "acme"), `{"uuid":"a"}`)
	seq := st.Write(jets.SubjectEvents("okta", "acme"), `{"uuid":"b"}`)
	st.Write(jets.SubjectEvents("okta", "other"), `{"uuid":"c"}`)
	e, err := Newest(t.Context(), st.Store.Conn, sinktest.Kind, "acme")
	st.OK(err)
	if e.Seq != seq || e.ID() != "b" || e.Instance != "acme" {
		t.Errorf("got %+v", e)
	}
	if _, err := Newest(t.Context(), st.Store.Conn, sinktest.Kind, "none"); !errors.Is(err, jets.ErrNoMessage) {
		t.Errorf("without an event: %v", err)
	}
}
