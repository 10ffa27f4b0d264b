package buckets

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// Saved searches are listed by name, are never overwritten, and can be created again
// after they were deleted. Other keys of the bucket are not searches.
func TestSearches(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	_, err := st.Store.Conn.JS.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: jets.BucketConsole})
	st.OK(err)
	all := &Searches{Store: st.Store}
	list := func() []Search {
		t.Helper()
		found, err := all.All(t.Context())
		st.OK(err)
		return found
	}
	failed := Search{ID: "failed", Name: "Failed sign-ins", Query: `outcome.result:FAILURE "<b>"`, Range: "24h", By: "stored",
		Columns: []string{"actor.alternateId"}, Author: "local", CreatedAt: time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)}
	admins := Search{ID: "admins", Name: "Admins", Query: "eventType:user.account.privilege.grant", CreatedAt: failed.CreatedAt}
	st.OK(all.Create(t.Context(), failed))
	st.OK(all.Create(t.Context(), admins))
	sinktest.Put(t, st.Store, jets.BucketConsole, "session.x", `{"name":"no search"}`)
	sinktest.Put(t, st.Store, jets.BucketConsole, "search.odd", `[`)
	if got := list(); !reflect.DeepEqual(got, []Search{admins, failed}) {
		t.Errorf("got %+v", got)
	}
	st.OK(schemas.Validate("search", jets.Encode(failed)))
	st.OK(schemas.Validate("search", jets.Encode(admins)))

	if err := all.Create(t.Context(), failed); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("created twice: %v", err)
	}
	st.OK(all.Delete(t.Context(), failed.ID))
	if err := all.Delete(t.Context(), failed.ID); !errors.Is(err, jets.ErrNoMessage) {
		t.Errorf("deleted twice: %v", err)
	}
	if got := list(); !reflect.DeepEqual(got, []Search{admins}) {
		t.Errorf("after a deletion: %+v", got)
	}
	st.OK(all.Create(t.Context(), failed))
	if got := list(); len(got) != 2 {
		t.Errorf("created again: %+v", got)
	}
}

// A store without the bucket has no searches.
func TestSearchesWithoutBucket(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	_ = st.Store.Conn.JS.DeleteKeyValue(t.Context(), jets.BucketConsole)
	if got, err := (&Searches{Store: st.Store}).All(t.Context()); err != nil || got == nil || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
