package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
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

// killStand is what a service stands between in the kill suite: an org, and
// NATS at an address that stays.
type killStand struct {
	*testing.T
	seed      uint64
	rng       *rand.Rand
	org       *oktatest.Org
	url       string // of the org
	nats      string // host:port
	binary    string
	quiet     func() // lets nothing more happen in the org
	kills     int
	takeovers int
	conn      *nats.Conn // of the test's own; it comes back by itself
}

func newKillStand(t *testing.T) *killStand {
	t.Helper()
	k := &killStand{T: t, seed: seed(), kills: killsOfEach(), binary: built(t)}
	t.Logf("seed %d", k.seed)
	k.rng = rand.New(rand.NewPCG(k.seed, 1))
	k.org = oktatest.New(oktatest.Config{Seed: k.seed, Links: oktatest.Links{Vary: true}, Requests: -1,
		Rate:         oktatest.Rate{PerMinute: 100_000, Share: 1},
		RepeatWithin: 0.2, RepeatAcross: 0.2})
	k.org.Generate(1000, 3*time.Hour)
	k.org.SetFault(oktatest.Weather{Seed: k.seed, Share: 0.1, Faults: killFaults()}.Fault)
	server := httptest.NewServer(k.org)
	t.Cleanup(server.Close)
	k.url = server.URL
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k.nats = ln.Addr().String()
	_ = ln.Close()
	k.happen()
	return k
}

// killFaults are the faults that pass in a moment; the others are the
// simulation's, whose minutes cost nothing.
func killFaults() []oktatest.Fault {
	all := slices.Concat(oktatest.ServerFaults(), oktatest.BodyFaults(), oktatest.LinkFaults(), oktatest.ElementFaults())
	return slices.DeleteFunc(all, func(f oktatest.Fault) bool { return f.Bomb > 0 || f.Wait > 0 || f.Slow > 0 })
}

// happen lets events happen, fifty a second.
func (k *killStand) happen() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { k.org.Run(ctx, 3000) })
	k.quiet = func() { cancel(); wg.Wait() }
	k.Cleanup(k.quiet)
}

func (k *killStand) port() int {
	_, port, _ := net.SplitHostPort(k.nats)
	n, err := strconv.Atoi(port)
	if err != nil {
		k.Fatal(err)
	}
	return n
}

// configure puts the org into INTEGRATIONS, with pages small enough that there
// are many.
func (k *killStand) configure() {
	k.Helper()
	k.conn = k.connect(func(*nats.Options) error { return nil })
	k.until("streams and buckets", func() bool {
		ctx, cancel := context.WithTimeout(k.Context(), time.Second)
		defer cancel()
		js, err := jetstream.New(k.conn)
		if err != nil {
			return false
		}
		kv, err := js.KeyValue(ctx, jets.BucketIntegrations)
		if err != nil {
			return false
		}
		value := fmt.Sprintf(`{"poll_interval":"1s","settings":{"base_url":%q,"limit":40,"rate_share":1},"credentials":{"api_token":"00killed"}}`, k.url)
		_, err = kv.Put(ctx, jets.Key("prod"), []byte(value))
		return err == nil
	})
}

func (k *killStand) connect(option nats.Option) *nats.Conn {
	k.Helper()
	nc, err := nats.Connect("nats://"+k.nats, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(50*time.Millisecond), nats.ReconnectBufSize(-1), option)
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(nc.Close)
	return nc
}

// trouble lets a burst of events happen, or makes the org refuse cursors.
func (k *killStand) trouble() {
	switch k.rng.IntN(8) {
	case 0:
		k.org.RefuseCursors(1)
	case 1:
		k.org.ExpireCursors()
	case 2, 3, 4:
		k.org.Add(make([]oktatest.Event, k.rng.IntN(800))...)
	}
}

// wait waits for a time by chance.
func (k *killStand) wait(least, most time.Duration) {
	_ = pipeline.Sleep(k.Context(), least+time.Duration(k.rng.Int64N(int64(most-least))))
}

// until looks until something is so.
func (k *killStand) until(what string, so func() bool) {
	k.Helper()
	for deadline := time.Now().Add(2 * patience); !so(); {
		if time.Now().After(deadline) {
			k.Fatalf("seed %d: it never came to this: %s", k.seed, what)
		}
		_ = pipeline.Sleep(k.Context(), 20*time.Millisecond) // between two looks at other processes
	}
}

