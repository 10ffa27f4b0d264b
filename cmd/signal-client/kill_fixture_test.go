package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// built builds the program as its users do, and returns its path.
func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signal-client")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// killOrg is a simulated org, and the instance by which it is polled.
type killOrg struct {
	*oktatest.Org
	instance string
	url      string
}

// killFixture is what surrounds the services of the kill suite: orgs in which
// events happen all the time, and NATS at addresses that stay.
type killFixture struct {
	*testing.T
	seed    uint64
	rng     *rand.Rand
	orgs    []*killOrg
	servers string // URLs of NATS
	data    string // directory of the embedded server; empty: it is another one
	binary  string
	kills   int // to be made
	conn    *jets.Conn

	quiet   context.CancelFunc // lets nothing more happen in the orgs
	silence sync.WaitGroup     // that nothing more happens
}

// newKillFixture makes an org for each instance. In all of them together fifty
// events happen a second.
func newKillFixture(t *testing.T, instances ...string) *killFixture {
	t.Helper()
	k := &killFixture{T: t, seed: seed(), kills: killsOfEach(), binary: built(t)}
	t.Logf("seed %d", k.seed)
	k.rng = rand.New(rand.NewPCG(k.seed, 1))
	ctx, quiet := context.WithCancel(context.Background())
	k.quiet = func() { quiet(); k.silence.Wait() }
	for i, instance := range instances {
		org := oktatest.New(oktatest.Config{Seed: k.seed + uint64(i), Even: true, Links: oktatest.Links{Vary: true}, Requests: -1,
			Rate:         oktatest.Rate{PerMinute: 100_000, Share: 1},
			RepeatWithin: 0.2, RepeatAcross: 0.2})
		org.Generate(1000/len(instances), 3*time.Hour)
		org.SetFault(oktatest.Weather{Seed: k.seed, Share: 0.1, Faults: killFaults()}.Fault)
		server := httptest.NewServer(org)
		t.Cleanup(server.Close)
		k.orgs = append(k.orgs, &killOrg{org, instance, server.URL})
		k.silence.Go(func() { org.Run(ctx, 3000/float64(len(instances))) })
	}
	k.Cleanup(k.quiet)
	return k
}

// killFaults are the faults that pass in a moment; the others are the
// simulation's, whose minutes cost nothing.
func killFaults() []oktatest.Fault {
	all := slices.Concat(oktatest.ServerFaults(), oktatest.BodyFaults(), oktatest.LinkFaults(), oktatest.ElementFaults())
	return slices.DeleteFunc(all, func(f oktatest.Fault) bool { return f.Bomb > 0 || f.Wait > 0 || f.Slow > 0 })
}

