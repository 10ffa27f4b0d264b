package bench

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta"
)

const (
	idleEvery  = 5 * time.Minute  // between two polls of an org
	idleRest   = 20 * time.Second // in which what the start has left is written
	idleWindow = time.Minute      // that is measured
)

// idleFleets measures what orgs cost in which nothing happens.
func idleFleets(t *testing.T, r *report, binary string) {
	few, many := number("SIGNAL_CLIENT_BENCH_FEW", 1_000), number("SIGNAL_CLIENT_BENCH_MANY", 10_000)
	idleFleet(t, r, binary, few, 120, 3)
	idleFleet(t, r, binary, many, 800, 20)
}

// idleFleet starts one process on the given number of idle orgs, lets it settle, and
// measures it for a while.
func idleFleet(t *testing.T, r *report, binary string, orgs int, megabytes, percent float64) {
	progress("%s idle orgs: starting", thousands(float64(orgs)))
	f := newFleet(t, binary, hostGroup{Name: "idle", Hosts: orgs, Alike: true, Rate: 600})
	f.configure(0, idleEvery, false)
	locked := f.lockTimes()
	one := f.start("one")
	f.until("all locks are held", 2*time.Minute, func() bool { return len(f.holders()) == orgs })
	held := locked().Sub(one.began)
	polled := 0
	f.until("all orgs are polled", 5*time.Minute, func() bool {
		polled = len(f.orgs.polls(t, 0, one.began))
		return polled == orgs
	})
	first := time.Since(one.began)
	progress("%s idle orgs: all locks held after %.1f s, all polled after %.1f s; now at rest", thousands(float64(orgs)), held.Seconds(), first.Seconds())
	f.pause(idleRest)

	began, before := time.Now(), one.cpu()
	f.pause(idleWindow)
	share := 100 * (one.cpu() - before).Seconds() / time.Since(began).Seconds()
	resident, peak := one.memory()
	program := statusMB(one.cmd.Process.Pid, "RssFile:")
	polls := 0
	for _, list := range f.orgs.polls(t, 0, began) {
		polls += len(list)
	}
	one.end(syscall.SIGTERM)

	r.Part(fmt.Sprintf("%s idle orgs polled every %s by one process, over %s", thousands(float64(orgs)), idleEvery, idleWindow))
	r.Plain("polls in that time, of an even "+thousands(float64(orgs)*idleWindow.Seconds()/idleEvery.Seconds()), thousands(float64(polls)))
	r.Target("resident", fmt.Sprintf("%.0f MB", resident), fmt.Sprintf("< %.0f MB", megabytes), resident < megabytes)
	r.Plain("of that, pages of the program's file, which the system shares and may drop", fmt.Sprintf("%.0f MB", program))
	r.Plain("resident at most, since the start", fmt.Sprintf("%.0f MB", peak))
	r.Target("CPU, of one core", fmt.Sprintf("%.1f %%", share), fmt.Sprintf("< %.0f %%", percent), share < percent)
	r.Target("all locks held after the start", fmt.Sprintf("%.1f s", held.Seconds()), "< 30 s", held < 30*time.Second)
	r.Plain("all orgs polled after the start", fmt.Sprintf("%.1f s", first.Seconds()))
	r.Plain("load average then, of the bench itself too", loadAverage())
}

// lockTimes watches locks be taken. What it returns tells when the last one was.
func (f *fleet) lockTimes() func() time.Time {
	f.Helper()
	last := make(chan time.Time, 1)
	last <- time.Time{}
	conn := f.server.Connect(f)
	sub, err := conn.Subscribe(jets.BucketSubject(jets.BucketLocks, jets.Key(okta.Kind.Name, "*")), func(*nats.Msg) {
		<-last
		last <- time.Now()
	})
	if err != nil {
		f.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		f.Fatal(err)
	}
	return func() time.Time {
		_ = sub.Unsubscribe()
		return <-last
	}
}
