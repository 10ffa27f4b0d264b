package buckets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

const integration = `{"settings":{"fqdn":"acme.okta.com","filter":%q},"credentials":{"api_token":"t"}}`

// watched keeps what Watch told last.
type watched struct {
	mu      sync.Mutex
	entries map[string]pipeline.Entry
	times   int
}

// watching watches integrations until the test ends.
func watching(t *testing.T, store *jets.Store, log *slog.Logger) *watched {
	t.Helper()
	w := new(watched)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := (&Integrations{Store: store, Log: log}).Watch(ctx, func(entries map[string]pipeline.Entry) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.entries = entries
			w.times++
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// told is what Watch told last, and how often it has told.
func (w *watched) told() (entries map[string]pipeline.Entry, times int) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.entries, w.times
}

func (w *watched) want(t *testing.T, filters map[string]string) {
	t.Helper()
	got := map[string]string{}
	entries, _ := w.told()
	for instance, e := range entries {
		got[instance] = e.Integration.Filter
		if e.Err != nil {
			got[instance] = "error"
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(filters) {
		t.Errorf("entries are %v, want %v", got, filters)
	}
}

func TestIntegrationsWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
		w := watching(t, store, nil)
		w.want(t, map[string]string{})
		if _, times := w.told(); times != 1 {
			t.Errorf("an empty bucket was told %d times", times)
		}
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.a", fmt.Sprintf(integration, "one"))
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.b", `{"settings":{}}`)
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.Bad.Name", fmt.Sprintf(integration, "x"))
		sinktest.Put(t, store, jets.BucketIntegrations, "entra.c", `{}`)
		w.want(t, map[string]string{"a": "one", "b": "error", "Bad.Name": "error"})

		sinktest.Put(t, store, jets.BucketIntegrations, "okta.a", fmt.Sprintf(integration, "two"))
		kv, err := store.Conn.JS.KeyValue(t.Context(), jets.BucketIntegrations)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(kv.Delete(t.Context(), "okta.b"), kv.Purge(t.Context(), "okta.Bad.Name")); err != nil {
			t.Fatal(err)
		}
		w.want(t, map[string]string{"a": "two"})
		kept, _ := w.told()
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.d", fmt.Sprintf(integration, "d"))
		w.want(t, map[string]string{"a": "two", "d": "d"})
		if len(kept) != 1 {
			t.Error("a map that was handed out has changed")
		}
		if all, err := (&Integrations{Store: store}).All(t.Context(), Names{}); err != nil || len(all) != 2 {
			t.Errorf("All is %v, %v", all, err)
		}
	})
}

// Known integrations stay while NATS is away; changes made meanwhile are reported after
// it.
func TestIntegrationsSurviveRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.a", fmt.Sprintf(integration, "one"))
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.b", fmt.Sprintf(integration, "b"))
		s.Stop()
		backup := s.Copy(t)
		s.Start(t)
		if err := store.Conn.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		w := watching(t, store, nil)
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.c", fmt.Sprintf(integration, "c"))
		w.want(t, map[string]string{"a": "one", "b": "b", "c": "c"})
		s.Stop()
		time.Sleep(time.Minute)
		w.want(t, map[string]string{"a": "one", "b": "b", "c": "c"})
		s.Restore(t, backup)
		s.Start(t)
		time.Sleep(10 * time.Second)
		w.want(t, map[string]string{"a": "one", "b": "b"})
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.a", fmt.Sprintf(integration, "two"))
		w.want(t, map[string]string{"a": "two", "b": "b"})
	})
}

// A deleted bucket comes back empty; one that an operator created again at once is read
// from its beginning.
func TestIntegrationsBucketMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		for i := range 20 {
			sinktest.Put(t, store, jets.BucketIntegrations, "okta.a", fmt.Sprintf(integration, fmt.Sprint(i)))
		}
		w := watching(t, store, nil)
		w.want(t, map[string]string{"a": "19"})
		js := store.Conn.JS
		if err := js.DeleteKeyValue(t.Context(), jets.BucketIntegrations); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		w.want(t, map[string]string{})
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.b", fmt.Sprintf(integration, "b"))
		w.want(t, map[string]string{"b": "b"})

		if err := js.DeleteKeyValue(t.Context(), jets.BucketIntegrations); err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: jets.BucketIntegrations}); err != nil {
			t.Fatal(err)
		}
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.c", fmt.Sprintf(integration, "c"))
		time.Sleep(10 * time.Second)
		w.want(t, map[string]string{"c": "c"})
	})
}

