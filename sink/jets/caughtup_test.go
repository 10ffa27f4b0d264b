package jets

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// A process that was cut off for long takes its locks again when it has heard, and
// acted upon, what INTEGRATIONS says by now; where that is not told, after a while.
func TestLocksWaitForIntegrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		store := opened(t, s, Config{})
		slow := make(chan struct{}, 1) // full: what INTEGRATIONS says is not acted upon
		var watch sync.WaitGroup
		watch.Go(func() {
			_ = (&Integrations{Store: store}).Watch(t.Context(), func(map[string]pipeline.Entry) {
				slow <- struct{}{}
				<-slow
			})
		})
		t.Cleanup(watch.Wait)
		claim(t, store, r, "a", LocksConfig{}, pipeline.Claim{Instance: "acme"})
		r.awaitHolder("acme", "a")
		outage := func() {
			s.Stop()
			time.Sleep(30 * time.Second)
			slow <- struct{}{}
			s.Start(t)
			time.Sleep(5 * time.Second)
			if h := r.holder("acme"); h != "" {
				t.Errorf("%s holds, and has not heard whether it is to", h)
			}
		}
		outage()
		<-slow
		if took := r.awaitHolder("acme", "a"); took > time.Second {
			t.Errorf("it took %s after the news", took)
		}
		outage()
		r.awaitHolder("acme", "a")
		<-slow
	})
}
