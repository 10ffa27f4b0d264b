package signals

import (
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/jwt/v2"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// In an account with few consumers and hardly any unacknowledged messages, many instances
// sync at once, and each stores its events.
func TestSyncsInALimitedAccount(t *testing.T) {
	const instances = 20
	st := newFixture(t, jetstest.Config{Account: func(account *jwt.AccountClaims) {
		account.Limits.JetStreamLimits.MaxAckPending, account.Limits.JetStreamLimits.Consumer = 1, 4
	}})
	for range 2 { // the second time there are ids to read
		var wg sync.WaitGroup
		for n := range instances {
			wg.Go(func() {
				s := New(st.Store, fmt.Sprintf("org-%02d", n), query(), nil, nil)
				at, err := s.Sync(t.Context())
				if err == nil {
					_, err = s.Commit(t.Context(), at, page(s, 1, sinktest.Events(0, 9)))
				}
				if err != nil {
					t.Errorf("org-%02d: %v", n, err)
				}
			})
		}
		wg.Wait()
	}
	if ids, _ := st.stored(); len(ids) != 10*instances {
		t.Errorf("%d events are stored, want %d: each once", len(ids), 10*instances)
	}
}
