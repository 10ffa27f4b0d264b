package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/goccy/go-json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// replayed compares a file of lines with the org's log: replayed <instance> <file>.
func replayed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: replayed <instance> <file>")
	}
	var want bytes.Buffer
	for _, e := range ts.Value("org").(*oktatest.Org).Events() {
		want.Write(e.Data)
		want.WriteByte('\n')
	}
	if got := ts.ReadFile(args[1]); got != want.String() {
		ts.Fatalf("%d lines of %d bytes are not the org's %d of %d", bytes.Count([]byte(got), []byte("\n")), len(got), bytes.Count(want.Bytes(), []byte("\n")), want.Len())
	}
}

// streamCommand makes a stream, or changes it: stream <name> <subject> [<configuration>].
func streamCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: stream <name> <subject> [<configuration>]")
	}
	var config jetstream.StreamConfig
	if len(args) == 3 {
		ts.Check(json.Unmarshal([]byte(args[2]), &config))
	}
	config.Name, config.Subjects = args[0], args[1:2]
	onNATS(ts, func(ctx context.Context, conn *jets.Conn) error {
		_, err := conn.JS.CreateOrUpdateStream(ctx, config)
		return err
	})
}

// held compares a stream that was replayed to with the org's log, and the
// headers with those of a replay: held <stream> <id>.
func held(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: held <stream> <id>")
	}
	log := ts.Value("org").(*oktatest.Org).Events()
	onNATS(ts, func(ctx context.Context, conn *jets.Conn) error {
		stream, err := conn.JS.Stream(ctx, args[0])
		if err != nil {
			return err
		}
		if n := stream.CachedInfo().State.Msgs; n != uint64(len(log)) {
			return fmt.Errorf("%s holds %d messages, the org %d", args[0], n, len(log))
		}
		for i, e := range log {
			m, err := stream.GetMsg(ctx, uint64(i+1))
			if err != nil {
				return err
			}
			h := m.Header
			if !bytes.Equal(m.Data, e.Data) || h.Get("ce-id") != e.UUID || h.Get("Signal-Replay") != args[1] || h.Get("Nats-Batch-Id") != "" {
				return fmt.Errorf("message %d is %v, want %s", i+1, h, e.UUID)
			}
			seq, err := strconv.ParseUint(h.Get("Signal-Sequence"), 10, 64)
			if err != nil {
				return err
			}
			first, err := conn.At(ctx, jets.StreamSignals, seq)
			if err != nil || first.Subject != h.Get("Signal-Subject") || !bytes.Equal(first.Data, e.Data) {
				return fmt.Errorf("message %d names %s at %d: %w", i+1, h.Get("Signal-Subject"), seq, err)
			}
		}
		return nil
	})
}

// goOn sets $SEQ to the sequence after the newest event of a replay, once it has enough
// events: goon <stream> <least>.
func goOn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: goon <stream> <least>")
	}
	least, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	eventually(ts, "replayed", func() (said string, done bool) {
		onNATS(ts, func(ctx context.Context, conn *jets.Conn) error {
			stream, err := conn.JS.Stream(ctx, args[0])
			if err != nil {
				return err
			}
			last := stream.CachedInfo().State.LastSeq
			said = fmt.Sprint(last)
			if last < least {
				return nil
			}
			m, err := stream.GetMsg(ctx, last)
			if err != nil {
				return err
			}
			seq, err := strconv.ParseUint(m.Header.Get("Signal-Sequence"), 10, 64)
			ts.Setenv("SEQ", fmt.Sprint(seq+1))
			done = true
			return err
		})
		return said, done
	})
}

func onNATS(ts *testscript.TestScript, do func(context.Context, *jets.Conn) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := jets.Connect(ctx, "nats://"+ts.Getenv("SIGNAL_CLIENT_NATS_LISTEN"), login(ts.MkAbs("data")), nats.Timeout(patience))
	ts.Check(err)
	defer conn.Close()
	ts.Check(do(ctx, conn))
}
