package buckets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// bucketOf is how the bucket BUDGETS is configured.
func bucketOf(t *testing.T, c *jets.Conn) jetstream.StreamConfig {
	t.Helper()
	s, err := c.JS.Stream(t.Context(), jets.BucketStream(jets.BucketBudgets))
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

// putBudget writes a budget whatever stands.
func putBudget(b pipeline.Budget) func(pipeline.Budget) pipeline.Budget {
	return func(pipeline.Budget) pipeline.Budget { return b }
}

// The value is a contract: testdata/budget.json is an example of it.
func TestBudgetGolden(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 20, 31, 1e8, time.UTC)
	got := jets.Encode(pipeline.Budget{
		Version: 1, Origin: sinktest.Origin, Replica: "poller-1", Limit: 120, Remaining: 3, Reset: 1795342841, WindowEnds: at.Add(10 * time.Second),
		HoldUntil: at.Add(12 * time.Second), LateSeconds: 1, Limited: true,
		Askers: map[string]time.Time{"poller-1": at, "poller-2": at.Add(-time.Second)}, At: at,
	})
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	want, err := os.ReadFile("testdata/budget.json")
	if err != nil || pretty.String() != string(want) {
		t.Errorf("%v: got\n%s", err, pretty.String())
	}
	for _, data := range [][]byte{got, jets.Encode(pipeline.Budget{Version: 1, Origin: sinktest.Origin, Replica: "a", At: at})} {
		if err := schemas.Validate("budget", data); err != nil {
			t.Error(err)
		}
	}
}

func TestBudgetKey(t *testing.T) {
	fit := regexp.MustCompile(`^okta\.[-_a-zA-Z0-9]+(\.[-_a-zA-Z0-9]+)*$`)
	for origin, want := range map[string]string{
		"https://acme.okta.com":      "okta.acme.okta.com",
		"https://acme.okta.com:8443": "okta.acme.okta.com_8443",
		"http://127.0.0.1:8080":      "okta.http___127.0.0.1_8080",
		"http://[::1]:8080":          "okta.http______1__8080",
	} {
		if got := budgetKey(sinktest.Kind.Name, origin); got != want || !fit.MatchString(got) {
			t.Errorf("%s: %s", origin, got)
		}
	}
}

func TestBudgetsReadAndWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		b := NewBudgets(store)
		if got, err := b.Read(t.Context(), sinktest.Origin); err != nil || !reflect.DeepEqual(got, pipeline.Budget{}) {
			t.Errorf("before any: %+v, %v", got, err)
		}
		now := time.Now().UTC()
		want := pipeline.Budget{Version: 1, Origin: sinktest.Origin, Limit: 20, Remaining: 7, WindowEnds: now.Add(time.Minute), Askers: map[string]time.Time{"a": now}, At: now}
		if err := b.Write(t.Context(), sinktest.Origin, putBudget(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Read(t.Context(), sinktest.Origin); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
		for _, odd := range []string{"no json", `{"origin":"https://other.okta.com","limit":5}`, `{"limit":"many"}`} {
			sinktest.Put(t, store, jets.BucketBudgets, budgetKey(sinktest.Kind.Name, sinktest.Origin), odd)
			if got, err := b.Read(t.Context(), sinktest.Origin); err != nil || got.Limit != 0 {
				t.Errorf("%s: %+v, %v", odd, got, err)
			}
			if err := b.Write(t.Context(), sinktest.Origin, putBudget(want)); err != nil {
				t.Errorf("over %s: %v", odd, err)
			}
		}
		time.Sleep(2*time.Minute + time.Second)
		if got, err := b.Read(t.Context(), sinktest.Origin); err != nil || got.Limit != 0 {
			t.Errorf("after its time: %+v, %v", got, err)
		}
		if err := b.Write(t.Context(), sinktest.Origin, putBudget(want)); err != nil {
			t.Errorf("after its time: %v", err)
		}
	})
}

// Times are by the reader's clock, however wrong the writer's clock is.
func TestBudgetsOfAForeignClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudgets(sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds}))
		now := time.Now().UTC()
		for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
			theirs := now.Add(ahead)
			if err := b.Write(t.Context(), sinktest.Origin, putBudget(pipeline.Budget{
				Origin: sinktest.Origin, WindowEnds: theirs.Add(30 * time.Second), HoldUntil: theirs.Add(40 * time.Second),
				Askers: map[string]time.Time{"a": theirs.Add(-time.Second)}, At: theirs,
			})); err != nil {
				t.Fatal(err)
			}
			got, err := b.Read(t.Context(), sinktest.Origin)
			if err != nil || !got.WindowEnds.Equal(now.Add(30*time.Second)) || !got.HoldUntil.Equal(now.Add(40*time.Second)) ||
				!got.Askers["a"].Equal(now.Add(-time.Second)) {
				t.Errorf("%s ahead: %+v, %v", ahead, got, err)
			}
		}
	})
}

