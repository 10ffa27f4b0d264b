package bench

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets"
)

// traffic counts, for a while, what an idle fleet of three sends by way of NATS.
// What is written to buckets is what the target is about; what the server sends to
// the replicas, and what they ask of it, is shown beside it.
func (f *fleet) traffic(r *report) {
	f.Helper()
	progress("traffic: at rest")
	f.pause(idleRest)
	c := f.count()
	began := time.Now()
	f.pause(idleWindow)
	counts, window := c(), time.Since(began).Seconds()
	polls := 0
	for _, list := range f.orgs.polls(f.T, 0, began) {
		polls += len(list)
	}

	a := func(kind string) float64 { return float64(counts[kind]) / window }
	sessions := a("sessions")
	entries := a("locks") + a("cursors") + a("statuses") + a("other buckets")
	r.Part(fmt.Sprintf("NATS, 3 replicas, %d idle orgs polled every %s, over %s", shareOrgs, idleEvery, idleWindow))
	r.Plain(fmt.Sprintf("polls in that time, of an even %.0f", shareOrgs*idleWindow.Seconds()/idleEvery.Seconds()), fmt.Sprint(polls))
	r.Target("written to buckets, all", perSecond(sessions+entries), "≤ 8.00/s", sessions+entries <= 3+shareOrgs/60.0)
	r.Target("sessions, a replica", perSecond(sessions/3), "≤ 1/s", sessions/3 <= 1)
	perOrg := 60 * entries / shareOrgs
	r.Target(fmt.Sprintf("keys of orgs, an org (locks %.2f, cursors %.2f, statuses %.2f, others %.2f a second in all)", a("locks"), a("cursors"), a("statuses"), a("other buckets")),
		fmt.Sprintf("%.2f/min", perOrg), "≤ 1/min", perOrg <= 1)
	r.Plain("sent to a replica: by its watches", perSecond(a("news")/3))
	r.Plain("sent to a replica: heartbeats of its watches", perSecond(a("heartbeats")/3))
	r.Plain("sent to a replica: acks and answers", perSecond(a("answers")/3))
	r.Plain("asked by a replica of JetStream's API", perSecond(a("requests")/3))
}

func perSecond(n float64) string { return fmt.Sprintf("%.2f/s", n) }

// count counts messages by kind, until what it returns is called.
func (f *fleet) count() func() map[string]int {
	f.Helper()
	var mu sync.Mutex
	counts := map[string]int{}
	conn := f.server.Connect(f)
	for _, subject := range []string{"$KV.>", "$JS.API.>", "_INBOX.>"} {
		_, err := conn.Subscribe(subject, func(m *nats.Msg) {
			mu.Lock()
			defer mu.Unlock()
			counts[kindOf(m)]++
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	if err := conn.Flush(); err != nil {
		f.Fatal(err)
	}
	return func() map[string]int {
		conn.Close()
		mu.Lock()
		defer mu.Unlock()
		return counts
	}
}

// kindOf says what a message is for. A watch's news comes with the subject of its
// key and a reply of JetStream's.
func kindOf(m *nats.Msg) string {
	under := func(subject string) bool { return strings.HasPrefix(m.Subject, subject) }
	switch {
	case strings.HasPrefix(m.Reply, "$JS.ACK."):
		return "news"
	case m.Header.Get("Status") == "100":
		return "heartbeats"
	case under("$JS.API."):
		return "requests"
	case under("_INBOX."):
		return "answers"
	case under(jets.BucketSubject(jets.BucketLocks, "session.")):
		return "sessions"
	case under(jets.BucketSubject(jets.BucketLocks, "")):
		return "locks"
	case under(jets.BucketSubject(jets.BucketCursors, "")):
		return "cursors"
	case under(jets.BucketSubject(jets.BucketStatus, "")):
		return "statuses"
	}
	return "other buckets"
}