// last is the newest message on a subject of a stream; nil: none.
func (k *killStand) last(stream, subject string) *nats.Msg {
	question, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		k.Fatal(err)
	}
	var answer struct{ Message *nats.Msg }
	reply, err := k.conn.Request("$JS.API.STREAM.MSG.GET."+stream, question, time.Second)
	if err != nil || json.Unmarshal(reply.Data, &answer) != nil {
		return nil
	}
	return answer.Message
}

// holder is the replica that holds the instance; empty: not known.
func (k *killStand) holder() string {
	m := k.last(jets.BucketStream(jets.BucketLocks), jets.BucketSubject(jets.BucketLocks, jets.Key("prod")))
	var lock struct{ Holder string }
	if m == nil || json.Unmarshal(m.Data, &lock) != nil {
		return ""
	}
	return lock.Holder
}

// settle ends the trouble and waits until the newest event is stored.
func (k *killStand) settle() {
	k.Helper()
	k.quiet()
	k.org.SetFault(nil)
	all := k.org.Events()
	newest := all[len(all)-1]
	k.until("the newest event is stored", func() bool {
		m := k.last(jets.StreamSignals, jets.SubjectEvents("prod"))
		return m != nil && bytes.Equal(m.Data, newest.Data)
	})
}

// audit reads the whole stream and holds it against the org's log.
func (k *killStand) audit(option nats.Option) {
	k.Helper()
	js, err := jetstream.New(k.connect(option))
	if err != nil {
		k.Fatal(err)
	}
	a := jetstest.Audit{Stream: jets.StreamSignals, Events: jets.SubjectEvents("prod"), Positions: jets.SubjectPosition("prod")}
	for _, e := range k.org.Events() {
		a.Log = append(a.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
	}
	if err := a.Run(k.Context(), js); err != nil {
		k.Fatalf("seed %d: %v", k.seed, err)
	}
	k.Logf("seed %d: %d kills, %d events, %d takeovers from a frozen process", k.seed, k.kills, len(a.Log), k.takeovers)
}

// killed is a service that is killed, frozen and started again.
type killed struct {
	*killStand
	name string
	env  []string
	cmd  *exec.Cmd // nil while it does not run
	log  *os.File
}

// service prepares a service. What it says is shown when the test fails.
func (k *killStand) service(name string, env ...string) *killed {
	k.Helper()
	log, err := os.Create(filepath.Join(k.TempDir(), name+".log"))
	if err != nil {
		k.Fatal(err)
	}
	s := &killed{killStand: k, name: name, log: log, env: append(bare(), env...)}
	s.env = append(s.env, "SIGNAL_CLIENT_REPLICA="+name, "SIGNAL_CLIENT_SESSION_TTL=2s", "SIGNAL_CLIENT_HTTP_ADDR=127.0.0.1:0")
	k.Cleanup(func() {
		if s.cmd != nil {
			s.signal(syscall.SIGKILL)
		}
		if text, err := os.ReadFile(log.Name()); err == nil && k.Failed() {
			k.Logf("%s:\n%s", name, text[max(0, len(text)-8000):])
		}
		_ = log.Close()
	})
	return s
}

// bare is the environment without what configures the program.
func bare() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return bytes.HasPrefix([]byte(v), []byte("NATS_")) || bytes.HasPrefix([]byte(v), []byte("OKTA_")) || bytes.HasPrefix([]byte(v), []byte("SIGNAL_CLIENT_"))
	})
}

func (s *killed) start() {
	s.Helper()
	s.cmd = exec.Command(s.binary, "run")
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.env, s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.Fatal(err)
	}
}

// signal sends a signal; after SIGKILL it waits for the end.
func (s *killed) signal(sig syscall.Signal) {
	s.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.Fatalf("%s has ended by itself: %v", s.name, err)
	}
	if sig == syscall.SIGKILL {
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// stop ends the service in good order.
func (s *killed) stop() {
	s.Helper()
	s.signal(syscall.SIGTERM)
	err := s.cmd.Wait()
	s.cmd = nil
	if err != nil {
		s.Fatalf("%s: %v", s.name, err)
	}
}