// Of many writers at once, none overwrites what another has written.
func TestBudgetsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		const n = 8
		var mu sync.Mutex
		written := map[string]bool{}
		var wg sync.WaitGroup
		for i := range n {
			name, b := fmt.Sprint("replica-", i), NewBudgets(sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}))
			wg.Go(func() {
				for range 20 {
					err := b.Write(t.Context(), sinktest.Origin, func(stands pipeline.Budget) pipeline.Budget {
						next := pipeline.Budget{Origin: sinktest.Origin, Limit: stands.Limit + 1, Askers: map[string]time.Time{}, At: time.Now()}
						maps.Copy(next.Askers, stands.Askers)
						next.Askers[name] = time.Now()
						return next
					})
					mu.Lock()
					if err == nil {
						written[name] = true
					} else if !errors.Is(err, pipeline.ErrFenced) {
						t.Error(err)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
		got, err := NewBudgets(store).Read(t.Context(), sinktest.Origin)
		i, err2 := store.Conn.Info(t.Context(), jets.BucketStream(jets.BucketBudgets))
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if len(got.Askers) != len(written) || got.Limit != int(i.State.LastSeq) || got.Limit < 20 {
			t.Errorf("%v are written as %+v, in %d messages", written, got, i.State.LastSeq)
		}
	})
}

// A deleted bucket is created again by those that provision; commands do without it.
func TestBudgetsWithoutTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
		if err := store.Conn.JS.DeleteStream(t.Context(), jets.BucketStream(jets.BucketBudgets)); err != nil {
			t.Fatal(err)
		}
		visitor := NewBudgets(jets.Attach(store.Conn, sinktest.Kind))
		for range 2 {
			if _, err := visitor.Read(t.Context(), sinktest.Origin); !errors.Is(err, jetstream.ErrStreamNotFound) {
				t.Errorf("visitor: %v", err)
			}
		}
		b := NewBudgets(store)
		if err := b.Write(t.Context(), sinktest.Origin, putBudget(pipeline.Budget{Origin: sinktest.Origin, Limit: 5})); err != nil {
			t.Fatal(err)
		}
		if c := bucketOf(t, store.Conn); c.Storage != jetstream.FileStorage || c.MaxAge != 2*time.Minute {
			t.Errorf("made as %+v", c)
		}
		if got, err := visitor.Read(t.Context(), sinktest.Origin); err != nil || got.Limit != 5 {
			t.Errorf("visitor: %+v, %v", got, err)
		}
		if err := visitor.Write(t.Context(), sinktest.Origin, putBudget(pipeline.Budget{Origin: sinktest.Origin, Limit: 6})); err != nil {
			t.Errorf("visitor: %v", err)
		}
	})
}

// When BUDGETS can't be created, everything else still is.
func TestOpenWithoutBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sinktest.Dial(t, jetstest.Run(t))
		if _, err := c.JS.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"$KV.BUDGETS.>"}}); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		store, err := jets.Open(t.Context(), c, jets.Config{Kinds: sinktest.Kinds, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil || !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "BUDGETS can't be created") {
			t.Fatalf("%v\n%s", err, log.String())
		}
		if _, err := store.Conn.Extent(t.Context()); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := NewBudgets(store).Read(ctx, sinktest.Origin); err == nil {
			t.Error("read")
		}
	})
}

// A process that restarts with its own server still knows until when an org said to wait.
func TestBudgetsOutliveTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := sinktest.New(t, jetstest.Config{})
		until := time.Now().Add(time.Minute)
		st.OK(NewBudgets(st.Store).Write(t.Context(), sinktest.Origin, putBudget(pipeline.Budget{Origin: sinktest.Origin, HoldUntil: until, At: time.Now()})))
		st.Server.Restart(t)
		st.Open()
		got, err := NewBudgets(st.Store).Read(t.Context(), sinktest.Origin)
		if st.OK(err); got.HoldUntil.Sub(until).Abs() > time.Second {
			t.Errorf("after the restart %+v, want to wait until %s", got, until)
		}
	})
}
