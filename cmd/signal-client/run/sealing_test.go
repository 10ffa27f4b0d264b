package run

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/seal"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta"
)

// countPolls counts how often a poll of an instance begins.
func (o *outages) countPolls() *atomic.Int64 {
	begun := new(atomic.Int64)
	kind, source := *okta.Kind, okta.Source
	kind.Credential = func(ctx context.Context, i pipeline.Integration) (pipeline.Credential, error) {
		begun.Add(1)
		return okta.Kind.Credential(ctx, i)
	}
	source.Kind = &kind
	o.kinds = kinds.Kinds{source}
	return begun
}

// kept returns what INTEGRATIONS keeps of acme, as it is stored.
func (o *outages) kept() string {
	o.Helper()
	var all strings.Builder
	o.on(func(store *jets.Store) {
		kept, err := (&buckets.Integrations{Store: store}).History(o.Context(), "acme")
		if err != nil {
			o.Fatal(err)
		}
		for _, w := range kept {
			all.Write(w.Value)
		}
	})
	return all.String()
}

// A process without the key leaves a sealed org to the one that has it, which polls on
// undisturbed while its credential is sealed in place, and sealed again with another key.
// Once nobody has the key, STATUS says what is missing; with it the org is polled on.
// The service writes INTEGRATIONS here, which help permissions leaves to the operator.
func TestSealedInAFleet(t *testing.T) {
	inOutage(t, jetstest.Config{Open: true}, func(o *outages) {
		begun := o.countPolls()
		key := filepath.Join(o.TempDir(), "secret.key")
		if err := seal.Make(key); err != nil {
			o.Fatal(err)
		}
		o.keys = key
		b := o.start("b", config.Okta{})
		o.pass(time.Minute)
		o.put("acme", entry)
		o.pass(2 * time.Minute)
		if kept := o.kept(); strings.Contains(kept, "right-token") || !strings.Contains(kept, `"sealed":"x1.`) {
			o.Errorf("kept is %s", kept)
		}
		if n := begun.Load(); n != 1 {
			o.Errorf("polls began %d times", n)
		}
		o.keys = ""
		o.start("a", config.Okta{})
		o.pass(10 * time.Minute)
		if s := o.status("acme"); s.State != pipeline.StatePolling || s.Holder != "b" {
			o.Errorf("beside one without the key: %+v", s)
		}

		before := begun.Load()
		keys, err := seal.Open(o.Context(), key)
		if err != nil {
			o.Fatal(err)
		}
		if err := seal.Rotate(o.Context(), key); err != nil {
			o.Fatal(err)
		}
		if _, err := keys.Look(o.Context()); err != nil {
			o.Fatal(err)
		}
		o.on(func(store *jets.Store) {
			integrations := &buckets.Integrations{Store: store.With(pipeline.Secrets{Keys: keys})}
			w, err := integrations.Get(o.Context(), "acme")
			if err != nil || w.Sealing != buckets.SealOther {
				o.Fatalf("the value is %q, %v", w.Sealing, err)
			}
			if err := integrations.Seal(o.Context(), w); err != nil {
				o.Error(err)
			}
		})
		o.pass(4 * time.Minute)
		if s := o.status("acme"); s.State != pipeline.StatePolling || s.Holder != "b" || begun.Load() > before+1 { // a tries it once in a while
			o.Errorf("after the rotation polls began %d times, %+v", begun.Load()-before, s)
		}

		b.stop()
		b.gone = true
		o.pass(10 * time.Minute)
		if s := o.status("acme"); s.State != pipeline.StateConfig || !strings.Contains(s.LastError, "credentials.sealed: this process has no key that opens it (SIGNAL_CLIENT_SECRET_KEY_FILE)") {
			o.Errorf("without anybody who has the key: %+v", s)
		}
		other := filepath.Join(o.TempDir(), "copy.key")
		if err := seal.Make(other); err != nil {
			o.Fatal(err)
		}
		o.keys = other
		o.start("c", config.Okta{})
		o.pass(10 * time.Minute)
		if s := o.status("acme"); s.State != pipeline.StateConfig {
			o.Errorf("with another key: %+v", s)
		}
		data, err := os.ReadFile(key)
		if err != nil {
			o.Fatal(err)
		}
		if err := os.WriteFile(other, data, 0o600); err != nil { // a restart is not needed
			o.Fatal(err)
		}
		o.pass(10 * time.Minute)
		if s := o.status("acme"); s.State != pipeline.StatePolling || s.Holder != "c" {
			o.Errorf("with the key: %+v", s)
		}
		o.complete()
	})
}
