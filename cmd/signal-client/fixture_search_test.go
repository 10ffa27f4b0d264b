package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/search/searchtest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// victoriaLogs starts a VictoriaLogs with the events of the stream, and sets the variables
// that name it: victorialogs.
func victoriaLogs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: victorialogs")
	}
	server, err := searchtest.Start(ts.MkAbs("victorialogs"), "signal-client")
	ts.Check(err)
	ts.Defer(func() { ts.Check(server.Stop()) })
	onNATS(ts, func(ctx context.Context, conn *jets.Conn) error {
		var events []*scan.Stored
		for e, err := range scan.Events(ctx, conn, scan.Range{Kind: kinds.Default}) {
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		return server.Insert(ctx, kinds.Default, events)
	})
	ts.Check(os.WriteFile(ts.MkAbs("index-password"), []byte(server.Password.Reveal()+"\n"), 0o600))
	ts.Setenv("SIGNAL_CLIENT_SEARCH", server.URL)
	ts.Setenv("SIGNAL_CLIENT_SEARCH_USER", server.User)
	ts.Setenv("SIGNAL_CLIENT_SEARCH_PASSWORD_FILE", filepath.Join(ts.MkAbs("."), "index-password"))
}

// newest compares a file of lines with the org's log, the newest first: newest <file>.
func newest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: newest <file>")
	}
	events := slices.Clone(ts.Value("org").(*oktatest.Org).Events())
	slices.SortStableFunc(events, func(a, b oktatest.Event) int { return a.Published.Compare(b.Published) })
	slices.Reverse(events)
	var want strings.Builder
	for _, e := range events {
		want.Write(e.Data)
		want.WriteByte('\n')
	}
	if got := ts.ReadFile(args[0]); got != want.String() {
		ts.Fatalf("%d lines of %d bytes are not the org's %d of %d, or not in their order", strings.Count(got, "\n"), len(got), len(events), want.Len())
	}
}
