package main

import (
	"context"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// odd lets the org serve what can't be stored: odd large 100 is an event of so
// many KB, odd none 2 are elements that are no events.
func odd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: odd large|none <number>")
	}
	org := ts.Value("org").(*oktatest.Org)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	if args[0] == "large" {
		org.Add(oktatest.Oversize(uint64(n), n<<10, time.Now()))
		return
	}
	for _, data := range oktatest.NonEvents()[:n] {
		org.Add(oktatest.Event{Data: []byte(data)})
	}
}

// sizeLimit sets what SIGNALS takes in one message: sizelimit 65536; -1: what the
// server does.
func sizeLimit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sizelimit <bytes>")
	}
	n, err := strconv.ParseInt(args[0], 10, 32)
	ts.Check(err)
	onNATS(ts, func(ctx context.Context, conn *jets.Conn) error {
		stream, err := conn.JS.Stream(ctx, jets.StreamSignals)
		if err != nil {
			return err
		}
		config := stream.CachedInfo().Config
		config.MaxMsgSize = int32(n)
		_, err = conn.JS.UpdateStream(ctx, config)
		return err
	})
}