// address is a free one, for a server that is started again and again.
func (k *killFixture) address() string {
	k.Helper()
	port, err := jetstest.FreePort()
	if err != nil {
		k.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// configure puts the orgs into INTEGRATIONS, with pages small enough that there
// are many.
func (k *killFixture) configure() {
	k.Helper()
	k.until("NATS answers", func() bool {
		conn, err := k.connect()
		k.conn = conn
		return err == nil
	})
	k.putOrgs()
}

// putOrgs writes the orgs' values, whatever is there.
func (k *killFixture) putOrgs() {
	k.Helper()
	type object map[string]any
	all := &buckets.Integrations{Store: jets.Attach(k.conn, kinds.Default)}
	for _, org := range k.orgs {
		value, err := json.Marshal(object{
			"poll_interval": "1s",
			"settings":      object{"base_url": org.url, "limit": 40, "rate_share": 1},
			"credentials":   object{"api_token": "00killed"},
		})
		if err != nil {
			k.Fatal(err)
		}
		k.until("streams and buckets", func() bool {
			ctx, cancel := context.WithTimeout(k.Context(), time.Second)
			defer cancel()
			was, err := all.Get(ctx, org.instance)
			if err == nil {
				_, err = all.Put(ctx, org.instance, value, was.Revision)
			}
			return err == nil || errors.Is(err, pipeline.ErrChanged) // written, though the answer was lost
		})
	}
}

func (k *killFixture) connect(opts ...nats.Option) (*jets.Conn, error) {
	if k.data != "" {
		opts = append(opts, login(k.data))
	}
	conn, err := jets.Connect(k.Context(), k.servers, append(opts, nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0))...)
	if err == nil {
		k.Cleanup(conn.Close)
	}
	return conn, err
}

// trouble lets a burst of events happen in an org, or makes it refuse cursors.
func (k *killFixture) trouble() {
	org := k.orgs[k.rng.IntN(len(k.orgs))]
	switch k.rng.IntN(8) {
	case 0:
		org.RefuseCursors(1)
	case 1:
		org.ExpireCursors()
	case 2, 3, 4:
		org.Add(make([]oktatest.Event, k.rng.IntN(800))...)
	}
}

// wait waits for a time by chance.
func (k *killFixture) wait(least, most time.Duration) {
	_ = pipeline.Sleep(k.Context(), least+time.Duration(k.rng.Int64N(int64(most-least))))
}

// until looks until something is so. It is patient: after many rounds, a query that
// is reopened reads thousands of events again, in small pages.
func (k *killFixture) until(what string, so func() bool) {
	k.Helper()
	for deadline := time.Now().Add(2 * patience); !so(); {
		if time.Now().After(deadline) {
			k.Fatalf("seed %d: it never came to this: %s", k.seed, what)
		}
		_ = pipeline.Sleep(k.Context(), 20*time.Millisecond) // between two looks at other processes
	}
}

// held is which replica holds each instance, by a session that lives; nil: not
// known.
func (k *killFixture) held() map[string]string {
	ctx, cancel := context.WithTimeout(k.Context(), 2*time.Second)
	defer cancel()
	replicas, err := locks.ReadReplicas(ctx, jets.Attach(k.conn, kinds.Default))
	if err != nil {
		return nil
	}
	held := map[string]string{}
	for _, org := range k.orgs {
		if holder := replicas.Holder(jets.Key(kinds.Default.Name, org.instance)); holder != "" {
			held[org.instance] = holder
		}
	}
	return held
}

// takenOver waits until others hold what a replica held.
func (k *killFixture) takenOver(replica string, instances []string) {
	k.Helper()
	k.until("others take over from "+replica, func() bool {
		held := k.held()
		return !slices.ContainsFunc(instances, func(i string) bool { return held[i] == "" || held[i] == replica })
	})
}

// stored counts the events of each subject.
func (k *killFixture) stored() map[string]uint64 {
	ctx, cancel := context.WithTimeout(k.Context(), time.Second)
	defer cancel()
	stream, err := k.conn.JS.Stream(ctx, jets.StreamSignals)
	if err != nil {
		return nil
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(jets.SubjectEvents(kinds.Default.Name, "*")))
	if err != nil {
		return nil
	}
	return info.State.Subjects
}

// goesOn waits until all that has happened in the orgs is stored. After a fault
// this is how it shows that no instance is stuck.
func (k *killFixture) goesOn(after string) {
	k.Helper()
	there := map[string]uint64{}
	for _, org := range k.orgs {
		there[jets.SubjectEvents(kinds.Default.Name, org.instance)] = uint64(org.Len())
	}
	k.until("all is stored that happened until "+after, func() bool {
		stored := k.stored()
		for subject, n := range there {
			if stored[subject] < n {
				return false
			}
		}
		return true
	})
}

// settle ends the trouble, and waits until the newest events are stored and
// every instance is held.
func (k *killFixture) settle() {
	k.Helper()
	k.quiet()
	for _, org := range k.orgs {
		org.SetFault(nil)
	}
	for _, org := range k.orgs {
		all := org.Events()
		newest := all[len(all)-1]
		k.until("the newest event of "+org.instance+" is stored", func() bool {
			ctx, cancel := context.WithTimeout(k.Context(), time.Second)
			defer cancel()
			m, err := k.conn.Last(ctx, jets.StreamSignals, jets.SubjectEvents(kinds.Default.Name, org.instance))
			return err == nil && bytes.Equal(m.Data, newest.Data)
		})
	}
	k.until("every instance is held", func() bool { return len(k.held()) == len(k.orgs) })
}

// audit reads the whole stream and holds it against the orgs' logs. opts are
// those of the connection.
func (k *killFixture) audit(opts ...nats.Option) {
	k.Helper()
	conn, err := k.connect(opts...)
	if err != nil {
		k.Fatal(err)
	}
	events := 0
	for _, org := range k.orgs {
		a := jetstest.Audit{Stream: jets.StreamSignals, Events: jets.SubjectEvents(kinds.Default.Name, org.instance), Positions: jets.SubjectPosition(kinds.Default.Name, org.instance)}
		for _, e := range org.Events() {
			a.Log = append(a.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
		}
		if err := a.Run(k.Context(), conn.JS); err != nil {
			k.Errorf("seed %d: %s: %v", k.seed, org.instance, err)
		}
		events += len(a.Log)
	}
	k.Logf("seed %d: %d events of %d instances", k.seed, events, len(k.orgs))
}
