package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/limiter"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// sharedOrg is an org that refuses whatever goes beyond the share, and replicas that
// drain it at once: only what they tell each other, and the org's answers, keep
// them within it.
type sharedOrg struct {
	*testing.T
	server *jetstest.Server
	org    *oktatest.Org
	limit  int
}

func onSharedOrg(t *testing.T, limit int, test func(*sharedOrg)) {
	synctest.Test(t, func(t *testing.T) {
		b := &sharedOrg{T: t, server: jetstest.Run(t), limit: limit}
		b.org = oktatest.New(oktatest.Config{
			Seed: uint64(limit), Skew: 7 * time.Minute, Requests: 1 << 16,
			Rate: oktatest.Rate{PerMinute: limit}, Identity: true,
		})
		b.org.SetFault(func(r oktatest.Request) oktatest.Fault {
			rng := rand.New(rand.NewPCG(uint64(limit), uint64(r.N)))
			return oktatest.Fault{Wait: time.Duration(rng.Int64N(int64(200 * time.Millisecond)))}
		})
		test(b)
	})
}

// replica is a process of its own: its limiter knows of others by NATS alone.
func (b *sharedOrg) replica(name string) *limiter.Limiter {
	b.Helper()
	store := sinktest.Open(b.T, b.server, jets.Config{Kinds: sinktest.Kinds})
	return &limiter.Limiter{Exchange: buckets.NewBudgets(store), Origin: simOrigin, Replica: name}
}

// drain asks again and again by clients of one limiter for a while, and
// returns when each request went.
func (b *sharedOrg) drain(l *limiter.Limiter, clients int, share float64, d time.Duration) (sent []time.Time) {
	ctx, cancel := context.WithTimeout(b.Context(), d)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range clients {
		c := b.client(l)
		c.Share, c.Trace = share, &pipeline.Trace{Requested: func(_, _ string, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, time.Now().Add(-took))
		}}
		wg.Go(func() {
			for link := okta.Start("", 2, time.Now()); ctx.Err() == nil; {
				_, _ = c.Poll(ctx, link) // the org's answers are counted there
			}
		})
	}
	wg.Wait()
	return sent
}

func (b *sharedOrg) client(l *limiter.Limiter) *okta.Client {
	return &okta.Client{
		Instance: "prod", Origin: simOrigin, Credential: pipeline.NewSecret("00secret"), Limiter: l,
		HTTP: &http.Client{Transport: b.org.Transport()},
	}
}

// poll asks for one page.
func (b *sharedOrg) poll(l *limiter.Limiter) {
	b.Helper()
	if _, err := b.client(l).Poll(b.Context(), okta.Start("", 2, time.Now())); err != nil {
		b.Fatal(err)
	}
}

// within checks that nothing was refused.
func (b *sharedOrg) within() {
	b.Helper()
	if n := b.refused(); n > 0 {
		b.Errorf("%d requests were refused", n)
	}
}

// refused counts the requests that the org has answered with 429.
func (b *sharedOrg) refused() (n int) {
	for _, r := range b.org.Requests() {
		if r.Status == http.StatusTooManyRequests {
			n++
		}
	}
	return n
}

// written is how many messages BUDGETS has taken.
func (b *sharedOrg) written() int {
	b.Helper()
	i, err := sinktest.Open(b.T, b.server, jets.Config{Kinds: sinktest.Kinds}).Conn.Info(b.Context(), jets.BucketStream(jets.BucketBudgets))
	if err != nil {
		b.Fatal(err)
	}
	return int(i.State.LastSeq)
}

// Replicas that drain one org for an hour use its whole share and never exceed it.
func TestReplicasDrainOneOrg(t *testing.T) {
	for _, c := range []struct {
		limit, replicas, clients int
		during                   time.Duration
	}{
		{20, 2, 1, time.Hour}, {120, 2, 3, 20 * time.Minute}, {50, 3, 2, 15 * time.Minute}, {600, 2, 2, 3 * time.Minute},
	} {
		t.Run(fmt.Sprintf("limit=%d/replicas=%d/clients=%d", c.limit, c.replicas, c.clients), func(t *testing.T) {
			onSharedOrg(t, c.limit, func(b *sharedOrg) {
				var wg sync.WaitGroup
				sent := make([]int, c.replicas)
				for i := range sent {
					l := b.replica(fmt.Sprint("replica-", i))
					wg.Go(func() { sent[i] = len(b.drain(l, c.clients, 0.5, c.during)) })
				}
				wg.Wait()
				b.within()
				share, total := float64(c.limit)/2*c.during.Minutes(), 0
				for _, n := range sent {
					total += n
					if float64(n) < 0.8*share/float64(c.replicas) {
						t.Errorf("requests of each are %v of %.0f", sent, share)
					}
				}
				if float64(total) < 0.93*share {
					t.Errorf("%d requests of %.0f", total, share)
				}
				if n := b.written(); n > int(c.during.Seconds())+c.replicas {
					t.Errorf("%d messages in %s", n, c.during)
				}
			})
		})
	}
}

