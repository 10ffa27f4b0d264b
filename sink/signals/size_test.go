package signals

import (
	"strconv"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

func TestLoneEvent(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	for i := 1; i <= 4; i++ {
		st.commit(s, short(s, i, sinktest.Events(i, i)))
		if i == 2 {
			s = st.synced()
		}
	}
	st.wantEvents(1, 4)
}

// TestEventOfNineMegabytes: the event is larger than the server accepts. As much of it as
// fits is kept, and the events around it are stored.
func TestEventOfNineMegabytes(t *testing.T) {
	const size = 9 << 20
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	huge := sinktest.Event(2)
	huge.Data = []byte(`{"uuid":"id-0002","x":"` + strings.Repeat("x", size) + `"}`)
	r := st.commit(s, page(s, 1, []pipeline.Event{sinktest.Event(1), huge, sinktest.Event(3)}))
	if r.Stored != 2 || r.DeadLetters != 1 {
		t.Fatalf("receipt %+v", r)
	}
	for m := range st.Messages(jets.StreamDeadLetter) {
		told, _ := strconv.Atoi(m.Header.Get(HeaderSize))
		if told != len(huge.Data) || len(m.Data) < 7<<20 || !strings.HasPrefix(string(huge.Data), string(m.Data)) {
			t.Errorf("dead letter of %d bytes, said to be %d", len(m.Data), told)
		}
	}
	if !s.at.PublishedMax.Equal(sinktest.Event(3).Published) {
		t.Errorf("published_max %v", s.at.PublishedMax)
	}
}
