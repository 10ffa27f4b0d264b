package jets

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// A server of a cluster that is stopped (SIGSTOP) closes no connection. Its clients go on
// at another one, however much they send.
func TestFrozenServerIsLeft(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	cluster := jetstest.Config{}.Cluster(t)
	conn, err := Connect(t.Context(), cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	frozen := cluster[0]
	for _, p := range cluster {
		if p.URL() == conn.NATS.ConnectedUrl() {
			frozen = p
		}
	}
	frozen.Freeze()
	defer frozen.Thaw()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		data := make([]byte, 64<<10)
		for conn.Generation() == 0 { // far more than the buffers on the way hold
			if conn.NATS.PublishMsg(&nats.Msg{Subject: "somewhere", Data: data}) != nil {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	select {
	case <-sent:
	case <-time.After(45 * time.Second): // nats.go by itself takes a minute or six
		t.Fatal("still with the server that is frozen")
	}
	if conn.NATS.ConnectedUrl() == frozen.URL() {
		t.Error("connected to the frozen server")
	}
}