// A command that reads the org's past with its own share, beside the poller of another
// process, uses nothing of the shares of others.
func TestAuditBesideDrain(t *testing.T) {
	onSharedOrg(t, 120, func(b *sharedOrg) {
		var wg sync.WaitGroup
		poller, audit := b.replica("poller"), b.replica("audit")
		wg.Go(func() { b.drain(poller, 1, 0.5, 10*time.Minute) })
		wg.Go(func() { b.drain(audit, 1, 0.3, 10*time.Minute) })
		wg.Wait()
		b.within()
	})
}

// One replica takes over from another again and again within a window: none exceeds what
// is left, though each has five clients and has sent nothing yet. Only in a new window it
// knows nothing, and begins with a few requests.
func TestTakeoverInMidWindow(t *testing.T) {
	for _, limit := range []int{50, 120} {
		t.Run(fmt.Sprint("limit=", limit), func(t *testing.T) {
			onSharedOrg(t, limit, func(b *sharedOrg) {
				started, total, bursts := time.Now(), 0, 0
				for i := range 100 {
					sent := b.drain(b.replica(fmt.Sprint("replica-", i)), 5, 0.5, 7300*time.Millisecond)
					total += len(sent)
					if len(sent) >= 5 && sent[4].Sub(sent[0]) < 100*time.Millisecond {
						bursts++
					}
				}
				b.within()
				minutes := time.Since(started).Minutes()
				if share := float64(limit) / 2 * minutes; float64(bursts) > minutes+1 || float64(total) < 0.5*share {
					t.Errorf("%d bursts in %.0f windows; %d requests of %.0f", bursts, minutes, total, share)
				}
			})
		})
	}
}

// A replica that takes over while the org has told the previous one to wait does not send
// a request before that, whether the org stated a window or only a time.
func TestTakeoverInHold(t *testing.T) {
	for name, refuse := range map[string]func(*sharedOrg){
		"used up": func(b *sharedOrg) { b.org.Drain(120) },
		"retry after": func(b *sharedOrg) {
			b.org.SetFault(func(oktatest.Request) oktatest.Fault {
				return oktatest.Fault{Status: 429, Code: "E0000047", NoBudget: true, Header: http.Header{"Retry-After": {"90"}}}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			onSharedOrg(t, 120, func(b *sharedOrg) {
				b.drain(b.replica("first"), 1, 0.5, 95*time.Second)
				refuse(b)
				b.drain(b.replica("second"), 1, 0.5, 5*time.Second)
				requests := b.org.Requests()
				last := requests[len(requests)-1]
				if n := b.refused(); n != 1 || last.Status != 429 {
					t.Fatalf("%d requests were refused, want the last one", n)
				}
				b.org.SetFault(nil)
				sent := b.drain(b.replica("third"), 5, 0.5, 2*time.Minute)
				if n := b.refused(); n != 1 || len(sent) < 15 {
					t.Errorf("%d requests were refused after the takeover, and %d sent", n-1, len(sent))
				}
				if waited := sent[0].Add(7 * time.Minute).Sub(last.Time); name == "retry after" && waited < 89*time.Second {
					t.Errorf("asked again after %s", waited)
				}
			})
		})
	}
}

// For an org that is only polled nothing is written; one read before each poll is the
// whole cost.
func TestPollingWritesNoBudget(t *testing.T) {
	onSharedOrg(t, 120, func(b *sharedOrg) {
		l := b.replica("replica")
		for range 240 {
			b.poll(l)
			time.Sleep(15 * time.Second)
		}
		if n := b.written(); n != 0 {
			t.Errorf("%d messages in an hour", n)
		}
	})
}

// While NATS is away, replicas go on at their own speed, each by itself.
func TestBudgetsWithoutNATS(t *testing.T) {
	onSharedOrg(t, 120, func(b *sharedOrg) {
		l := b.replica("replica")
		b.drain(l, 1, 0.5, 2*time.Minute)
		b.server.Stop()
		sent := b.drain(l, 1, 0.5, 10*time.Minute)
		if b.within(); len(sent) < 570 {
			t.Errorf("%d requests in ten minutes", len(sent))
		}
		b.server.Start(b)
		time.Sleep(time.Minute)
		before := b.written() // the bucket is made anew by this
		b.drain(l, 1, 0.5, 10*time.Minute)
		if b.written() == before {
			t.Error("nothing is told after NATS is back")
		}
	})
}
