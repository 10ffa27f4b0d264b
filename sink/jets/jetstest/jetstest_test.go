package jetstest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

func TestMain(m *testing.M) { jetstest.Main(m) }

// stream makes a stream S that takes the subject s.
func stream(t *testing.T, nc *nats.Conn, copies int) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	cfg := jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: copies}
	if _, err := js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return js
}

// publish publishes until the server takes it.
func publish(t *testing.T, js jetstream.JetStream, payload string) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := js.Publish(ctx, "s", []byte(payload))
		cancel()
		if err == nil {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func wantMessages(t *testing.T, js jetstream.JetStream, want uint64) {
	t.Helper()
	s, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Msgs; got != want {
		t.Errorf("stream holds %d messages, want %d", got, want)
	}
}

// Two bubbles one after another show that no clock is shared between them.
func TestBubbleHour(t *testing.T) {
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			s := jetstest.Run(t)
			js := stream(t, s.Connect(t), 1)
			publish(t, js, "a")
			time.Sleep(time.Hour)
			s.Restart(t)
			publish(t, js, "b")
			wantMessages(t, js, 2)
		})
	}
}

func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		js := stream(t, s.Connect(t), 1)
		publish(t, js, "kept")
		s.Stop()
		backup := s.Copy(t)
		s.Start(t)
		publish(t, js, "lost")
		wantMessages(t, js, 2)
		s.Stop()
		s.Restore(t, backup)
		s.Start(t)
		publish(t, js, "new")
		wantMessages(t, js, 2)
	})
}

func TestListen(t *testing.T) {
	s := jetstest.Config{Listen: true, Password: "p"}.Run(t)
	nc, err := nats.Connect(s.URL(), s.Option())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nats.Connect(s.URL()); err == nil {
		t.Error("connected without the password")
	}
}

func TestProcessKilled(t *testing.T) {
	p := jetstest.Config{}.Process(t)
	js := stream(t, p.Connect(t), 1)
	publish(t, js, "a")
	p.Kill()
	p.Start(t)
	publish(t, js, "b")
	wantMessages(t, js, 2)
}

func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes an election")
	}
	c := jetstest.Config{}.Cluster(t)
	js := stream(t, c.Connect(t), 3)
	publish(t, js, "a")
	c.Leader(t, "S").Kill()
	publish(t, js, "b")
	wantMessages(t, js, 2)
}

// While one server is cut off, the other two work. What its own clients send meanwhile is
// in no stream.
func TestClusterCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("takes an election")
	}
	c := jetstest.Config{}.Cluster(t)
	stream(t, c.Connect(t), 3)
	cut := c.Leader(t, "S")
	var other *jetstest.Process
	for _, p := range c {
		if p != cut {
			other = p
		}
	}
	cut.CutOff()
	js, err := jetstream.New(other.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	publish(t, js, "a")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	apart, err := jetstream.New(cut.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := apart.Publish(ctx, "s", []byte("lost"), jetstream.WithRetryAttempts(0)); err == nil {
		t.Error("a server without the others acknowledges")
	}
	cut.Join()
	publish(t, apart, "b")
	wantMessages(t, js, 2)
}
