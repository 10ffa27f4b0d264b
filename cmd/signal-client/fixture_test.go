package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// What a script finds around it: a simulated org at $ORG that takes the token
// $TOKEN, and addresses of its own for the service.
func fixture(env *testscript.Env) error {
	org := oktatest.New(oktatest.Config{Seed: 1, Even: true, Tokens: []string{"right-token"}, Rate: oktatest.Rate{PerMinute: 60_000, Share: 1}})
	server := httptest.NewServer(org)
	env.Defer(server.Close)
	back := &heldBack{free: func() {}}
	env.Defer(func() { back.free() })
	startHook(env)
	env.Values["org"], env.Values["held back"] = org, back
	env.Setenv("ORG", server.URL)
	env.Setenv("TOKEN", "right-token")
	elsewhere := httptest.NewServer(http.NotFoundHandler()) // a host that is no org
	env.Defer(elsewhere.Close)
	env.Setenv("NOORG", elsewhere.URL)
	env.Setenv("GORACE", "atexit_sleep_ms=0")      // else every command built with -race ends a second late
	env.Setenv("SIGNAL_CLIENT_SESSION_TTL", "30s") // no script waits for it, and no slow disk is to end a session
	if err := oldNATS(env); err != nil {
		return err
	}
	for _, variable := range []string{"SIGNAL_CLIENT_NATS_LISTEN", "SIGNAL_CLIENT_HTTP_ADDR", "FREE"} {
		port, err := jetstest.FreePort()
		if err != nil {
			return err
		}
		env.Setenv(variable, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	return nil
}

// oldNATS listens at $OLD_NATS as a server of a former version would.
func oldNATS(env *testscript.Env) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	env.Defer(wg.Wait)
	env.Defer(func() { _ = ln.Close() })
	env.Setenv("OLD_NATS", "nats://"+ln.Addr().String())
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				fmt.Fprint(conn, `INFO {"server_id":"OLD","server_name":"old","version":"2.10.4","headers":true,"max_payload":1048576,"proto":1}`+"\r\n")
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if lines.Text() == "PING" {
						fmt.Fprint(conn, "PONG\r\n")
					}
				}
			})
		}
	})
	return nil
}

const patience = clitest.Patience

// eventually tries until it succeeds.
func eventually(ts *testscript.TestScript, what string, try func() (string, bool)) {
	deadline := time.Now().Add(patience)
	for {
		seen, ok := try()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: last seen:\n%s", what, seen)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at another process
	}
}

// until runs a command until its output matches: until 'polling' signal-client status.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until <regexp> <command>...")
	}
	re := regexp.MustCompile("(?m)" + args[0])
	eventually(ts, fmt.Sprint(args), func() (string, bool) {
		err := ts.Exec(args[1], args[2:]...) // its output, see below, says more than its error
		out := ts.ReadFile("stdout") + ts.ReadFile("stderr")
		return fmt.Sprint(out, err), re.MatchString(out)
	})
}

// page asks the service for a page until it matches: page '^ok$' /readyz.
func page(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: page <regexp> <path>")
	}
	re := regexp.MustCompile("(?m)" + args[0])
	eventually(ts, fmt.Sprint(args), func() (string, bool) {
		resp, err := http.Get("http://" + ts.Getenv("SIGNAL_CLIENT_HTTP_ADDR") + args[1])
		if err != nil {
			return err.Error(), false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err == nil && re.Match(body)
	})
}

// orgCommand changes the simulated org: org generate 100 puts a past into it, org
// add 10 lets something happen, org stall 30 makes it slow, org hold 5 lets
// backfills wait for their answers, see hold.
func orgCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: org generate|past|add|late|before|stall|hold <number>")
	}
	org := ts.Value("org").(*oktatest.Org)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	switch args[0] {
	case "generate":
		org.Generate(n, time.Hour)
	case "add":
		org.Add(make([]oktatest.Event, n)...)
	case "past": // two days ago and before
		org.GenerateFrom(time.Now().Add(-72*time.Hour), n, 24*time.Hour)
	case "late": // visible now, behind the cursors
		addBefore(org, n, 30*time.Minute)
	case "before": // happened in the hour before the last one, visible now
		addBefore(org, n, 90*time.Minute)
	case "stall": // answers take the given number of seconds
		org.SetFault(func(oktatest.Request) oktatest.Fault { return oktatest.Fault{Slow: time.Duration(n) * time.Second} })
	case "hold":
		hold(ts, org, n)
	default:
		ts.Fatalf("no such change: %s", args[0])
	}
}

