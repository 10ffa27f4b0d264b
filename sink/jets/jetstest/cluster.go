package jetstest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Cluster is three nats-servers in child processes. Each can be killed and restarted,
// frozen, and cut off from the other two.
type Cluster [3]*Process

// Cluster starts three servers configured by c, each with its own store and name (n1, n2,
// n3), and waits until they can create a stream of three copies.
func (c Config) Cluster(t testing.TB) Cluster {
	t.Helper()
	var ports [3]int
	for i := range ports {
		ports[i] = freePort(t)
	}
	var cluster Cluster
	var ready [3]func() (string, error)
	for i := range cluster {
		c := c
		c.Dir, c.Port, c.Name = "", 0, fmt.Sprintf("n%d", i+1)
		c.ClusterPort = ports[i]
		cluster[i] = c.process(t)
	}
	for i, from := range cluster {
		var routes []string
		for j, to := range cluster {
			if i != j {
				way := newRelay(t, fmt.Sprintf("127.0.0.1:%d", ports[j]))
				from.ways, to.ways = append(from.ways, way), append(to.ways, way)
				routes = append(routes, "nats://"+way.addr())
			}
		}
		from.config.Routes = strings.Join(routes, ",")
		ready[i] = from.launch(t)
	}
	for i, wait := range ready {
		if line, err := wait(); line != readyLine {
			t.Fatalf("server %d of the cluster did not start: %q %v", i+1, line, err)
		}
	}
	cluster.awaitStream(t)
	return cluster
}

// awaitStream waits until a stream of three copies can be created.
func (c Cluster) awaitStream(t testing.TB) {
	t.Helper()
	js, err := jetstream.New(c.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	for {
		try, stop := context.WithTimeout(ctx, 2*time.Second)
		_, err := js.CreateStream(try, jetstream.StreamConfig{Name: "READY", Subjects: []string{"ready"}, Replicas: 3})
		stop()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("cluster is not ready: %v", err)
		}
	}
	if err := js.DeleteStream(ctx, "READY"); err != nil {
		t.Fatal(err)
	}
}

// URL returns the addresses of all three servers.
func (c Cluster) URL() string {
	return c[0].URL() + "," + c[1].URL() + "," + c[2].URL()
}

// Connect connects to any server that answers; the connection is closed with the test.
func (c Cluster) Connect(t testing.TB, opts ...nats.Option) *nats.Conn {
	t.Helper()
	return connect(t, c.URL(), append([]nats.Option{c[0].Option()}, opts...)...)
}

// Leader returns the server that leads a stream. It waits until there is one.
func (c Cluster) Leader(t testing.TB, stream string) *Process {
	t.Helper()
	nc := c.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	for ctx.Err() == nil {
		try, stop := context.WithTimeout(ctx, time.Second)
		s, err := js.Stream(try, stream)
		stop()
		if err != nil || s.CachedInfo().Cluster == nil {
			continue
		}
		for _, p := range c {
			if p.config.Name == s.CachedInfo().Cluster.Leader {
				return p
			}
		}
	}
	t.Fatalf("stream %s has no leader", stream)
	return nil
}
