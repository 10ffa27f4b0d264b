package jets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// TestSamples passes real events from an org through client and sink to the
// stream, byte for byte. They are no part of the project.
func TestSamples(t *testing.T) {
	path := os.Getenv("SIGNAL_CLIENT_SAMPLES")
	if path == "" {
		t.Skip("SIGNAL_CLIENT_SAMPLES names no file of real events, one a line")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { passThrough(t, bytes.Split(bytes.TrimSpace(text), []byte("\n"))) })
}

func passThrough(t *testing.T, lines [][]byte) {
	t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
	st := newStand(t, jetstest.Config{})
	for i, lines := range asOrgs(t, lines) {
		st.passThrough(fmt.Sprint("org-", i+1), lines)
	}
}

// asOrgs deals lines with the same uuid to different orgs: in one of them the
// second would be a repeat, and dropped.
func asOrgs(t *testing.T, lines [][]byte) [][][]byte {
	t.Helper()
	var orgs [][][]byte
	times := map[string]int{}
	for _, line := range lines {
		var event struct{ UUID string }
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		n := times[event.UUID]
		if times[event.UUID]++; n == len(orgs) {
			orgs = append(orgs, nil)
		}
		orgs[n] = append(orgs[n], line)
	}
	return orgs
}

// passThrough polls an org that has these events, and no other, to its end.
func (st *stand) passThrough(instance string, lines [][]byte) {
	st.Helper()
	org := oktatest.New(oktatest.Config{Origin: simOrigin, Links: oktatest.Links{Vary: true}})
	for _, line := range lines {
		org.Add(oktatest.Event{Data: line, Published: time.Now(), Persisted: time.Now()}) // not what the line says: it may be too old to be kept
	}
	w := &world{T: st.T, limit: 2, started: time.Now()}
	runner := &pipeline.Runner{
		Instance: instance,
		Source: &okta.Client{Instance: instance, Origin: simOrigin, Token: pipeline.NewSecret("00secret"), Limit: w.limit,
			HTTP: &http.Client{Transport: org.Transport()}},
		Sink: st.store.Sink(instance, w.query(), nil, nil),
	}
	ctx, stop := context.WithTimeout(st.Context(), 10*time.Minute)
	defer stop()
	st.ok(runner.Run(ctx))
	stored := 0
	for m := range st.messages(StreamSignals) {
		if m.Subject != SubjectEvents(instance) {
			continue
		}
		if stored == len(lines) || !bytes.Equal(m.Data, lines[stored]) {
			st.Fatalf("event %d of %s is stored as %s", stored+1, instance, m.Data)
		}
		checkHeaders(st.T, m)
		stored++
	}
	if stored != len(lines) {
		st.Fatalf("%d of %d events of %s stored", stored, len(lines), instance)
	}
}

// checkHeaders checks that a consumer can route a real event by its headers.
func checkHeaders(t *testing.T, m *jetstream.RawStreamMsg) {
	t.Helper()
	for _, name := range []string{headerID, headerType, headerTime} {
		if v := m.Header[name]; len(v) != 1 || v[0] == "" || v[0] == typePrefix+"unknown" {
			t.Errorf("message %d: %s is %q", m.Sequence, name, v)
		}
	}
}
