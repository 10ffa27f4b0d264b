package buckets

import (
	"reflect"
	"testing"
	"time"

	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// The bucket is made by the first change, keeps the newest 64 of each instance, and lists
// them from the newest on. Each fits its schema.
func TestChanges(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	store := jets.Attach(st.Store.Conn, sinktest.Kind) // as commands have it
	all := &Changes{Store: store}
	if got, err := all.Of(t.Context(), "acme"); err != nil || got == nil || len(got) != 0 {
		t.Fatalf("without a bucket: %v, %v", got, err)
	}
	at := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	var want []Change
	for n := range 70 {
		c := Change{At: at.Add(time.Duration(n) * time.Minute), Who: "ann", Via: "password", Action: ActionChanged, Revision: uint64(n + 1),
			Fields: []FieldChange{{Field: "poll_interval", From: "5m", To: "1m"}, {Field: "credentials.api_token", To: SecretChanged}}}
		st.OK(all.Write(t.Context(), "acme", c))
		st.OK(schemas.Validate("change", jets.Encode(withVersion(c))))
		want = append([]Change{withVersion(c)}, want...)
	}
	st.OK(all.Write(t.Context(), "other", Change{At: at, Who: "bob", Via: "cli", Action: ActionRemoved, Revision: 1}))
	got, err := all.Of(t.Context(), "acme")
	st.OK(err)
	if !reflect.DeepEqual(got, want[:64]) {
		t.Errorf("got %d changes, the first %+v, want %+v", len(got), got[0], want[0])
	}
	if others, err := all.Of(t.Context(), "other"); err != nil || len(others) != 1 || others[0].Fields == nil {
		t.Errorf("of the other instance: %+v, %v", others, err)
	}
	info, err := store.Conn.Info(t.Context(), jets.BucketStream(jets.BucketChanges))
	st.OK(err)
	config, err := info.Configuration()
	st.OK(err)
	if config.MaxBytes <= 0 || config.MaxAge <= 0 || config.MaxMsgsPerSubject != 64 {
		t.Errorf("the bucket is not bounded: %+v", config)
	}
}

func withVersion(c Change) Change {
	c.Version = changeVersion
	return c
}