func TestIntegrationsAreWrittenByCompareAndSet(t *testing.T) {
	s := jetstest.Run(t)
	store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
	all := &Integrations{Store: store}
	ctx := t.Context()
	if w, err := all.Get(ctx, "a"); err != nil || w.Value != nil || w.Revision != 0 {
		t.Fatalf("before the first write: %+v, %v", w, err)
	}
	first, err := all.Put(ctx, "a", []byte(`{"one":1}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Put(ctx, "a", []byte(`{"two":2}`), 0); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("written over what is there: %v", err)
	}
	sinktest.Put(t, store, jets.BucketIntegrations, "okta.a", `{"three":3}`)
	if err := all.Delete(ctx, "a", first); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("deleted what had changed: %v", err)
	}
	w, err := all.Get(ctx, "a")
	if err != nil || string(w.Value) != `{"three":3}` || w.At.IsZero() {
		t.Fatalf("read %s, %v", w.Value, err)
	}
	sinktest.Put(t, store, jets.BucketIntegrations, "splunk.b", `{}`)
	list, err := all.Written(ctx)
	if err != nil || len(list) != 1 || list[0].Revision != w.Revision || !list[0].At.Equal(w.At) {
		t.Errorf("listed %+v, %v", list, err)
	}
	if err := all.Delete(ctx, "a", w.Revision); err != nil {
		t.Fatal(err)
	}
	w, err = all.Get(ctx, "a")
	if err != nil || w.Value != nil {
		t.Fatalf("deleted, yet there: %s, %v", w.Value, err)
	}
	if _, err := store.Conn.At(ctx, jets.BucketStream(jets.BucketIntegrations), first); !errors.Is(err, jets.ErrNoMessage) {
		t.Errorf("a former value is left: %v", err)
	}
	if _, err := all.Put(ctx, "a", []byte(`{}`), w.Revision); err != nil {
		t.Errorf("made anew: %v", err)
	}
}

// A purge of the bucket's stream leaves no marker: a count shows that entries are gone,
// even if another one was put meanwhile. A warning names the loss.
func TestIntegrationsPurgedWithoutAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer // written by the watch alone, read after synctest.Wait
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds, Log: logger})
		for _, instance := range []string{"a", "b", "c"} {
			sinktest.Put(t, store, jets.BucketIntegrations, jets.Key(sinktest.Kind.Name, instance), fmt.Sprintf(integration, instance))
		}
		all := &Integrations{Store: store}
		if err := all.Delete(t.Context(), "c", 3); err != nil {
			t.Fatal(err)
		}
		w := watching(t, store, logger)
		time.Sleep(10 * time.Minute)
		w.want(t, map[string]string{"a": "a", "b": "b"})
		if _, times := w.told(); times != 1 {
			t.Errorf("nothing has changed, and it was told %d times", times)
		}

		stream, err := store.Conn.JS.Stream(t.Context(), jets.BucketStream(jets.BucketIntegrations))
		if err == nil {
			err = stream.Purge(t.Context(), jetstream.WithPurgeSubject(jets.BucketSubject(jets.BucketIntegrations, jets.Key(sinktest.Kind.Name, "a"))))
		}
		if err != nil {
			t.Fatal(err)
		}
		sinktest.Put(t, store, jets.BucketIntegrations, jets.Key(sinktest.Kind.Name, "d"), fmt.Sprintf(integration, "d"))
		time.Sleep(35 * time.Second)
		w.want(t, map[string]string{"b": "b", "d": "d"})
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "integrations are lost: ") || !strings.Contains(got, "lost=1 left=2") {
			t.Errorf("the log says %s", got)
		}

		if err := stream.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(35 * time.Second)
		w.want(t, map[string]string{})
		sinktest.Put(t, store, jets.BucketIntegrations, jets.Key(sinktest.Kind.Name, "e"), fmt.Sprintf(integration, "e"))
		w.want(t, map[string]string{"e": "e"})
		if err := store.Conn.JS.DeleteKeyValue(t.Context(), jets.BucketIntegrations); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		w.want(t, map[string]string{})
		if got := log.String(); strings.Count(got, "\n") != 3 {
			t.Errorf("the log says %s", got)
		}
	})
}

// Integrations that arrive while earlier ones are being applied are delivered together.
func TestIntegrationsOfACrowdAreToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := sinktest.New(t, jetstest.Config{})
		const crowd = 50
		ctx, cancel := context.WithCancel(t.Context())
		work := make(chan struct{})
		var told []int // integrations, each time
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = (&Integrations{Store: st.Store}).Watch(ctx, func(entries map[string]pipeline.Entry) {
				told = append(told, len(entries))
				<-work
			})
		})
		synctest.Wait()
		for i := range crowd {
			_, err := (&Integrations{Store: st.Store}).Put(ctx, fmt.Sprint("org-", i), []byte(`{}`), 0)
			st.OK(err)
		}
		synctest.Wait()
		close(work)
		synctest.Wait()
		if want := []int{0, crowd}; !slices.Equal(told, want) {
			t.Errorf("told of %v integrations, want %v", told, want)
		}
		cancel()
		wg.Wait()
	})
}
