package signals

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// A user who may not publish events is told so, and not that there was no answer.
func TestRightToPublishIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFixture(t, jetstest.Config{Password: "p", Deny: jets.SubjectEvents(sinktest.Kind.Name, "prod")})
		s := st.synced()
		if _, err := s.Commit(t.Context(), s.at, page(s, 1, sinktest.Events(1, 2))); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("got %v", err)
		}
	})
}
