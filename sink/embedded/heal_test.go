//go:build linux

package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// patient tries for a while.
func patient(t *testing.T, what string, done func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = done(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// put publishes a large message.
func put(client jetstream.JetStream, subject string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := client.Publish(ctx, subject, make([]byte, 100_000))
	return err
}

// TestFullDiskHeals: a disk that fills up while the server runs, or is full at its start,
// needs nothing but room.
func TestFullDiskHeals(t *testing.T) {
	jetstest.OnSmallDisk(t, 64<<20, func(t *testing.T, dir string) {
		s := start(t, Config{Dir: dir, Listen: "127.0.0.1:0"})
		client := js(t, "", s.InProcess(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
		other := js(t, s.URL(), fromFile(t, dir), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)) // another process
		for _, name := range []string{"S", "K"} {
			if _, err := client.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name}}); err != nil {
				t.Fatal(err)
			}
			if err := put(client, name); err != nil {
				t.Fatal(err)
			}
		}
		if trouble := s.Trouble(); trouble != "" || s.Short() != nil {
			t.Errorf("with room: %q, %v", trouble, s.Short())
		}
		makeRoom := jetstest.Fill(t, dir)
		if err := put(client, "S"); err == nil {
			t.Error("a message was stored on a full disk")
		}
		if trouble := s.Trouble(); trouble == "" || !errors.Is(s.Short(), ErrNoRoom) {
			t.Errorf("on a full disk: %q, %v", trouble, s.Short())
		}
		makeRoom()
		patient(t, "after room was made", func() error { return errors.Join(put(client, "S"), put(client, "K")) })
		patient(t, "another process", func() error { return put(other, "S") })
		patient(t, "what is told", func() error {
			if trouble := s.Trouble(); trouble != "" {
				return errors.New(trouble)
			}
			return nil
		})
		s.Shutdown()

		if err := os.Remove(filepath.Join(dir, ContextName)); err != nil {
			t.Fatal(err)
		}
		makeRoom = jetstest.Fill(t, dir)
		s = start(t, Config{Dir: dir, Listen: "127.0.0.1:0"})
		client = js(t, "", s.InProcess(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
		if err := put(client, "S"); err == nil {
			t.Error("a message was stored on a full disk")
		}
		makeRoom()
		patient(t, "after a start on a full disk", func() error { return errors.Join(put(client, "S"), put(client, "K")) })
		stream, err := client.Stream(t.Context(), "S")
		if err != nil || stream.CachedInfo().State.Msgs < 3 {
			t.Errorf("%+v, %v", stream, err)
		}
		patient(t, "the password's file", func() error { _, err := ReadLogin(dir); return err })
	})
}

// TestLimitIsTheDisk: JetStream counts bytes before compression. Ten times the size of
// the disk fits if it compresses well, and the disk itself shows when it is full.
func TestLimitIsTheDisk(t *testing.T) {
	jetstest.OnSmallDisk(t, 64<<20, func(t *testing.T, dir string) {
		s := start(t, Config{Dir: dir, NoListen: true, SyncInterval: time.Minute})
		client := js(t, "", s.InProcess())
		_, err := client.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"S"}, Compression: jetstream.S2Compression})
		if err != nil {
			t.Fatal(err)
		}
		for range 1280 { // 128 MB on 64 MB
			if err := put(client, "S"); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Short(); err != nil {
			t.Errorf("after what compresses well: %v", err)
		}
	})
}
