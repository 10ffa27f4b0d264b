package jets

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Inspect reports what is missing, what an operator narrowed and what can't be used, and
// changes nothing.
func TestInspect(t *testing.T) {
	ctx := t.Context()
	server := jetstest.Run(t)
	conn, err := Connect(ctx, "", server.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	inspect := func() map[string]Inspection {
		t.Helper()
		all, err := conn.Inspect(ctx, Config{Kinds: oktaKinds, MaxBytes: LeastBytes})
		if err != nil {
			t.Fatal(err)
		}
		each := map[string]Inspection{}
		for _, i := range all {
			each[i.Name] = i
		}
		return each
	}
	for name, i := range inspect() {
		if !i.Missing || i.Info != nil || i.Unfit != nil {
			t.Errorf("%s before all: %+v", name, i)
		}
	}
	if _, err := conn.JS.CreateStream(ctx, jetstream.StreamConfig{Name: StreamSignals, Subjects: []string{"signals.>"}, MaxBytes: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.JS.CreateStream(ctx, jetstream.StreamConfig{Name: StreamDeadLetter, Subjects: []string{"deadletter.>"}, Retention: jetstream.WorkQueuePolicy}); err != nil {
		t.Fatal(err)
	}
	found := inspect()
	signals, letters := found[StreamSignals], found[StreamDeadLetter]
	if signals.Unfit != nil || !strings.Contains(signals.Lacks, "allow_atomic=true") || !strings.Contains(signals.Lacks, "subjects=") || len(signals.Doubts) != 1 {
		t.Errorf("%s: unfit %v, lacks %q, doubts %q", StreamSignals, signals.Unfit, signals.Lacks, signals.Doubts)
	}
	if letters.Unfit == nil || !strings.Contains(letters.Unfit.Error(), "retention") {
		t.Errorf("%s: %v", StreamDeadLetter, letters.Unfit)
	}
	if !found[BucketLocks].Missing || !found[BucketLocks].Bucket {
		t.Errorf("%s: %+v", BucketLocks, found[BucketLocks])
	}
	again := inspect()[StreamSignals]
	if again.Info.Config.AllowAtomicPublish || len(again.Info.Config.Subjects) != 1 {
		t.Errorf("it was changed: %+v", again.Info.Config)
	}
}

// A setting that is configured but not applied to an existing stream is reported; others
// are not.
func TestWhatIsNotAppliedIsTold(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		asked Config
		have  jetstream.StreamConfig
		told  string // by SIGNALS; empty: nothing
	}{
		{Config{Kinds: oktaKinds}, jetstream.StreamConfig{MaxAge: 90 * day}, ""},
		{Config{Kinds: oktaKinds}, jetstream.StreamConfig{MaxAge: 365 * day}, ""},
		{Config{Kinds: oktaKinds}, jetstream.StreamConfig{MaxAge: 30 * day}, "max_age is 30d and not 90d"},
		{Config{Kinds: oktaKinds, MaxAge: 180 * day}, jetstream.StreamConfig{MaxAge: 90 * day}, "max_age is 90d and not 180d"},
		{Config{Kinds: oktaKinds, MaxAge: 30 * day}, jetstream.StreamConfig{MaxAge: 90 * day}, "max_age is 90d and not 30d"},
		{Config{Kinds: oktaKinds, MaxAge: 30 * day}, jetstream.StreamConfig{}, "max_age is unlimited and not 30d"},
		{Config{Kinds: oktaKinds, MaxAge: century}, jetstream.StreamConfig{MaxAge: 90 * day}, "max_age is 90d and not unlimited"},
		{Config{Kinds: oktaKinds, MaxAge: century}, jetstream.StreamConfig{}, ""},
		{Config{Kinds: oktaKinds, MaxBytes: LeastBytes}, jetstream.StreamConfig{MaxAge: 90 * day, MaxBytes: 1 << 30}, "max_bytes is 1073741824 and not 67108864"},
		{Config{Kinds: oktaKinds}, jetstream.StreamConfig{MaxAge: 90 * day, MaxBytes: 1 << 30}, ""},
		{Config{Kinds: oktaKinds, Replicas: 2}, jetstream.StreamConfig{MaxAge: 90 * day, Replicas: 3}, "3 copies and not 2"},
		{Config{Kinds: oktaKinds}, jetstream.StreamConfig{MaxAge: 90 * day, Replicas: 3}, ""},
	} {
		asked, err := c.asked.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		s := &Store{shared: &shared{config: asked}}
		told := s.signals().doubts(c.have)
		if len(told) > 1 || (len(told) == 1) != (c.told != "") || c.told != "" && !strings.Contains(told[0], c.told) {
			t.Errorf("asked for %+v, have %+v: told %q, want %q", c.asked, c.have, told, c.told)
		}
		if told := s.deadLetters().doubts(jetstream.StreamConfig{MaxAge: c.have.MaxAge}); (len(told) == 1) != strings.Contains(c.told, "max_age") {
			t.Errorf("asked for %+v, DEADLETTER has %+v: told %q", c.asked, c.have, told)
		}
	}
}
