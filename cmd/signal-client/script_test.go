package main

import (
	"errors"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

func TestMain(m *testing.M) {
	jetstest.Setup()
	testscript.Main(m, map[string]func(){"signal-client": main})
}

// The command line as its users see it: testdata/script/*.txtar.
func TestScripts(t *testing.T) {
	jetstest.ForgetTimers()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		WorkdirRoot:         jetstest.TempDir(t),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               fixture,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "until": until, "page": page, "org": orgCommand, "kv": kv, "stored": stored, "remove": remove,
			"odd": odd, "sizelimit": sizeLimit, "app": appCommand,
			"victorialogs": victoriaLogs, "newest": newest,
			"replayed": replayed, "stream": streamCommand, "held": held, "goon": goOn, "hooked": hooked,
		},
	})
}

// code runs a command and checks its exit code: code 2 signal-client nope.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code <exit code> <command>...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
