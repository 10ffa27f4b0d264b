package jets

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Who may not publish events is told so, and not that there was no answer.
func TestRightToPublishIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStand(t, jetstest.Config{Password: "p", Deny: SubjectEvents("prod")})
		s := st.synced()
		if _, err := s.Commit(t.Context(), s.at, page(s, 1, events(1, 2))); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("got %v", err)
		}
	})
}