// addBefore adds events that happened so long ago, a second apart, and turn visible
// now, all at once.
func addBefore(org *oktatest.Org, n int, ago time.Duration) {
	now := time.Now()
	events := make([]oktatest.Event, n)
	for i := range events {
		events[i] = oktatest.Event{Persisted: now.Add(-ago + time.Duration(i)*time.Second), Visible: now}
	}
	org.Add(events...)
}

// heldBack are the requests that the org has not answered yet.
type heldBack struct{ free func() }

// hold lets the org answer n further requests for the past. The following ones wait: what
// a backfill does next is up to the script then, however slow it is. A negative n lets
// them all go.
func hold(ts *testscript.TestScript, org *oktatest.Org, n int) {
	back := ts.Value("held back").(*heldBack)
	if n < 0 {
		org.SetFault(nil)
		back.free()
		return
	}
	var asked atomic.Int64
	gone := make(chan struct{})
	back.free = sync.OnceFunc(func() { close(gone) })
	org.SetFault(func(r oktatest.Request) oktatest.Fault {
		if strings.Contains(r.Link, "until=") && asked.Add(1) > int64(n) {
			<-gone
		}
		return oktatest.Fault{}
	})
}

// kv writes to INTEGRATIONS as the nats command does: kv put <instance> <value>,
// kv del <instance>; variables in a value are expanded. kv save <instance> <file> writes
// all values that the bucket keeps of it to a file, as they are stored.
func kv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: kv put|del|save <instance> [<value>|<file>]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	eventually(ts, "INTEGRATIONS", func() (string, bool) {
		err := change(ctx, ts, args)
		return fmt.Sprint(err), err == nil
	})
}

// login connects with the password that an embedded server keeps in its data directory.
func login(dir string) nats.Option {
	return nats.UserInfoHandler(func() (user, password string) {
		l, _ := embedded.ReadLogin(dir) // else the server refuses it
		return l.User, l.Password.Reveal()
	})
}

func change(ctx context.Context, ts *testscript.TestScript, args []string) error {
	nc, err := nats.Connect("nats://"+ts.Getenv("SIGNAL_CLIENT_NATS_LISTEN"), login(ts.MkAbs("data")))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	bucket, err := js.KeyValue(ctx, jets.BucketIntegrations)
	if err != nil {
		return err
	}
	switch {
	case args[0] == "del":
		return bucket.Delete(ctx, jets.Key(kinds.Default.Name, args[1]))
	case args[0] == "save" && len(args) == 3:
		kept, err := bucket.History(ctx, jets.Key(kinds.Default.Name, args[1]))
		var all []byte
		for _, e := range kept {
			all = append(append(all, e.Value()...), '\n')
		}
		return errors.Join(err, os.WriteFile(ts.MkAbs(args[2]), all, 0o600))
	case args[0] == "put" && len(args) == 3:
		value := os.Expand(args[2], ts.Getenv)
		_, err = bucket.Put(ctx, jets.Key(kinds.Default.Name, args[1]), []byte(value))
		return err
	}
	return errors.New("usage: kv put|del <instance> [<value>]")
}

// stored compares the stream with the simulated org: stored <instance>.
func stored(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stored <instance>")
	}
	org := ts.Value("org").(*oktatest.Org)
	eventually(ts, "audit", func() (string, bool) {
		conn, err := jets.Connect(context.Background(), "nats://"+ts.Getenv("SIGNAL_CLIENT_NATS_LISTEN"), login(ts.MkAbs("data")))
		if err != nil {
			return err.Error(), false
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		audit := jetstest.Audit{Stream: jets.StreamSignals, Events: jets.SubjectEvents(kinds.Default.Name, args[0]), Positions: jets.SubjectPosition(kinds.Default.Name, args[0])}
		for _, e := range org.Events() {
			audit.Log = append(audit.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
		}
		err = audit.Run(ctx, conn.JS)
		return fmt.Sprint(err), err == nil
	})
}

// remove deletes the first events of an instance from the stream: remove <instance>
// <number>.
func remove(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: remove <instance> <number>")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	onNATS(ts, func(ctx context.Context, conn *jets.Conn) error {
		stream, err := conn.JS.Stream(ctx, jets.StreamSignals)
		if err != nil {
			return err
		}
		seq := uint64(1)
		for range n {
			m, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(jets.SubjectEvents(kinds.Default.Name, args[0])))
			if err != nil {
				return err
			}
			if err := stream.DeleteMsg(ctx, m.Sequence); err != nil {
				return err
			}
			seq = m.Sequence + 1
		}
		return nil
	})
}
