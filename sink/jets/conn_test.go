package jets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

func TestEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		c := dial(t, s)
		if !c.Connected() {
			t.Fatal("not connected")
		}
		epoch, done := c.Epoch(t.Context())
		defer done()
		if err := epoch.Err(); err != nil {
			t.Fatalf("epoch of a standing connection: %v", err)
		}

		s.Stop()
		<-epoch.Done()
		if err := context.Cause(epoch); !errors.Is(err, ErrDisconnected) {
			t.Errorf("epoch ended with %v", err)
		}
		late, done := c.Epoch(t.Context())
		defer done()
		if err := context.Cause(late); !errors.Is(err, ErrDisconnected) {
			t.Errorf("epoch begun while away: %v", err)
		}
		if _, err := c.Last(t.Context(), "S", "s"); !errors.Is(err, ErrDisconnected) {
			t.Errorf("request while away: %v", err)
		}
		waiting, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := c.Up(waiting); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Up while away: %v", err)
		}

		s.Start(t)
		if err := c.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		again, done := c.Epoch(t.Context())
		defer done()
		if err := again.Err(); err != nil {
			t.Errorf("epoch after the reconnect: %v", err)
		}
	})
}

// A request that the server never answers ends when the connection is lost, not at its
// deadline.
func TestRequestEndsWithConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		c := dial(t, s)
		asked := make(chan struct{})
		sub, err := s.Connect(t).Subscribe("mute", func(*nats.Msg) { close(asked) })
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = sub.Unsubscribe() }()
		synctest.Wait()
		go func() {
			<-asked
			s.Stop()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if _, err := c.Request(ctx, nats.NewMsg("mute")); !errors.Is(err, ErrDisconnected) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// A request that is lost because the stream has no leader is repeated soon.
func TestQuestionsAreAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		c, leader := dial(t, s), s.Connect(t)
		c.APIPrefix = "API"
		lost := 3
		sub, err := leader.Subscribe("API.STREAM.MSG.GET.S", func(m *nats.Msg) {
			if lost--; lost < 0 {
				_ = m.Respond([]byte(`{"message":{"subject":"s","seq":7}}`))
			}
		})
		if err != nil || leader.Flush() != nil {
			t.Fatal(err)
		}
		began := time.Now()
		m, err := c.Last(t.Context(), "S", "s")
		if err != nil || m.Seq != 7 {
			t.Fatalf("got %+v, %v", m, err)
		}
		if took := time.Since(began).Round(time.Millisecond); took != 3*askAgain {
			t.Errorf("answered after %v, want %v", took, 3*askAgain)
		}

		lost = 100
		began = time.Now()
		if _, err = c.Last(t.Context(), "S", "s"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != RequestTimeout {
			t.Errorf("after %v: %v, want the end of patience after %v", time.Since(began), err, RequestTimeout)
		}
		go func() {
			time.Sleep(2*askAgain + askAgain/2)
			s.Stop()
		}()
		if _, err = c.Last(t.Context(), "S", "s"); !errors.Is(err, ErrDisconnected) {
			t.Errorf("got %v, want %v", err, ErrDisconnected)
		}
		_ = sub.Unsubscribe()
	})
}

// Even the request that creates a watch may be repeated.
func TestConsumerAskedForTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := opened(t, jetstest.Run(t), Config{Kinds: oktaKinds})
		if _, err := store.Conn.Put(t.Context(), BucketLocks, "okta.acme", 0, &nats.Msg{Data: []byte(`{}`), Header: nats.Header{}}); err != nil {
			t.Fatal(err)
		}
		nc := store.Conn.NATS
		sub, err := nc.SubscribeSync(nc.NewInbox())
		if err != nil {
			t.Fatal(err)
		}
		request := fmt.Appendf(nil, `{"stream_name":"KV_LOCKS","config":{"name":"twice","deliver_subject":%q,"filter_subject":"$KV.LOCKS.>",`+
			`"deliver_policy":"last_per_subject","ack_policy":"none","max_deliver":1,"idle_heartbeat":2000000000,"mem_storage":true,"num_replicas":1}}`, sub.Subject)
		for range 2 {
			answer, err := nc.Request("$JS.API.CONSUMER.CREATE.KV_LOCKS.twice.$KV.LOCKS.>", request, time.Second)
			if err != nil || bytes.Contains(answer.Data, []byte(`"error"`)) {
				t.Fatalf("%s %v", answer.Data, err)
			}
		}
		if m, err := sub.NextMsg(time.Second); err != nil || m.Subject != "$KV.LOCKS.okta.acme" {
			t.Errorf("got %+v, %v", m, err)
		}
	})
}

func TestLeaderReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, jetstest.Run(t))
		if _, err := c.Last(t.Context(), "S", "s"); !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Errorf("no stream: %v", err)
		}
		if _, err := c.JS.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s", "r"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Last(t.Context(), "S", "s"); !errors.Is(err, ErrNoMessage) {
			t.Errorf("no message: %v", err)
		}
		sent := &nats.Msg{Subject: "s", Header: nats.Header{"ce-id": {"u"}}, Data: []byte("first")}
		if _, err := c.JS.PublishMsg(t.Context(), sent); err != nil {
			t.Fatal(err)
		}
		if _, err := c.JS.Publish(t.Context(), "s", nil); err != nil {
			t.Fatal(err)
		}
		first, err := c.At(t.Context(), "S", 1)
		if err != nil {
			t.Fatal(err)
		}
		if first.Subject != "s" || first.Seq != 1 || string(first.Data) != "first" ||
			first.Header["ce-id"][0] != "u" || !first.Time.Equal(time.Now()) && time.Since(first.Time) > time.Second {
			t.Errorf("read %+v", first)
		}
		last, err := c.Last(t.Context(), "S", "s")
		if err != nil || last.Seq != 2 || len(last.Data) != 0 || last.Header != nil {
			t.Errorf("newest is %+v, %v", last, err)
		}
		for _, seq := range []uint64{0, 3} {
			if _, err := c.At(t.Context(), "S", seq); !errors.Is(err, ErrNoMessage) {
				t.Errorf("message %d: %v", seq, err)
			}
		}
		if _, err := c.Last(t.Context(), "S", "r"); !errors.Is(err, ErrNoMessage) {
			t.Errorf("other subject: %v", err)
		}
	})
}

func TestDomain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Config{Domain: "hub"}.Run(t)
		for _, d := range []Dialer{{}, {Domain: "hub"}, {APIPrefix: "$JS.hub.API"}} {
			c := dialAs(t, s, d)
			if _, err := c.Last(t.Context(), "S", "s"); !errors.Is(err, jetstream.ErrStreamNotFound) {
				t.Errorf("%+v: %v", d, err)
			}
		}
		if _, err := (Dialer{Domain: "other"}).Connect(t.Context(), "", s.Option()); !errors.Is(err, ErrNoJetStream) {
			t.Errorf("a domain that is not there: %v", err)
		}
	})
}

func TestRefusesServerWithoutJetStream(t *testing.T) {
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(srv.Shutdown)
	if _, err := Connect(t.Context(), "", nats.InProcessServer(srv)); !errors.Is(err, ErrNoJetStream) {
		t.Errorf("got %v", err)
	}
}

func TestRefusesOldServer(t *testing.T) {
	for version, want := range map[string]bool{"2.11.9": true, "1.4.1": true, "2.12.0": false, "2.15.2": false, "3.0.0-beta": false, "odd": false} {
		_, err := Connect(t.Context(), "", nats.InProcessServer(oldServer(version)))
		if got := errors.Is(err, ErrServerTooOld); got != want {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

// oldServer says who it is, as the first server of that version would, and
// answers pings; it has no JetStream.
type oldServer string

func (v oldServer) InProcessConn() (net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		defer func() { _ = here.Close() }()
		_, _ = fmt.Fprintf(here, "INFO {\"server_id\":\"OLD\",\"version\":%q,\"headers\":true,\"max_payload\":1048576}\r\n", string(v))
		buf := make([]byte, 4096)
		for {
			n, err := here.Read(buf)
			if err != nil {
				return
			}
			if bytes.Contains(buf[:n], []byte("PUB")) {
				return
			}
			if bytes.Contains(buf[:n], []byte("PING")) {
				_, _ = here.Write([]byte("PONG\r\n"))
			}
		}
	}()
	return there, nil
}

func TestErrorsShowNoSecret(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	for _, urls := range []string{
		"nats://ops:hunter2@127.0.0.1:1",
		"nats://hunter2@127.0.0.1:1",
		"nats://ops:hunter2@127.0.0.1:1,nats://ops:hunter2@127.0.0.1:2",
		"nats://ops:hunter2@127.0.0.1:not-a-port",
		"ops:hunter2@127.0.0.1:1",
		"://hunter2@x",
	} {
		_, err := Dialer{Log: log}.Connect(t.Context(), urls)
		if err == nil {
			t.Fatalf("%s: connected", urls)
		}
		if strings.Contains(err.Error()+out.String(), "hunter2") {
			t.Errorf("%s: shown in %q, %q", urls, err, out.String())
		}
	}
}

// ways lead to a server, one connection each.
type ways []*jetstest.Proxy

func (w *ways) InProcessConn() (net.Conn, error) {
	way := (*w)[0]
	*w = (*w)[1:]
	return way.InProcessConn()
}

// A silent server is left for another one within the documented time.
func TestSilentServerIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		first := jetstest.NewProxy(s)
		to := ways{first, jetstest.NewProxy(s)}
		c, err := Dialer{Silence: 20 * time.Second}.Connect(t.Context(), "", nats.InProcessServer(&to))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		time.Sleep(5 * time.Minute)
		if c.Generation() != 0 {
			t.Fatal("left, though it answers")
		}
		first.Stall()
		defer first.Heal()
		began := time.Now()
		ctx, done := c.Epoch(t.Context())
		defer done()
		<-ctx.Done()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("given up after %v", took)
		}
		if err := c.Up(t.Context()); err != nil || c.Generation() != 1 {
			t.Errorf("generation %d: %v", c.Generation(), err)
		}
	})
}

// A password that was changed is refused at each reconnection. The refusal is kept as the
// reason, and not logged each time.
func TestChangedPasswordIsNotLoggedAtEachTry(t *testing.T) {
	s := jetstest.Config{Password: "old", Listen: true}.Run(t)
	var book jetstest.Buffer
	c, err := Dialer{Log: slog.New(slog.NewTextHandler(&book, nil))}.Connect(t.Context(), s.URL(), nats.UserInfo("test", "old"),
		nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0), nats.IgnoreAuthErrorAbort())
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.SetPassword("new")
	s.Start(t)
	patience := time.Now().Add(time.Minute)
	for refused := 0; refused < 20 && time.Now().Before(patience); time.Sleep(10 * time.Millisecond) {
		if _, why := c.Away(); errors.Is(why, nats.ErrAuthorization) {
			refused++
		}
	}
	since, why := c.Away()
	c.Close()
	if since.IsZero() || !errors.Is(why, nats.ErrAuthorization) {
		t.Errorf("away since %v: %v", since, why)
	}
	if lines := strings.Count(book.String(), "\n"); lines > 2 {
		t.Errorf("%d lines:\n%s", lines, book.String())
	}
}
